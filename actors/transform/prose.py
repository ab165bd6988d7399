"""Number words of running text as a careful writer has them: what `natural` mode adds to the explicit one."""

from __future__ import annotations

from typing import Final

from sottovoce.actors.transform.moments import COUNTED, MEASURES, STREETS, Found, clock, past, streets, year_of
from sottovoce.actors.transform.numerals import Run, cardinal, ordinal, run, suffixed
from sottovoce.actors.transform.quantities import (
    ENDS,
    MEASURED,
    MINUS,
    cardinal_texts,
    halved,
    height,
    is_other,
    one_and_cents,
    phone,
    quantity,
    with_unit,
)
from sottovoce.actors.transform.vocabulary import (
    DETERMINERS,
    DIGITS,
    NTH,
    NUMBERS,
    ORDINALS,
    POINTS,
    SCALES,
    TEENS,
    TENS,
    UNIT_ORDINALS,
    is_number,
    listed,
)
from sottovoce.actors.transform.words import Words

_TIMED: Final = listed(
    "timer delay clip video rule mark pause break window interval ad spot wait countdown timeout silence"
)
"""After "thirty second" they make it a span of time."""
_NAMED: Final = listed(
    "room flight route highway interstate gate platform apartment suite section season episode volume phase"
)
"""After them a number is a name: "room three fourteen" is neither two numbers nor a time."""
_DAYS: Final = listed("on since after before post pre of the")
"""Before "nine eleven" they make it the day."""
_SHORT: Final = {(24, 7): "24/7", (50, 50): "50/50", (9, 11): "9/11"}
_NOT_SMALL: Final = NUMBERS | POINTS | {"of"}
_SIGNED: Final = listed(
    "is are was were be been being am it's at to of by about around than below above from between and or in equals"
    " equal temperature temperatures reached hit hits returns return returned gives gave got get gets scored reads read"
    " says fell falls fall drops dropped remains remain stays stay becomes become shows showed only nearly almost just"
    " through until till with high low lows highs like times plus over roughly approximately maybe then now"
    " comma period colon semicolon dash line paragraph mark quote paren parenthesis bracket sign"
) | {""}
"""After them "minus" is a sign; after a thing or an amount it takes away: "the bill minus ten dollars"."""
_DEGREES: Final = frozenset({"degree", "degrees", "celsius", "fahrenheit"})
_RANKED: Final = frozenset({"in", "place", "overall", "among", "behind", "on"})
"""After "forty second" they make it a place and no span of time."""
_NO_UNITS: Final = frozenset({"hundredth", "winks"})
"""Before them a number stays in words: "fifteen hundredth of a second", "forty winks"."""
_COUNTED_UP: Final = frozenset({(1, 2), (2, 3), (1, 2, 3), (2, 3, 4), (3, 4), (3, 4, 5), (4, 5), (4, 5, 6)})
"""Before what is counted they are estimates: "one two three times"."""
_PRICED: Final = listed("cost costs costing pay pays paid paying worth charge charges charged")
_BEFORE_PRICES: Final = _PRICED | listed("for only is was be that's me us")
_PRICES: Final = listed("price total cost bill fee fare")
_SOLD: Final = listed("sell sells sold selling buy bought goes retails listed available")
"""Before "for" they make a price of what follows."""
_CHEAP: Final = frozenset({95, 98, 99})
"""What prices end in."""
_SUMS: Final = frozenset({"dollars", "euros", "pounds"})
_SINGLE: Final = frozenset({"dollar", "euro", "pound"})
_CASH: Final = listed("bill bills note notes coin coins")
_NOTES: Final = frozenset({1, 2, 5, 10, 20, 50, 100, 200, 500})
_LARGE: Final = frozenset(TENS) | frozenset(TEENS)
_ESTIMATED: Final = COUNTED - {"percent", "dollar", "dollars", "euros", "pounds"}
_SMALL: Final = frozenset(DIGITS) | set("0123456789")


def prose(words: Words, at: int, spoken: Run | None) -> Found | None:
    """Return what a careful writer makes of the number words at a word of running text."""
    found = past(words, at)
    if found is not None:
        return found
    word, left = words.word[at], words.before(at)
    if word in MINUS:
        return _negative(words, at, left)
    if spoken is not None and spoken.pair is not None and (price := _price(words, at, spoken)) is not None:
        return price
    nth = None
    if spoken is None or word in ORDINALS or words.next(spoken.end) in NTH:
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


def _negative(words: Words, at: int, left: str) -> Found | None:
    """Return the number at "minus" or "negative", if that is its sign."""
    if is_number(left) or left in DETERMINERS or not words.link[at] or words.word[at + 1] in {"a", "an"}:
        return None
    found = quantity(words, at, plain=False)
    sign = words.word[at] != "minus" or left in _SIGNED or (found is not None and words.next(found.end) in _DEGREES)
    return found if sign else None


def _named(words: Words, at: int, spoken: Run) -> Found | None:
    """Return the number of a room, a flight and the like: "room 314"."""
    after = words.next(spoken.end)
    if words.word[at] in {"a", "an"} or after in COUNTED or after in POINTS or after in NTH:
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
        ranked = after in _RANKED and left not in {"a", "an"}  # forty second in line
        return after in STREETS or ((left in DETERMINERS - {"a", "an"} or ended or ranked) and after not in _TIMED)
    if after == "of" and left not in DETERMINERS:  # the nearest tenth of an inch
        return False
    return left not in DIGITS and not (left in {"a", "an"} and after in {"of", ""})  # a tenth of it


