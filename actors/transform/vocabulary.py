"""The number words of English, and the words that stand beside them."""

from __future__ import annotations

from typing import Final


def listed(words: str) -> frozenset[str]:
    """Return the words of a text."""
    return frozenset(words.split())


def _counted(words: str, start: int, step: int = 1) -> dict[str, int]:
    return {word: start + step * index for index, word in enumerate(words.split())}


DIGITS: Final = _counted("zero one two three four five six seven eight nine", 0) | {"nought": 0}
TEENS: Final = _counted("ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen", 10)
TENS: Final = _counted("twenty thirty forty fifty sixty seventy eighty ninety", 20, 10) | {"fourty": 40}
SCALES: Final = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
OH: Final = frozenset({"oh", "o"})
POINTS: Final = frozenset({"point", "dot"})
UNIT_ORDINALS: Final = _counted("first second third fourth fifth sixth seventh eighth ninth", 1)
ORDINALS: Final = (
    UNIT_ORDINALS
    | _counted("tenth eleventh twelfth thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth", 10)
    | _counted("twentieth thirtieth fortieth fiftieth sixtieth seventieth eightieth ninetieth", 20, 10)
)
NTH: Final = frozenset(ORDINALS) | {"and", "hundredth"}
"""After a cardinal they may make it an ordinal."""
DECADES: Final = _counted("twenties thirties forties fifties sixties seventies eighties nineties", 20, 10) | {
    "tens": 10,
    "hundreds": 0,
}

NUMBERS: Final = frozenset({*DIGITS, *TEENS, *TENS, *ORDINALS, *DECADES, "hundred", "hundredth", *SCALES})
"""A text without one of these holds nothing to convert."""

DETERMINERS: Final = listed(
    "a an the my your his her its our their this that these those which what whose every each any some no"
)
_FIGURES: Final = frozenset("0123456789")


def is_number(word: str) -> bool:
    """Whether a word is a number word, or has digits in it."""
    return word in NUMBERS or not _FIGURES.isdisjoint(word)
