"""Number words of running text as a careful writer has them: what `natural` mode adds to the explicit one."""

from __future__ import annotations

from typing import Final

from sottovoce.actors.transform.moments import COUNTED, STREETS, Found, clock, past, streets, year_of
from sottovoce.actors.transform.numerals import (
    DETERMINERS,
    DIGITS,
    NUMBERS,
    ORDINALS,
    POINTS,
    SCALES,
    TEENS,
    TENS,
    UNIT_ORDINALS,
    Run,
    Words,
    is_number,
    listed,
    ordinal,
    run,
    suffixed,
)
from sottovoce.actors.transform.quantities import (
    ENDS,
    MEASURED,
    MINUS,
    cardinal_texts,
    halved,
    height,
    one_and_cents,
    phone,
    quantity,
    with_unit,
)

_TIMED: Final = listed(
    "timer delay clip video rule mark pause break window interval ad spot wait countdown timeout silence"
)
"""After "thirty second" they make it a span of time."""
_NAMED: Final = listed(
    "room flight route highway interstate gate platform apartment suite section season episode volume phase"
)
"""After them a number is a name: "room three fourteen" is neither two numbers nor a time."""
_SHORT: Final = {(24, 7): "24/7", (50, 50): "50/50", (9, 11): "9/11"}
_NOT_SMALL: Final = NUMBERS | POINTS | {"of"}
_LARGE: Final = TENS.keys() | TEENS.keys()
_ESTIMATED: Final = COUNTED - {"percent", "dollar", "dollars", "euros", "pounds"}
_SMALL: Final = DIGITS.keys() | set("0123456789")
_NTH: Final = ORDINALS.keys() | {"and", "hundredth"}


def prose(words: Words, at: int, spoken: Run | None) -> Found | None:
    """Return what a careful writer makes of the number words at a word of running text."""
    found = past(words, at)
    if found is not None:
        return found
    word, left = words.word[at], words.before(at)
    if word in MINUS:
        plain = is_number(left) or left in DETERMINERS or not words.link[at]
        return None if plain or words.word[at + 1] in {"a", "an"} else quantity(words, at, plain=False)
    nth = None
    if spoken is None or word in ORDINALS or words.next(spoken.end) in _NTH:
        nth = ordinal(words, at)
    if nth is not None and _is_nth(words, at, nth[0], nth[1]):
        return Found([suffixed(nth[0])], nth[1])
    if spoken is None:
        return one_and_cents(words, at) if word in {"a", "an"} else None
    found = _named(words, at, spoken) if left in _NAMED else None
    if words.next(spoken.end) in POINTS:
        found = quantity(words, at, plain=False)
        if found is not None and "." not in found.texts[0]:
            found = None
    return (
        found
        or clock(words, at, spoken)
        or (_one(words, at, spoken) if len(spoken.parts) == 1 else _several(words, at, spoken))
    )


def _named(words: Words, at: int, spoken: Run) -> Found | None:
    """Return the number of a room, a flight and the like: "room 314"."""
    after = words.next(spoken.end)
    if words.word[at] in {"a", "an"} or after in COUNTED or after in POINTS or after in _NTH:
        return None
    taken = words.before(at - 1) in DETERMINERS and after != ""  # the room one wants
    return None if taken and len(spoken.joined) == 1 else Found([spoken.joined], spoken.end)


def _is_nth(words: Words, at: int, value: int, end: int) -> bool:
    left, after = words.before(at), words.next(end)
    if words.word[end - 1] == "hundredth":  # one hundredth of a second
        return left in DETERMINERS and after != "of"
    if value < 10 or (value == 11 and after == "hour"):
        return False
    if words.word[end - 1] == "second":  # the twenty second of May; a twenty second pause
        ended = not after or (after in ENDS and left not in {"a", "an"})
        return after in STREETS or ((left in DETERMINERS - {"a", "an"} or ended) and after not in _TIMED)
    if after == "of" and left not in DETERMINERS:  # the nearest tenth of an inch
        return False
    return left not in DIGITS and not (left in {"a", "an"} and after in {"of", ""})  # a tenth of it


def _one(words: Words, at: int, spoken: Run) -> Found | None:
    """Return a single cardinal, unless style has it in words."""
    value, end = spoken.parts[0], spoken.end
    word, left = words.word[at], words.before(at)
    article = word in {"a", "an"}
    about = value >= 100 and word in DIGITS and left in {"or", "to"} and words.before(at - 1) in _SMALL
    if about or left == "half" or (article and left in {"many", "such"}):  # two or three hundred, half a million
        return None
    found = with_unit(words, at, "", cardinal_texts(value), end)
    if found.end > end:
        return found
    more = halved(words, at, spoken) or height(words, spoken)
    if more is not None:
        return more
    if article:
        return None if value == 100 or value in SCALES.values() else found
    if value < 10 and words.next(end) in MEASURED:
        return found
    return _with_small(words, found) if value >= 10 else _with_large(words, value, end, left)


def _with_large(words: Words, value: int, end: int, left: str) -> Found | None:
    """Return a number under ten together with a larger one that it is joined to: "5 to 10", "between 8 and 12"."""
    begun = end
    end += words.next(end) == "times" and words.next(end + 1) == "out"  # nine times out of ten
    conjunction = words.next(end)
    if conjunction == "out" and words.next(end + 1) == "of":
        conjunction, end = "of", end + 1
    joins = conjunction in {"to", "or", "through", "by", "of"} or (conjunction == "and" and left == "between")
    if not joins or not words.link[end] or (words.word[end + 1] not in _LARGE and words.word[end + 1] not in DIGITS):
        return None
    other = prose(words, end + 1, run(words, end + 1))
    if other is None or ":" in other.texts[0] or other.texts[0][-1] not in "0123456789%":
        return None
    symbol = other.texts[0][0]
    first = str(value) if symbol.isdigit() or symbol == "-" else f"{symbol}{value}"
    return Found([first, *words.word[begun : end + 1], *other.texts], other.end)


def _with_small(words: Words, found: Found) -> Found:
    """Return a number from ten on together with a smaller one that it is joined to, so that both are digits."""
    end = found.end
    if len(found.texts) == 1 and words.next(end) in {"to", "or"} and words.link[end]:
        other = run(words, end + 1)
        if other is not None and len(other.joined) == 1 and words.next(other.end) not in _NOT_SMALL:
            return Found([*found.texts, words.word[end], other.joined], other.end)
    return found


def _several(words: Words, at: int, spoken: Run) -> Found | None:
    """Return cardinals said in one breath as the one number that they are; None where that is not clear."""
    parts, end = spoken.parts, spoken.end
    after, joined = words.next(end), spoken.joined
    if parts in _SHORT:
        return Found([_SHORT[parts]], end)
    if parts == (20, 20) and (after == "vision" or "hindsight" in words.word[max(at - 2, 0) : at]):
        return Found(["20/20"], end)
    if after in UNIT_ORDINALS or (after in _ESTIMATED and not spoken.spelt):
        return None
    pair = spoken.pair
    if pair is not None and pair[0] >= 10 and after in {"dollars", "euros", "pounds"}:
        joined = f"{pair[0]}.{pair[1]:02}"  # nineteen ninety nine dollars
    if pair is not None and not spoken.spelt:
        clear = "." in joined or year_of(spoken) or pair[0] > 20 or (pair[0] < 10 and pair[1] >= 20) or len(parts) == 3
        return with_unit(words, at, "", [joined], end) if clear or streets(words, end) else None
    return Found([phone(joined)], end) if len(joined) in {7, 10, 11} or (spoken.spelt and len(parts) > 2) else None