def _one(words: Words, at: int, spoken: Run) -> Found | None:
    """Return a single cardinal, unless style has it in words."""
    value, end = spoken.parts[0], spoken.end
    word, left = words.word[at], words.before(at)
    article = word in {"a", "an"}
    about = value >= 100 and word in DIGITS and left in {"or", "to"} and words.before(at - 1) in _SMALL
    about = about or left == "half" or (article and left in {"many", "such"})  # two or three hundred, half a million
    if about or words.next(end) in _NO_UNITS:
        return None
    found = with_unit(words, at, "", cardinal_texts(value), end)
    if found.end > end:
        return None if value > 100 and words.next(found.end) == "bills" else found  # five of a hundred dollars each
    more = halved(words, at, spoken) or height(words, spoken)
    if more is not None:
        return more
    if article:
        return None if value == 100 or value in SCALES.values() else found
    if value >= 10:
        return _with_small(words, found)
    return found if words.next(end) in MEASURED else _with_large(words, value, end, left)


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
    if parts in _SHORT and (parts != (9, 11) or after in ENDS or words.before(at) in _DAYS):
        return Found([_SHORT[parts]], end)
    if parts == (20, 20) and (after == "vision" or "hindsight" in words.word[max(at - 2, 0) : at]):
        return Found(["20/20"], end)
    if after in UNIT_ORDINALS or (after in _ESTIMATED and (not spoken.spelt or parts in _COUNTED_UP)):
        return None
    if spoken.pair is not None and not spoken.spelt:
        return _paired(words, at, spoken, spoken.pair)
    digits = joined if is_other(words, at) else phone(joined)
    return Found([digits], end) if len(joined) in {7, 10, 11} or (spoken.spelt and len(parts) > 2) else None


def _paired(words: Words, at: int, spoken: Run, pair: tuple[int, int]) -> Found | None:
    """Return what two numbers side by side are: a year, an amount, a house; None where that is not clear."""
    end, joined = spoken.end, spoken.joined
    after = words.next(end)
    if after in _SINGLE and words.link[end] and words.word[end + 1] != "sign":
        return _of_money(words, at, spoken)
    clear = year_of(spoken) or pair[0] > 20 or (pair[0] < 10 and pair[1] >= 20) or len(spoken.parts) == 3
    if pair[0] >= 10 and after in _SUMS:
        joined, clear = f"{pair[0]}.{pair[1]:02}", True  # nineteen ninety nine dollars
    elif pair[1] in _CHEAP and not year_of(spoken):
        clear = False  # a price perhaps: "twenty nine ninety nine" is not 2999
    return with_unit(words, at, "", [joined], end) if clear or streets(words, end) else None


def _price(words: Words, at: int, spoken: Run) -> Found | None:
    """Return two numbers as a price where the words beside them make them one: "costs nineteen ninety nine"."""
    left, after = words.before(at), words.next(spoken.end)
    units, cents = spoken.pair or (0, 0)
    by = after in {"a", "per"} and words.link[spoken.end] and words.word[spoken.end + 1] in MEASURES
    if not by and (left not in _BEFORE_PRICES or (after in COUNTED and after not in _SUMS)):
        return None
    timely = cents < 60 and after != "please"  # "it is only nine thirty" is a time
    if not by and left not in _PRICED and not _is_priced(words, at - 1, timely=timely):
        return None
    return with_unit(words, at, "", [f"{units}.{cents:02}"], spoken.end)


def _is_priced(words: Words, at: int, *, timely: bool) -> bool:
    """Whether a word makes a price of what follows: the last of "sells for", "costs only", "the price is".

    With `timely` what follows may be a time as well.
    """
    word, left = words.word[at], words.before(at)
    if word == "for":
        return left in _SOLD or (left in {"it", "them", "this", "that", "one"} and words.before(at - 1) in _SOLD)
    if word in {"me", "us"}:
        return left in {"cost", "costs", "charge", "charges", "charged"}
    if word == "only":
        if not timely and left not in DETERMINERS:
            return True
        return left in _PRICED or (left in {"for", "is", "was", "be"} and _is_priced(words, at - 1, timely=timely))
    if word == "be":
        left, at = words.before(at - 1), at - 1
        return left in _PRICES or (not timely and left in {"that", "it"})
    return left in _PRICES or (not timely and words.word[at] == "that's")


def _of_money(words: Words, at: int, spoken: Run) -> Found | None:
    """Return two numbers before the singular of a currency: "two twenty dollar bills" as two of twenty dollars each.

    Before one thing of its kind they are its price: "a two fifty dollar phone".
    """
    parts, end = spoken.parts, spoken.end
    behind = words.word[end + 1]
    if behind in _CASH:
        first = cardinal(words, at)
        if first is None or len(parts) != 2 or parts[1] not in _NOTES:
            return None
        money = with_unit(words, first[1], "", [str(parts[1])], end)
        return Found([*words.word[at : first[1]], *money.texts], money.end)
    if behind.endswith("s") or words.before(at) not in DETERMINERS:
        return None
    return with_unit(words, at, "", [spoken.joined], end)
