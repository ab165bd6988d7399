"""The words that ask for digits, "number five" and "line five", and those that forbid them, "literal number five"."""

from __future__ import annotations

from typing import Final

from sottovoce.actors.transform.moments import date, decade
from sottovoce.actors.transform.numerals import DETERMINERS, NUMBERS, Words, odd_of, ordinal
from sottovoce.actors.transform.quantities import quantity

TRIGGERS: Final = frozenset({"number", "digit", "digits"})
"""They go, and what follows is digits."""
CONTEXT: Final = frozenset({"line", "version", "step", "option", "error", "port", "release", "page", "chapter", "item"})
"""They stay, and the number after them is digits."""
ESCAPES: Final = frozenset({"literal", "literally", "say", "word", "words"})
"""Without one of them no number is escaped."""


def escaped(chunks: list[str], begun: int, at: int) -> int:
    """Return the index of the chunk after the number that an escape makes plain words; `at` if it makes none.

    `chunks` are those that `convert` returned; the escape ("the word") is in those from `begun`, the number begins
    at `at` with its trigger or its context word, if it has one.
    """
    if at >= len(chunks):
        return at
    rest = chunks[at:]
    lower = [chunk.lower() for chunk in rest]
    words = Words(rest, lower, odd_of(lower))
    first, escape = words.word[0], chunks[at - 1].lower().rstrip(",")
    asked = first in TRIGGERS or first in CONTEXT
    if escape == "say":
        asked = bare = first in TRIGGERS
    else:
        bare = begun == 0 or chunks[begun - 1].lower() not in DETERMINERS
    if not asked and not (bare and first in NUMBERS):
        return at
    stop = extent(words, 0)
    end = at + words.chunk[stop - 1] + 1 if stop else at
    spoken = escape == "literally" and not asked and (begun, end) != (0, len(chunks))
    return at if spoken else end


def is_escaped(words: Words, at: int) -> bool:
    """Whether an escape before the number at a word, or before its trigger or context word, makes it plain words."""
    left = words.before(at)
    if left in TRIGGERS or left in CONTEXT:
        at, left = at - 1, words.before(at - 1)
    if not left and at and words.shut[at - 1] == ",":  # an engine's "Literal, number five."
        left = words.word[at - 1] if words.word[at] in TRIGGERS else ""
    if left in {"word", "words"}:
        return words.before(at - 1) == "the"
    return left in {"literal", "literally"} or (left == "say" and words.word[at] in TRIGGERS)


def extent(words: Words, at: int) -> int:
    """Return the index after the number that begins at a word, with its trigger or context word; `at` if none does."""
    begun = at
    if words.link[at] and (words.word[at] in TRIGGERS or words.word[at] in CONTEXT):
        begun += 1
    nth = ordinal(words, begun)
    readings = (quantity(words, begun, plain=True), decade(words, begun), date(words, begun, whole=False))
    ends = [found.end for found in readings if found is not None]
    return max((*ends, at if nth is None else nth[1], at))
