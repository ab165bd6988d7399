"""How English says numbers: the readings of a run of number words.

A run is read by descent, not by regular expressions: "one hundred and twenty five thousand" is a sum of groups,
"nineteen fifty" two numbers put side by side, "four oh four" three digits, "three point one one point four" parts with
points between them. Nothing here knows what a number is for; `numbers` does.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from sottovoce.actors.transform.vocabulary import DIGITS, OH, ORDINALS, POINTS, SCALES, TEENS, TENS, UNIT_ORDINALS
from sottovoce.actors.transform.words import Words

_LONE: Final = DIGITS | TEENS | TENS
_SIZES: Final = frozenset(SCALES) | {"hundred"}
_ON: Final = frozenset(_LONE) | OH | _SIZES
"""What goes on with a number."""


class Run(NamedTuple):
    """Cardinals said one after the other, as ("nineteen", "fifty") -> (19, 50), and the index after them."""

    parts: tuple[int, ...]
    end: int

    @property
    def joined(self) -> str:
        """The parts side by side: 1950."""
        return "".join(map(str, self.parts))

    @property
    def pair(self) -> tuple[int, int] | None:
        """The run as two numbers where it is said so: (19, 50), (3, 30), (3, 5) for "three oh five"."""
        parts = self.parts
        if len(parts) == 2 and 0 < parts[0] < 100 and 10 <= parts[1] < 100:
            return parts[0], parts[1]
        if len(parts) == 3 and 0 < parts[0] < 100 and parts[1] == 0 and 0 < parts[2] < 10:
            return parts[0], parts[2]
        return None

    @property
    def spelt(self) -> bool:
        """Whether it is digits said one by one."""
        return all(part < 10 for part in self.parts)


def _small(words: Words, at: int) -> tuple[int, int] | None:
    value = _LONE.get(words.word[at])
    if value is None:
        return None
    unit = DIGITS.get(words.word[at + 1], 0) if value >= 20 and words.link[at] else 0
    return (value + unit, at + 2) if unit else (value, at + 1)


def _group(words: Words, at: int, *, between: bool) -> tuple[int, int] | None:
    """Return a number of hundreds and less, and the index after it."""
    found = _small(words, at)
    if found is None:
        return None
    value, end = found
    if not value or words.next(end) != "hundred":
        return found
    value, end = value * 100, end + 1
    joint = words.next(end) == "and"
    if not words.link[end - 1] or (joint and not words.link[end]):
        return value, end
    rest = _small(words, end + joint)
    if rest is None or not rest[0]:
        return value, end
    after = words.next(rest[1])
    other = after == "hundred" or (joint and between)  # "one hundred and two hundred"
    spelt = not joint and rest[0] < 10 and (after in DIGITS or after in OH)  # "eight hundred five five five"
    return (value, end) if other or spelt else (value + rest[0], rest[1])


def cardinal(words: Words, at: int) -> tuple[int, int] | None:
    """Return the cardinal number that begins at a word, and the index after it; None if none does."""
    if at not in words.cardinals:
        words.cardinals[at] = _cardinal(words, at)
    return words.cardinals[at]


def _cardinal(words: Words, at: int) -> tuple[int, int] | None:
    small = _small(words, at)
    if small is not None and words.next(small[1]) not in _SIZES:  # most
        return small
    between = words.before(at) == "between"
    total, end, least = 0, at, 10**15
    article = words.word[at] in {"a", "an"} and words.link[at]
    while True:
        joint = bool(total) and words.next(end) == "and"
        paused = False
        if total and not words.link[end - 1 + joint]:
            paused = words.shut[end - 1] == "," and end < len(words.word)  # an engine's "two thousand, five hundred"
            if not paused:
                break
        start = end + joint
        if article:
            article = False
            found = _after_article(words, at + 1)
        else:
            found = _small(words, start) if joint else _group(words, start, between=between)
        if found is None or (total and not found[0]):
            break
        value, stop = found
        after = words.next(stop)
        scale = SCALES.get(after, 1)
        if (
            value * scale >= least
            or (paused and value * scale < 100)
            or (joint and (scale > 1 or after == "hundred" or between))
        ):
            break
        total, end = total + value * scale, stop + (scale > 1)
        if scale == 1 or not value:
            break
        least = scale
    return (total, end) if end > at else None


def _after_article(words: Words, at: int) -> tuple[int, int] | None:
    """Return the group that an article stands for: "hundred and five" of "a hundred and five", one of "a thousand"."""
    if words.word[at] != "hundred":
        return (1, at) if words.word[at] in SCALES else None
    joint = words.next(at + 1) == "and"
    if joint and words.link[at + 1]:
        rest = _small(words, at + 2)
        if rest is not None and rest[0]:
            return 100 + rest[0], rest[1]
    return 100, at + 1


def run(words: Words, at: int) -> Run | None:
    """Return the cardinals that begin at a word; None if there is none, or they end inside a hyphened word."""
    if at not in words.runs:
        words.runs[at] = _run(words, at)
    return words.runs[at]


def _run(words: Words, at: int) -> Run | None:
    small = _small(words, at)
    if small is not None and words.next(small[1]) not in _ON:  # "one of them", "forty two": most
        return Run((small[0],), small[1]) if words.last[small[1] - 1] else None
    parts: list[int] = []
    end = at
    while not parts or words.link[end - 1]:
        if parts and words.word[end] in OH and (words.next(end + 1) in DIGITS or words.next(end + 1) in OH):
            parts.append(0)
            end += 1
            continue
        if parts and words.word[end] not in _LONE:  # no cardinal begins there, or only "a hundred"
            break
        found = cardinal(words, end)
        if found is None:
            break
        parts.append(found[0])
        end = found[1]
    while end > at and words.word[end - 1] in OH:
        parts.pop()
        end -= 1
    if len(parts) > 2 and parts[-1] < 10 and words.next(end) in OH and (0 in parts or not words.link[end]):
        parts.append(0)  # nine oh two one oh
        end += 1
    return Run(tuple(parts), end) if parts and words.last[end - 1] else None


def fraction(words: Words, at: int) -> tuple[str, int] | None:
    """Return what is said after a point: digits ("one four one"), or numbers under a hundred ("eleven")."""
    text, end = "", at
    while end == at or words.link[end - 1]:
        if words.word[end] in OH:
            text, end = text + "0", end + 1
            continue
        found = _small(words, end)
        if found is None:
            break
        text, end = text + str(found[0]), found[1]
    return (text, end) if end > at and words.last[end - 1] else None


def dotted(words: Words, first: Run) -> tuple[list[str], int]:
    """Return the parts of a decimal, a version or an address that begins with a run, and the index after them."""
    return pointed(words, first.joined, first.end)


def pointed(words: Words, first: str, end: int) -> tuple[list[str], int]:
    """Return the parts of the like that begins with digits, and ends before `end`, and the index after them.

    Those behind a point may be digits that an engine wrote. Its commas beside "dot" are pauses ("one, dot, two").
    """
    parts = [first]
    while _points(words, end):
        found: tuple[str, int] | None
        if words.word[end + 1].isdecimal():
            found = words.word[end + 1], end + 2
        elif words.word[end] == "dot" and (whole := run(words, end + 1)) is not None:
            found = whole.joined, whole.end
        else:
            found = fraction(words, end + 1)
        if found is None:
            break
        parts.append(found[0])
        end = found[1]
    return parts, end


def _points(words: Words, end: int) -> bool:
    if end + 1 >= len(words.word) or words.word[end] not in POINTS:
        return False
    paused = words.word[end] == "dot" and {words.shut[end - 1], words.shut[end]} <= {"", ","}
    return paused or (words.link[end - 1] and words.link[end])


def ordinal(words: Words, at: int) -> tuple[int, int] | None:
    """Return the ordinal number that begins at a word, and the index after it; None if none does."""
    value = ORDINALS.get(words.word[at])
    if value is not None:
        return (value, at + 1) if words.last[at] else None
    found = cardinal(words, at)
    if found is None:
        return None
    value, end = found
    after = words.next(end)
    if after == "hundredth" and value < 100:
        return (value * 100, end + 1) if words.last[end] else None
    if after == "and" and value % 100 == 0 and words.link[end]:
        end, after = end + 1, words.word[end + 1]
    if value % 100 == 0 and value:
        rest = ORDINALS.get(after) or (
            TENS.get(after, 0) + UNIT_ORDINALS.get(words.next(end + 1), 0) if after in TENS else 0
        )
        end += 1
    elif value % 10 == 0 and value % 100 >= 20:
        rest = UNIT_ORDINALS.get(after, 0)
        end += 1
    else:
        return None
    return (value + rest, end) if rest and words.last[end - 1] else None


def suffixed(value: int) -> str:
    """Return an ordinal as it is written: 21st."""
    if value % 100 in {11, 12, 13}:
        return f"{value}th"
    return f"{value}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(value % 10, 'th') }"
