"""Reading one utterance: which of its words are commands, and which are just words."""

from __future__ import annotations

from collections.abc import Container
from typing import Final, NamedTuple

import msgspec

from sottovoce.actors.transform.composer import Composer
from sottovoce.actors.transform.context import Mode
from sottovoce.actors.transform.figures import Figures
from sottovoce.actors.transform.formula import Formula
from sottovoce.actors.transform.heard import MARKS, PAUSES, Heard
from sottovoce.actors.transform.phrasebook import ESCAPE, PLAIN, REPORTING, Command, Entry, Letter
from sottovoce.actors.transform.phrases import Phrases
from sottovoce.actors.transform.rulebook import CaseRule, Rule
from sottovoce.actors.transform.steps import Step

_BEFORE_OPERANDS: Final = frozenset("([{<=+*/|&!")
"""Marks after which "a" is a letter; a minus is a dash as well."""


class Grammar(NamedTuple):
    """What tells in a language, beside the phrases, whether words are a command."""

    determiners: Container[str]
    possessives: Container[str]
    domains: Container[str]
    noun_capitals: bool
    formula: Formula
    figures: Figures


class Reading:
    """One utterance from its first word to its last, with the phrases of one mode."""

    __slots__ = ("_after", "_composer", "_grammar", "_heard", "_last", "_mode", "_phrases", "_steps")

    def __init__(
        self, heard: Heard, phrases: Phrases[Entry], grammar: Grammar, composer: Composer, *,
        mode: Mode, steps: list[Step] | None,
    ) -> None:  # fmt: skip
        self._heard = heard
        self._phrases = phrases
        self._grammar = grammar
        self._composer = composer
        self._mode = mode
        self._steps = steps
        self._last: Rule | None = None  # the mark that was said last, and the index after it
        self._after = -1

    def read(self) -> None:
        """Hand all words and commands to the composer."""
        heard, longest, starts = self._heard, self._phrases.longest, self._phrases.starts
        bare, count = heard.bare, len(heard.chunks)
        add = self._other if self._mode in {"spelling", "command"} else self._words
        begun = at = 0  # the words between them have not been handed over: at once it takes less time than one by one
        apart = True  # the start of an utterance sets a command off as another command before it does
        for first in [first for first, word in enumerate(bare) if word in starts]:
            if first < at:
                continue
            seconds = starts[bare[first]]
            if seconds is not None and (first + 1 == count or bare[first + 1] not in seconds):
                continue
            if (found := longest(heard, first)) is None:
                continue
            if begun < first:
                add(begun, first)
                apart = False
            apart, begun, at = self._found(found[0], first, found[1], apart=apart)
        if begun < count:
            add(begun, count)

    def _words(self, at: int, stop: int) -> None:
        self._composer.words(self._heard.chunks[at:stop])

    def _found(self, entry: Entry, at: int, stop: int, *, apart: bool) -> tuple[bool, int, int]:
        """Do what a phrase asks for.

        Returns:
            Whether it was a command, and which words are to be written: those between the two indices.
        """
        heard, steps = self._heard, self._steps
        if entry is PLAIN and (joint := self._joint(at)) is not None:
            entry, stop = joint, at + 1
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
        if steps is not None and (after or not _in_address_alone(entry)):
            steps.append(self._step(entry, heard.said(at, stop), after))
        return after > 0, after or at, after or stop

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
        if self._grammar.figures.concern(rule.write):
            reading = self._grammar.figures.read(self._heard, rule.write, at, stop)
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
        name = len(word) > 1 and word[0] == letter and not self._grammar.formula.joins(word)
        if name and self._command_at(after) is None:
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
            if isinstance(command, tuple) and self._after == at - 1:  # quote a quote
                noun = not self._composer.has_open(command[0].opens)
        if not apart:
            before = heard.words[at - 1]
            named = noun and before in self._grammar.determiners
            if named and not (self._operand(at, stop) or self._named(command, at, stop)):
                return False
            apart = before[-1] in MARKS
        if only in {"anywhere", "address"}:
            return only == "anywhere"
        if only == "line":
            return self._composer.begins_line
        marks, after = heard.marks_from(stop)
        beside = after == len(heard.chunks) or self._command_at(after) is not None
        if only == "formula":
            attach = command.attach if isinstance(command, Rule) else "none"
            if attach == "right":  # [...items]
                return self._composer.opens_bracket
            last = attach == "left" and beside  # i++
            right = None if last else heard.bare[after : after + 1]
            return at > 0 and self._grammar.formula.holds(heard.bare[at - 1], right)
        return apart and (marks != "" or beside)

    def _in_address(self, rule: Rule, at: int, stop: int) -> bool:
        """Whether the words from `at` to `stop` stand in an address, between two of its parts."""
        heard, last = self._heard, self._last
        inside = 0 < at < stop < len(heard.bare) and self._command_at(stop) is None
        if not inside or not {heard.marks_of(at - 1), heard.marks_of(stop - 1)} <= {"", ","}:
            return False
        joined = last is not None and self._after == at - 1 and last.attach == "both"
        if rule.write == "@":
            return (joined or rule.only != "address") and self._ends_address(stop + 1)
        if heard.bare[at - 1] == "www" or (last is not None and joined and last.write in {"@", rule.write}):
            return rule.only != "anywhere" or self._ends_address(at)
        while (match := self._phrases.longest(heard, stop + 1)) is not None:
            entry, stop = match
            if entry is not rule:
                sign = entry if isinstance(entry, Rule) and entry.write == "@" else None
                return sign is not None and (not sign.address or self._ends_address(stop + 1))
        return False

    def _ends_address(self, at: int) -> bool:
        """Whether the words from `at` are the end of one: "dot com", "dot example dot com"."""
        heard = self._heard
        while at + 1 < len(heard.bare):
            rule = self._phrases.word(heard.bare[at])
            if not isinstance(rule, Rule) or not rule.address or heard.marks_of(at) not in {"", ","}:
                return False
            if heard.bare[at + 1] in self._grammar.domains:
                return True
            at += 2
        return False

    def _joint(self, at: int) -> Rule | None:
        """Return the rule for the first word of a plain phrase where it joins an address: "punto" of "punto com"."""
        rule = self._phrases.word(self._heard.bare[at])
        return rule if isinstance(rule, Rule) and rule.address and self._in_address(rule, at, at + 1) else None

    def _named(self, command: Command, at: int, stop: int) -> bool:
        """Whether the determiner before `at` begins a name: "my underscore file", not "my underscore key"."""
        heard = self._heard
        return (
            isinstance(command, Rule) and command.write == "_" and heard.words[at - 1] in self._grammar.possessives
            and not heard.marks_of(stop - 1) and heard.bare[stop : stop + 1] not in ([], ["key"], ["is"])
        )  # fmt: skip

    def _operand(self, at: int, stop: int) -> bool:
        """Whether the determiner before `at` is none: a part of "of-the-art", or the letter of "(a, b)"."""
        heard, last = self._heard, self._last
        if last is not None and self._after == at - 1:
            if last.attach == "both" and last.write.isprintable():
                return True
            if len(heard.bare[at - 1]) == 1 and last.write[-1] in _BEFORE_OPERANDS:
                return True
        after = heard.marks_from(stop)[1]
        return after < len(heard.bare) and self._grammar.formula.letter(heard.bare[at - 1], heard.bare[after])

    def _escaped(self, at: int, stop: int, *, reporting: bool) -> tuple[int, int]:
        """Return the words to write at an escape phrase: the command's or the number's after it, else its own first."""
        heard = self._heard
        if heard.marks_of(stop - 1) not in {"", ","}:
            return at, at + 1
        match = self._phrases.longest(heard, stop)
        if match is not None and match[0] is PLAIN and not reporting:  # "literal quote unquote": the first is a command
            first = self._phrases.word(heard.bare[stop])
            match = None if first is None else (first, match[1])
        if match is None or isinstance(match[0], str) or _in_address_alone(match[0]):
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
            written = self._heard.chunks if self._grammar.noun_capitals else self._heard.words
            for index in range(at, stop):
                self._composer.word(written[index].rstrip(PAUSES), self._heard.bare[index])
        return stop

    def _command_at(self, at: int) -> int | None:
        """Return the index after the command phrase at a chunk, meant or not; None where there is none."""
        match = self._phrases.longest(self._heard, at)
        return None if match is None or isinstance(match[0], str) or _in_address_alone(match[0]) else match[1]

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


def _in_address_alone(entry: Command | Letter) -> bool:
    """Whether a phrase is just words wherever there is no address: nobody is told of them."""
    return isinstance(entry, Rule) and entry.only == "address"
