"""Reading one utterance: which of its words are commands, and which are just words."""

from __future__ import annotations

from collections.abc import Container
from typing import Final

import msgspec

from sottovoce.actors.transform.composer import Composer
from sottovoce.actors.transform.context import Mode
from sottovoce.actors.transform.figures import Figures
from sottovoce.actors.transform.formula import Formula
from sottovoce.actors.transform.heard import MARKS, PAUSES, Heard
from sottovoce.actors.transform.phrasebook import ESCAPE, REPORTING, Command, Entry, Letter
from sottovoce.actors.transform.phrases import Phrases
from sottovoce.actors.transform.rulebook import CaseRule, Rule
from sottovoce.actors.transform.steps import Step

_BEFORE_OPERANDS: Final = frozenset("([{<=+*/|&!")
"""Marks after which "a" is a letter; a minus is a dash as well."""


class Reading:
    """One utterance from its first word to its last, with the phrases of one mode."""

    __slots__ = (
        "_after", "_composer", "_determiners", "_figures", "_formula", "_heard", "_last", "_mode", "_noun_capitals",
        "_phrases", "_steps",
    )  # fmt: skip

    def __init__(
        self, heard: Heard, phrases: Phrases[Entry], composer: Composer, *, mode: Mode, determiners: Container[str],
        noun_capitals: bool, formula: Formula, figures: Figures, steps: list[Step] | None,
    ) -> None:  # fmt: skip
        self._heard = heard
        self._phrases = phrases
        self._composer = composer
        self._mode = mode
        self._determiners = determiners
        self._noun_capitals = noun_capitals
        self._formula = formula
        self._figures = figures
        self._steps = steps
        self._last: Rule | None = None  # the mark that was said last, and the index after it
        self._after = -1

    def read(self) -> None:
        """Hand all words and commands to the composer."""
        heard, composer, longest, starts = self._heard, self._composer, self._phrases.longest, self._phrases.starts
        chunks, bare, count = heard.chunks, heard.bare, len(heard.chunks)
        writes = self._mode not in {"spelling", "command"}
        at = 0
        apart = True  # the start of an utterance sets a command off as another command before it does
        while at < count:
            if writes and bare[at] not in starts:  # most words
                begun = at
                at += 1
                while at < count and bare[at] not in starts:
                    at += 1
                composer.words(chunks[begun:at], bare[begun:at])
                apart = False
                continue
            found = longest(heard, at)
            stop = at + 1
            if found is not None:
                done, at, stop = self._found(found[0], at, found[1], apart=apart)
                if done:
                    apart = True
                    continue
            if writes:
                for index in range(at, stop):
                    composer.word(chunks[index], bare[index])
            else:
                self._other(at, stop)
            at, apart = stop, False

    def _found(self, entry: Entry, at: int, stop: int, *, apart: bool) -> tuple[bool, int, int]:
        """Do what a phrase asks for; return whether it was a command, and else which words are words."""
        heard, steps = self._heard, self._steps
        if isinstance(entry, str):
            if entry is ESCAPE or entry is REPORTING:
                begun = at
                at, stop = self._escaped(at, stop, reporting=entry is REPORTING)
                if at != begun:
                    if steps is not None:
                        steps.append(Step("escape", heard.said(begun, stop), heard.said(at, stop)))
                    at = self._write_escaped(at, stop)
            elif steps is not None:
                steps.append(Step("kept", heard.said(at, stop), "a plain phrase"))
            return False, at, stop
        after = self._command(entry, at, stop, apart=apart)
        if steps is not None:
            steps.append(self._step(entry, heard.said(at, stop), after))
        return after > 0, after or at, stop

    def _command(self, entry: Command | Letter, at: int, stop: int, *, apart: bool) -> int:
        """Do what the words from `at` to `stop` command, if they do; return where to go on, 0 if they are words."""
        if isinstance(entry, Letter):
            self._composer.spell(entry.write)
            return stop
        if isinstance(entry, Rule) and entry.address and self._in_address(entry, at, stop):
            entry = msgspec.structs.replace(entry, attach="both", case="same")
        elif not self._meant(entry, at, stop, apart=apart):
            return 0
        marks, after = self._heard.marks_from(stop)
        if isinstance(entry, CaseRule):
            if entry.does == "capital letter":
                return self._capital(marks, after)
            self._composer.style(entry.does, marks)
            return after
        rule = entry if isinstance(entry, Rule) else entry[self._composer.has_open(entry[0].opens)]
        if self._figures.concern(rule.write):
            reading = self._figures.read(self._heard, rule.write, at, stop)
            if reading == "word":
                return 0
            if reading == "joint":
                rule = msgspec.structs.replace(rule, attach="both")
        self._composer.command(rule, marks)
        self._last, self._after = rule, after
        return after

    def _capital(self, marks: str, at: int) -> int:
        """Write the letter that is said after "capital", or the word after it that begins with that letter.

        Returns:
            Where to go on, 0 if no letter is said there.
        """
        heard, composer = self._heard, self._composer
        if self._mode == "spelling":
            composer.style("upper word", marks)
            return at
        letter = heard.bare[at] if at < len(heard.bare) and marks in {"", ","} else ""
        if len(letter) != 1 or not letter.isalpha():
            return 0
        composer.style("upper word", marks)
        between, after = heard.marks_from(at + 1)
        word = heard.bare[after] if after < len(heard.bare) and between in {"", ","} else ""
        if len(word) > 1 and word[0] == letter and self._command_at(after) is None:
            composer.style("capital letter", between)
            at = after
        composer.word(heard.chunks[at], heard.bare[at])
        return at + 1

    def _meant(self, command: Command, at: int, stop: int, *, apart: bool) -> bool:
        """Whether the words from `at` to `stop`, which a rule lists, are the command and not just words."""
        heard = self._heard
        if isinstance(command, Rule):
            # What closes an open pair is no noun: "open quote a close quote".
            noun = command.noun and not (command.closes and self._composer.has_open(command.closes))
            only = command.only
        else:  # "the all caps NASA probe" is dictated, "the capital" is a city
            noun, only = not isinstance(command, CaseRule) or command.does == "capital letter", "anywhere"
        if not apart:
            before = heard.words[at - 1]
            if noun and before in self._determiners and not self._operand(at, stop):
                return False
            apart = before[-1] in MARKS
        if only == "anywhere":
            return True
        if only == "line":
            return self._composer.begins_line
        marks, after = heard.marks_from(stop)
        beside = after == len(heard.chunks) or self._command_at(after) is not None
        if only == "formula":
            attach = command.attach if isinstance(command, Rule) else "none"
            if attach == "right":  # [...items]
                return self._composer.opens_bracket
            last = attach == "left" and beside  # i++
            return at > 0 and self._formula.holds(heard.bare[at - 1], None if last else heard.bare[after : after + 1])
        return apart and (marks != "" or beside)

    def _in_address(self, rule: Rule, at: int, stop: int) -> bool:
        """Whether the words from `at` to `stop` stand in an address, between two of its parts."""
        heard, last = self._heard, self._last
        if not 0 < at < stop < len(heard.bare) or self._command_at(stop) is not None:
            return False
        if not {heard.marks_of(at - 1), heard.marks_of(stop - 1)} <= {"", ","}:
            return False
        if heard.bare[at - 1] == "www":
            return True
        if last is not None and self._after == at - 1 and last.attach == "both" and last.write in {"@", rule.write}:
            return True
        while (match := self._phrases.longest(heard, stop + 1)) is not None:
            entry, stop = match
            if entry is not rule:
                return isinstance(entry, Rule) and entry.write == "@"
        return False

    def _operand(self, at: int, stop: int) -> bool:
        """Whether the determiner before `at` is none: a part of "of-the-art", or the letter of "(a, b)"."""
        heard, last = self._heard, self._last
        if last is not None and self._after == at - 1:
            if last.attach == "both" and last.write.isprintable():
                return True
            if len(heard.bare[at - 1]) == 1 and last.write[-1] in _BEFORE_OPERANDS:
                return True
        after = heard.marks_from(stop)[1]
        return after < len(heard.bare) and self._formula.letter(heard.bare[at - 1], heard.bare[after])

    def _escaped(self, at: int, stop: int, *, reporting: bool) -> tuple[int, int]:
        """Return the words to write at an escape phrase: the command's or the number's after it, else its own first."""
        heard = self._heard
        if heard.marks_of(stop - 1) not in {"", ","}:
            return at, at + 1
        match = self._phrases.longest(heard, stop)
        if match is None or isinstance(match[0], str):
            end = heard.number_end(at, stop)
            return (stop, end) if end > stop else (at, at + 1)
        entry = match[0]
        opening = entry[0] if isinstance(entry, tuple) else entry
        if reporting and isinstance(opening, Rule) and opening.opens:  # they say, quote, it is late
            return at, at + 1
        return stop, match[1]

    def _write_escaped(self, at: int, stop: int) -> int:
        """Write escaped words without what the engine made of a command: pauses around it, and capitals."""
        if self._mode not in {"spelling", "command"}:
            self._composer.unpause()
            written = self._heard.chunks if self._noun_capitals else self._heard.words
            for index in range(at, stop):
                self._composer.word(written[index].rstrip(PAUSES), self._heard.bare[index])
        return stop

    def _command_at(self, at: int) -> int | None:
        """Return the index after the command phrase at a chunk, meant or not; None where there is none."""
        match = self._phrases.longest(self._heard, at)
        return None if match is None or isinstance(match[0], str) else match[1]

    def _other(self, at: int, stop: int) -> None:
        """Take words in a mode that does not write them: letters are spelled, the others dropped."""
        for index in range(at, stop):
            chunk = self._heard.chunks[index]
            if self._mode == "command":
                step = Step("dropped", chunk, "not a command")
            else:
                letters = chunk.rstrip(MARKS)  # they are the engine's, between letters
                if len(letters) == 1 or letters.isupper():  # an engine that hears letters writes ABC or A.B.C.
                    letters = letters.replace(".", "").replace("-", "").lower()
                if letters:
                    self._composer.spell(letters)
                step = Step("letter", chunk, letters)
            if self._steps is not None:
                self._steps.append(step)

    def _step(self, entry: Command | Letter, said: str, after: int) -> Step:
        if not after:
            return Step("kept", said, "words, by what stands beside them")
        if isinstance(entry, Letter):
            return Step("letter", said, entry.write)
        if isinstance(entry, CaseRule):
            return Step("case", said, entry.does)
        # A toggle has done its turn by now: what it opened is open.
        rule = entry if isinstance(entry, Rule) else entry[not self._composer.has_open(entry[0].opens)]
        return Step("command", said, rule.write)
