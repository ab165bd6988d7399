"""Reading one utterance: which of its words are commands, and which are just words."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Final, NamedTuple

import msgspec

from sottovoce.actors.transform.address import Address
from sottovoce.actors.transform.composer import Composer
from sottovoce.actors.transform.context import Mode
from sottovoce.actors.transform.figures import Figures
from sottovoce.actors.transform.formula import Formula
from sottovoce.actors.transform.heard import MARKS, PAUSES, TERMINATORS, Heard
from sottovoce.actors.transform.phrasebook import ESCAPE, PLAIN, REPORTING, Command, Entry, Letter
from sottovoce.actors.transform.phrases import Phrases
from sottovoce.actors.transform.rulebook import CaseRule, Rule
from sottovoce.actors.transform.steps import Step

_BEFORE_OPERANDS: Final = frozenset("([{<=+*/|&!")
"""Marks after which "a" is a letter; a minus is a dash as well."""
_CLOSED_BY: Final = {"(": ")", "[": "]", "{": "}", "<": ">"}
_WITHIN: Final = 64
"""Words in which what is opened is looked for a closing mark."""
_OWNING: Final = frozenset({"'s", "’s"})
_CONTRACTED: Final = frozenset(
    f"{word}{mark}s"
    for word in ("it", "that", "he", "she", "what", "there", "let", "who", "here", "where", "how", "when", "why")
    for mark in "'’"
)
_CLAUSE_ENDS: Final = frozenset(",.?!")
_TRAILING: Final = frozenset(".,;:?!")
"""Marks with which no line begins."""


class Grammar(NamedTuple):
    """What tells in a language, beside the phrases, whether words are a command."""

    determiners: Container[str]
    possessives: Container[str]
    articles: Container[str]
    owners: Container[str]
    before_nouns: Container[str]
    """Determiners, adjectives and owners."""
    verbs: Container[str]
    being: Container[str]
    asked: Container[str]
    ordinary: Container[str]
    not_behind: Mapping[str, Container[str]]
    domains: Container[str]
    noun_capitals: bool
    formula: Formula
    figures: Figures


class Reading:
    """One utterance from its first word to its last, with the phrases of one mode."""

    __slots__ = ("_after", "_composer", "_grammar", "_heard", "_inside", "_last", "_mode", "_phrases", "_steps")

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
        self._inside = False  # whether that mark stands in an address

    def read(self) -> None:
        """Hand all words and commands to the composer."""
        heard, steps, longest, starts = self._heard, self._steps, self._phrases.longest, self._phrases.starts
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
            entry, stop = found
            if entry is PLAIN and (joint := self._joint(first)) is not None:
                entry, stop = joint, first + 1
            if isinstance(entry, str):
                apart = False
                begun, at = self._phrase(entry, first, stop)
                continue
            after = self._command(entry, first, stop, apart=apart)
            if steps is not None and (after or not _in_address_alone(entry)):
                steps.append(self._step(entry, heard.said(first, stop), after))
            apart, begun, at = after > 0, after or first, after or stop
        if begun < count:
            add(begun, count)

    def _words(self, at: int, stop: int) -> None:
        self._composer.words(self._heard.chunks[at:stop])

    def _phrase(self, entry: str, at: int, stop: int) -> tuple[int, int]:
        """Do what a phrase asks for that is no command; return the indices between which words are to be written."""
        heard, steps = self._heard, self._steps
        if entry is ESCAPE or entry is REPORTING:
            begun = at
            at, stop = self._escaped(at, stop, reporting=entry is REPORTING)
            if at != begun:
                if steps is not None:
                    steps.append(Step("escape", heard.said(begun, stop), heard.said(at, stop)))
                at = self._write_escaped(at, stop)
        elif steps is not None:
            steps.append(Step("kept", heard.said(at, stop), "a plain phrase"))
        return at, stop

    def _command(self, entry: Command | Letter, at: int, stop: int, *, apart: bool) -> int:
        """Do what the words from `at` to `stop` command, if they do; return where to go on, 0 if they are words."""
        if isinstance(entry, Letter):
            self._composer.spell(entry.write)
            return stop
        inside = isinstance(entry, Rule) and entry.address and self._in_address(entry, at, stop)
        if inside and isinstance(entry, Rule):
            entry = msgspec.structs.replace(entry, attach="both", case="same")
        elif (self._inside and self._is_domain(at)) or not self._meant(entry, at, stop, apart=apart):
            return 0
        marks, after = self._heard.marks_from(stop)
        if isinstance(entry, CaseRule):
            return self._cased(entry, marks, after, apart=apart)
        rule = entry if isinstance(entry, Rule) else entry[self._composer.has_open(entry[0].opens)]
        if rule.write in self._grammar.figures.marks:
            reading = self._grammar.figures.read(self._heard, rule.write, at, stop)
            if reading == "word":
                return 0
            if reading == "joint":
                rule = msgspec.structs.replace(rule, attach="both")
        inside = inside or rule.write == "@" or (self._inside and self._after == at - 1)
        self._inside = inside and rule.attach == "both"
        self._composer.command(rule, marks, last=after == len(self._heard.chunks))
        self._last, self._after = rule, after
        return after

    def _cased(self, rule: CaseRule, marks: str, at: int, *, apart: bool) -> int:
        """Do what a casing command asks for; return where to go on, 0 if its words are just words."""
        if rule.does == "capital letter":
            return self._capital(marks, at)
        ended = at == len(self._heard.chunks) and not TERMINATORS.isdisjoint(marks)
        if ended and not apart and rule.does.endswith((" word", " phrase")):
            return 0  # "We use camel case.": as an utterance of its own it waits for what comes
        self._composer.style(rule.does, marks)
        return at

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
        name = len(word) > 1 and word[0] == letter and word not in self._grammar.ordinary
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
        else:  # "the all caps NASA probe" is dictated, "the capital" is a city, and caps are on bottles
            noun = not isinstance(command, CaseRule) or command.does.endswith((" letter", " on", " off"))
            only = "anywhere"
            if isinstance(command, tuple) and self._after == at - 1:  # quote a quote
                noun = not self._composer.has_open(command[0].opens)
        before = heard.words[at - 1]
        nouns = self._grammar.before_nouns
        named = before in nouns or before[-2:] in _OWNING
        word = self._begins(command, stop) if apart else named and self._is_noun(command, at, stop, noun=noun)
        if word or (isinstance(command, Rule) and command.subject and self._is_subject(at, stop)):
            return False
        apart = apart or before[-1] in MARKS
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

    def _is_noun(self, command: Command, at: int, stop: int, *, noun: bool) -> bool:
        """Whether a determiner before `at`, or an article and an adjective, makes it a noun: "a long dash"."""
        words, grammar = self._heard.words, self._grammar
        before = words[at - 1]
        if before in grammar.owners or before[-2:] in _OWNING:  # they may end a clause: "it is his comma not hers"
            if before in _CONTRACTED or (isinstance(command, Rule) and command.write in _CLAUSE_ENDS):
                return False
            noun = self._unclosed(command, stop) if isinstance(command, tuple) or not noun else noun
            return noun and not (self._operand(command, at, stop) or self._named(command, at, stop))
        if before not in grammar.determiners and (at == 1 or words[at - 2] not in grammar.articles):
            return False
        if not (noun or self._unclosed(command, stop)):
            return False
        return not (self._operand(command, at, stop) or self._named(command, at, stop))

    def _is_subject(self, at: int, stop: int) -> bool:
        """Whether a verb behind a command makes it a noun, some words behind a determiner: "the lease period ends"."""
        heard, grammar = self._heard, self._grammar
        behind = heard.bare[stop : stop + 2]
        if len(behind) < 2 or heard.marks_of(stop - 1):
            return False
        verb = behind[0] in grammar.verbs or (behind[0] in grammar.being and behind[1] not in grammar.asked)
        return verb and any(
            word in grammar.determiners or word in grammar.owners for word in heard.words[max(at - 3, 0) : at]
        )

    def _begins(self, command: Command, stop: int) -> bool:
        """Whether a line that was asked for would begin with a mark that only ends something: "Comma separated values".

        Of a page on which nothing was written yet that is not known: the cursor may stand behind a word.
        """
        if not isinstance(command, Rule) or command.write not in _TRAILING or not self._composer.begun_line:
            return False
        marks, after = self._heard.marks_from(stop)
        prose = self._mode == "dictation" and not marks
        return prose and after < len(self._heard.chunks) and self._command_at(after) is None

    def _unclosed(self, command: Command, at: int) -> bool:
        """Whether a command opens what none that is said behind it closes: "put an open paren there"."""
        opening = command[0] if isinstance(command, tuple) else command
        if not isinstance(opening, Rule) or opening.attach != "right":
            return False
        heard, starts, closing = self._heard, self._phrases.starts, _CLOSED_BY.get(opening.write, "")
        for index in range(at, min(at + _WITHIN, len(heard.bare))):
            if heard.bare[index] not in starts or (match := self._phrases.longest(heard, index)) is None:
                continue
            closer = match[0][1] if isinstance(match[0], tuple) else match[0]
            if not isinstance(closer, Rule) or closer.attach != "left":
                continue
            if closer.closes == opening.opens if opening.opens else closer.write == closing:
                return False
        return True

    def _in_address(self, rule: Rule, at: int, stop: int) -> bool:
        """Whether the words from `at` to `stop` stand in an address, between two of its parts."""
        bare, domains, last = self._heard.bare, self._grammar.domains, self._last
        if not 0 < at < stop < len(bare) or self._after == at:
            return False
        begun = self._inside or rule.write == "@" or bare[stop] in domains or bare[at - 1] == "www"
        if not begun and (stop + 1 == len(bare) or bare[stop + 1] not in self._phrases.starts):  # mostly
            return False
        if self._command_at(stop) is not None and bare[stop] not in domains:
            return False
        behind = last is not None and self._after == at - 1 and last.attach == "both"
        return Address(self._heard, self._phrases, domains).joined(rule, at, stop, behind=behind, inside=self._inside)

    def _is_domain(self, at: int) -> bool:
        """Whether the word at `at` of an address, which is a command as well, ends it: ".at"."""
        return self._after == at and self._heard.bare[at] in self._grammar.domains

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

    def _operand(self, command: Command, at: int, stop: int) -> bool:
        """Whether the determiner before `at` is none: a part of "of-the-art", or the letter of "(a, b)"."""
        heard, last = self._heard, self._last
        if last is not None and self._after == at - 1:
            if last.attach == "both" and last.write.isprintable():
                return True
            if len(heard.bare[at - 1]) == 1 and last.write[-1] in _BEFORE_OPERANDS:
                return True
        after = heard.marks_from(stop)[1]
        letters = not isinstance(command, CaseRule) and after < len(heard.bare)
        return letters and self._grammar.formula.letter(heard.bare[at - 1], heard.bare[after])

    def _escaped(self, at: int, stop: int, *, reporting: bool) -> tuple[int, int]:
        """Return the words to write at an escape phrase: the command's or the number's after it, else its own first."""
        heard = self._heard
        word = at > 0 and heard.words[at - 1] in self._grammar.not_behind.get(" ".join(heard.bare[at:stop]), ())
        if word or heard.marks_of(stop - 1) not in {"", ","}:
            return at, at + 1
        match = self._phrases.longest(heard, stop)
        if match is not None and match[0] is PLAIN and not reporting:  # "literal quote unquote": the first is a command
            first = self._phrases.word(heard.bare[stop])
            idiom = heard.bare[stop] == heard.bare[match[1] - 1]  # "una traducción literal, punto por punto"
            match = None if first is None or idiom else (first, match[1])
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
