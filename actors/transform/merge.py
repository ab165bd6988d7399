"""A user's rules over the shipped ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, TypeVar

import msgspec

from sottovoce.actors.transform.context import Mode
from sottovoce.actors.transform.rulebook import CaseRule, EditRule, ModeRule, Phrase, Rule, Rules, Toggle, spoken_in

_T = TypeVar("_T", Toggle, CaseRule, ModeRule, EditRule)

_WORDS: Final = (
    *("reporting", "determiners", "capitals", "abbreviations", "function_words", "small_words", "operands"),
    *(
        "numerals",
        "ordinary_words",
        "domains",
        "possessives",
        "keywords",
        "likening",
        "numbered",
        "owners",
        "verbs",
        "being",
        "asked",
        "articles",
        "adjectives",
    ),
)
"""The lists of words, which are joined."""


def merged(base: Rules, mine: Rules) -> Rules:
    """Return shipped rules with a user's over them: a phrase that both have means what the user's says.

    The lists of words are joined. A rule put in the place of one that a toggle names opens and closes what that did, so
    that `open quote` can be made to write another mark and `quote` follows it.
    """
    taken = set(spoken_in(mine))
    silenced = {phrase for phrase, _ in taken}
    by_phrase = {phrase: rule for rule in base.rule for phrase in rule.spoken}

    def left(spoken: tuple[Phrase, ...]) -> tuple[Phrase, ...]:
        return tuple(phrase for phrase in spoken if phrase not in silenced)

    def rules_left() -> Iterator[Rule]:
        for rule in base.rule:
            by_modes: dict[tuple[Mode, ...], list[Phrase]] = {}
            for phrase in rule.spoken:
                modes = tuple(mode for mode in rule.mode if (phrase, mode) not in taken)
                by_modes.setdefault(modes, []).append(phrase)
            for modes, phrases in by_modes.items():
                if modes:
                    yield msgspec.structs.replace(rule, spoken=tuple(phrases), mode=modes)

    def paired(rule: Rule) -> Rule:
        if rule.opens or rule.closes:
            return rule
        old = next((by_phrase[phrase] for phrase in rule.spoken if phrase in by_phrase), rule)
        return msgspec.structs.replace(rule, opens=old.opens, closes=old.closes)

    def tables_left(tables: tuple[_T, ...]) -> tuple[_T, ...]:
        kept = (msgspec.structs.replace(table, spoken=left(table.spoken)) for table in tables)
        return tuple(table for table in kept if table.spoken)

    words: dict[str, Any] = {name: (*getattr(base, name), *getattr(mine, name)) for name in _WORDS}
    return Rules(
        **words,
        openers=mine.openers or base.openers,
        closers=mine.closers or base.closers,
        decimal=mine.decimal or base.decimal,
        before={**base.before, **mine.before},
        after={**base.after, **mine.after},
        noun_capitals=base.noun_capitals or mine.noun_capitals,
        escape=left(base.escape) + mine.escape,
        plain=left(base.plain) + mine.plain,
        not_behind={**base.not_behind, **mine.not_behind},
        spelling={**base.spelling, **mine.spelling},
        rule=(*rules_left(), *map(paired, mine.rule)),
        toggle=tables_left(base.toggle) + mine.toggle,
        case=tables_left(base.case) + mine.case,
        mode=tables_left(base.mode) + mine.mode,
        keys={**base.keys, **mine.keys},
        modifiers={**base.modifiers, **mine.modifiers},
        edit=tables_left(base.edit) + mine.edit,
    )
