"""What is listened for in each mode: the rules of a language as tries."""

from __future__ import annotations

from typing import Final, TypeAlias

import msgspec

from sottovoce.actors.transform.context import Mode
from sottovoce.actors.transform.exceptions import RulesError
from sottovoce.actors.transform.phrases import Phrases
from sottovoce.actors.transform.rulebook import CaseRule, Rule, Rules

Pair: TypeAlias = tuple[Rule, Rule]
"""A toggle: the rule that opens and the rule that closes."""


class Letter(msgspec.Struct, frozen=True):
    """What a word of the alphabet stands for in the mode `spelling`."""

    write: str


Command: TypeAlias = Rule | Pair | CaseRule
Entry: TypeAlias = Command | Letter | str
"""What a phrase stands for; the strings are the three below."""
ESCAPE: Final = "escape"
REPORTING: Final = "reporting"
PLAIN: Final = "plain"

COMMANDING: Final[tuple[Mode, ...]] = ("dictation", "code", "command")
"""The modes in which toggles, casing commands and escapes are heard."""


class Phrasebook:
    """The phrases of a language by mode, and those that switch between modes."""

    def __init__(self, rules: Rules, name: str) -> None:
        """Take the rules; `name` stands for them in errors.

        RulesError: two commands are said alike in one mode, or a toggle names a rule that is not there.
        """
        self._rules = rules
        self._name = name
        self.switches: Phrases[Mode] = Phrases()
        for switch in rules.mode:
            for phrase in switch.spoken:
                if self.switches.add(phrase, switch.mode) is not None:
                    raise RulesError(f"{name}: {phrase!r} switches to two modes; take one of them out")
                if " " in phrase:
                    self.switches.add(phrase.replace(" ", "-"), switch.mode)
        self.modes: dict[Mode, Phrases[Entry]] = {"verbatim": Phrases(), "spelling": self._spelling()}
        for mode in COMMANDING:
            self.modes[mode] = self._commands(mode)

    def _commands(self, mode: Mode) -> Phrases[Entry]:
        rules = self._rules
        of_mode = [rule for rule in rules.rule if mode in rule.mode]
        by_phrase = {phrase: rule for rule in (*rules.rule, *of_mode) for phrase in rule.spoken}
        entries: list[tuple[str, Entry]] = [(phrase, rule) for rule in of_mode for phrase in rule.spoken]
        for toggle in rules.toggle:
            where = f"{self._name}: toggle {toggle.spoken[0]!r}"
            missing = [phrase for phrase in (toggle.open, toggle.close) if phrase not in by_phrase]
            if missing:
                raise RulesError(f"{where}: no rule is said {missing[0]!r}; add that rule")
            pair = (by_phrase[toggle.open], by_phrase[toggle.close])
            if not pair[0].opens or pair[0].opens != pair[1].closes:
                raise RulesError(
                    f"{where}: `opens` of {toggle.open!r} and `closes` of {toggle.close!r} must be the same name"
                )
            if mode in pair[0].mode and mode in pair[1].mode:
                entries += [(phrase, pair) for phrase in toggle.spoken]
        entries += [(phrase, case) for case in rules.case for phrase in case.spoken]
        entries += [(phrase, REPORTING if phrase in rules.reporting else ESCAPE) for phrase in rules.escape]
        entries += [(phrase, PLAIN) for phrase in rules.plain]
        cases = [phrase for case in rules.case for phrase in case.spoken if " " in phrase]
        entries += [
            (phrase.replace(case, case.replace(" ", "-")), PLAIN)  # "in camel-case"
            for phrase in rules.plain for case in cases if f" {case} " in f" {phrase} "
        ]  # fmt: skip
        return self._trie(entries)

    def _spelling(self) -> Phrases[Entry]:
        """Return what is listened for in the mode `spelling`: letters, rules for it, and casing commands."""
        rules = self._rules
        entries: list[tuple[str, Entry]] = [
            (phrase, rule) for rule in rules.rule if "spelling" in rule.mode for phrase in rule.spoken
        ]
        entries += [(phrase, Letter(letter)) for phrase, letter in rules.spelling.items()]
        entries += [(phrase, case) for case in rules.case for phrase in case.spoken]
        return self._trie(entries)

    def _trie(self, entries: list[tuple[str, Entry]]) -> Phrases[Entry]:
        phrases: Phrases[Entry] = Phrases()
        for phrase, entry in entries:
            if phrases.add(phrase, entry) is not None:
                raise RulesError(f"{self._name}: {phrase!r} stands for two things; take one of them out")
        for phrase, entry in entries:
            if " " in phrase and not isinstance(entry, str):
                phrases.add(phrase.replace(" ", "-"), entry)  # engines: "question-mark"
        return phrases
