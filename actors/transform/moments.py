"""Dates, times, years and decades as English says them. Each function reads at a word and returns what it found."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from sottovoce.actors.transform.numerals import Run, ordinal, run, suffixed
from sottovoce.actors.transform.vocabulary import DECADES, OH, ORDINALS, TEENS, TENS, listed
from sottovoce.actors.transform.words import Words

MONTHS: Final = {
    month.lower(): month
    for month in (
        *("January", "February", "March", "April", "May", "June"),
        *("July", "August", "September", "October", "November", "December"),
    )
}
_VERBS: Final = frozenset({"march", "may"})
"""Months that are other words too, so "may five" needs more to be a date."""
_MINUTES: Final = {"five": 5, "ten": 10, "twenty": 20, "quarter": 15, "half": 30}
_TO: Final = frozenset({"at", "it's", "about", "until", "till", "by", "around", "nearly", "almost"})
"""Before "ten to four" they make it a time and not a score."""
_AFTER_TIMES: Final = listed(
    "a am p pm a.m p.m o'clock in on at and or but for until till so then when if as because before after from by to"
    " with without today tomorrow tonight yesterday this next every each sharp already now please exactly here there"
    " i i'm we he she it they you the that is was my our his her their will would not"
    " comma period full question exclamation new colon semicolon dash hyphen close open"
    " monday tuesday wednesday thursday friday saturday sunday"
) | {""}
"""After "a quarter to two" they leave it a time; a noun would be what there are two of."""
MEASURES: Final = listed(
    "gallon pound kilo kilogram gram ounce litre liter piece dozen bottle pack box share head barrel ton unit night"
    " hour day week month year minute mile yard foot meter metre pop"
)
"""Before "a" and one of them two numbers are a price: "three fifty a gallon"."""
STREETS: Final = frozenset({"street", "avenue", "road", "drive", "lane", "boulevard", "st", "ave", "rd"})
_NO_YEAR: Final = frozenset({"at", "for", "only", "cost", "costs", "pay", "paid"})
"""Before "nineteen oh five" they make it a time, or a price."""
_TIMES: Final = frozenset({"a", "p", "am", "pm", "a.m", "p.m", "train", "bus", "flight", "ferry"})
"""After "nineteen oh five" they make it a time."""
OPEN_MONTHS: Final = frozenset({"march", "may", "august"})
"""Those that are other words too, or names, so that they have a capital in dates alone."""
_SUFFIXES: Final = frozenset({"st", "nd", "rd", "th"})
_DAY: Final = re.compile(r"\d{1,2}(?:st|nd|rd|th)?")
_NEAR: Final = frozenset(MONTHS) | listed(
    "in since until till by before after from during circa of year between early late mid copyright"
    " spring summer autumn fall winter"
)
"""Before "nineteen fifty" they make it a year."""
_SINCE: Final = frozenset({"in", "since", "until", "till", "before", "after", "by", "circa", "year"})
"""Before "nineteen hundred" they make it a year."""
COUNTED: Final = frozenset(
    f"{unit}{plural}"
    for unit in (
        *("second", "minute", "hour", "day", "week", "month", "year", "time", "dollar", "euro", "pound", "cent"),
        *("percent", "mile", "kilometer", "kilometre", "meter", "metre", "yard", "degree", "point", "thing", "car"),
        *("soldier", "troop", "student", "other", "moment", "pace"),
    )
    for plural in ("", "s")
) | listed("feet foot inch inches copy copies people men women child children more vision hundred of per")
"""What is counted: before these "fifteen twenty" is an estimate, and "we release two times" names no release."""


class Found(NamedTuple):
    """What to write, as chunks, and the index after the words it stands for."""

    texts: list[str]
    end: int


def year_of(spoken: Run) -> str | None:
    """Return a run as a year: (19, 50), (19, 0, 5), (2025,); None where it is none.

    Ten to twelve may begin a time as well ("ten thirty"), so they need minutes that no hour has.
    """
    if len(spoken.parts) == 1:
        value = spoken.parts[0]
        return str(value) if 1000 < value < 2100 else None
    pair = spoken.pair
    if pair is None:
        return None
    century, rest = pair
    if 13 <= century <= 20 or (10 <= century <= 12 and rest >= 60):
        return f"{century}{rest:02}"
    return None


def year(words: Words, at: int, spoken: Run) -> Found | None:
    """Return the year that a run is where the words around it leave no doubt that it is one."""
    left = words.before(at)
    joint = left in {"to", "and", "or", "through"}
    signed = left in {"sign", "symbol"} and words.before(at - 1) == "copyright"
    is_year = left == "is" and words.before(at - 1) == "year"
    if not (joint or signed or is_year) and left not in _NEAR:
        return None
    text = year_of(spoken)
    if text is None or _counts(words, spoken.end):
        return None
    if len(spoken.parts) == 1 and text < "2001" and not _hundreds(words, at, spoken.end):
        return None  # one thousand nine hundred and fifty is how many
    if joint and not (at > 2 and _ends_year(words, at - 1)):  # from nineteen fifty to nineteen sixty
        return None
    return Found([text], spoken.end)


def year_with_oh(words: Words, at: int, spoken: Run) -> Found | None:
    """Return the year that a century and an "oh" make wherever they stand, "nineteen oh five", but for a time."""
    if len(spoken.parts) != 3 or words.word[at + 1] not in OH or words.before(at) in _NO_YEAR:
        return None
    text = None if _counts(words, spoken.end) or words.next(spoken.end) in _TIMES else year_of(spoken)
    return None if text is None else Found([text], spoken.end)


def _hundreds(words: Words, at: int, end: int) -> bool:
    """Whether a number is a year said in hundreds, "since nineteen hundred", "in eighteen hundred and five"."""
    if words.word[at] not in {"seventeen", "eighteen", "nineteen"} or words.before(at) not in _SINCE:
        return False
    return words.word[end - 2] == "and" or words.before(at) == "since" or not words.link[end - 1]


def _ends_year(words: Words, end: int) -> bool:
    if re.fullmatch(r"\d{4}", words.word[end - 1]):
        return True
    for start in range(max(end - 5, 1), end - 1):
        if words.begins(start) and words.before(start) in _NEAR:
            spoken = run(words, start)
            if spoken is not None and spoken.end == end and year_of(spoken):
                return True
    return False


def _counts(words: Words, end: int) -> bool:
    after = words.next(end)
    return after in COUNTED or after in DECADES


def decade(words: Words, at: int) -> Found | None:
    """Return "1950s" for "nineteen fifties"; "the fifties" stays as it is."""
    century = 20 if words.word[at] == "twenty" else TEENS.get(words.word[at], 0)
    if century < 13:
        return None
    tens = DECADES.get(words.next(at + 1))
    if tens is None or not words.last[at + 1]:
        return None
    return Found([f"{century}{tens:02}s"], at + 2)


def date(words: Words, at: int, *, whole: bool) -> Found | None:
    """Return the date that begins with a month's name or an ordinal; with `whole` only one that has a year."""
    month = MONTHS.get(words.word[at])
    if month is None or not words.link[at]:
        return None if month else _day_first(words, at, whole=whole)
    start = at + 1 + (words.word[at + 1] == "the" and words.link[at + 1])
    day, end, rest = _day(words, start)
    if day:
        sure = month.lower() not in _VERBS or (not rest and ordinal(words, start) is not None)
        again = words.before(at) == "of" and _is_day(words.before(at - 1))  # the second of March, second to none
        found = None if again else _year_after(words, end, rest)
        if found is not None:
            mark = words.shut[end - 1] if len(found.texts) > 1 else ","  # written, heard or not
            return Found([month, day + mark, *found.texts], found.end)
        return None if again or rest or whole or not sure else Found([month, day], end)
    spoken = run(words, at + 1)
    if spoken is None or (text := year_of(spoken)) is None or _counts(words, spoken.end):
        return None
    return Found([month, text], spoken.end)


def named_month(words: Words, at: int) -> Found | None:
    """Return a month's name with its capital where the day or the year beside it was written in digits by an engine."""
    left, right = words.before(at), words.next(at + 1)
    nth = left if left != "of" else words.before(at - 1)
    dated = any(_is_nth(word) for word in (nth, right))
    if right.isdecimal():
        after = words.word[at + 2 : at + 3]
        full = len(right) <= 2 and _is_year(after[0] if after else "")
        dated = dated or full or (_is_year(right) and (left in _NEAR or _DAY.fullmatch(left) is not None))
    return Found([MONTHS[words.word[at]]], at + 1) if dated else None


def _is_nth(word: str) -> bool:
    return word[-2:] in _SUFFIXES and word[:-2].isdecimal() and len(word) < 5 and int(word[:-2]) < 32


def _is_year(word: str) -> bool:
    return len(word) == 4 and word.isdecimal() and word[:2] in {"18", "19", "20"}


def _is_day(word: str) -> bool:
    return word in ORDINALS or _DAY.fullmatch(word) is not None


def _day(words: Words, at: int) -> tuple[str, int, tuple[int, ...]]:
    """Return the day of the month at a word, the index after it, and what was said after it in one breath."""
    found = ordinal(words, at)
    if found is not None and 1 <= found[0] <= 31:
        return str(found[0]), found[1], ()
    spoken = run(words, at)
    if spoken is None or not 1 <= spoken.parts[0] <= 31:
        return "", at, ()
    if len(spoken.parts) == 1:
        return str(spoken.parts[0]), spoken.end, ()
    if len(spoken.parts) >= 3 or spoken.parts[-1] > 1000:  # "march three twenty twenty five"
        return str(spoken.parts[0]), spoken.end, spoken.parts[1:]
    return "", at, ()


def _year_after(words: Words, end: int, rest: tuple[int, ...]) -> Found | None:
    """Return the year after a day: what was said on in `rest`, or else what follows, with a "comma" if one is said."""
    if not rest and end + 1 < len(words.word) and words.word[end] == "comma":
        pauses = {words.shut[end - 1], words.shut[end]}
        found = _year_after(words, end + 1, ()) if pauses <= {"", ","} and words.word[end + 1] != "comma" else None
        return None if found is None else Found([f"comma{words.shut[end]}", *found.texts], found.end)
    if rest:
        spoken: Run | None = Run(rest, end)
    elif end < len(words.word) and (words.link[end - 1] or words.shut[end - 1] == ","):
        spoken = run(words, end)
    else:
        return None
    if spoken is None or (text := year_of(spoken)) is None or _counts(words, spoken.end):
        return None
    return Found([text], spoken.end)


def _day_first(words: Words, at: int, *, whole: bool) -> Found | None:
    found = ordinal(words, at)
    if found is None or not 1 <= found[0] <= 31 or words.next(found[1]) != "of" or not words.link[found[1]]:
        return None
    month = MONTHS.get(words.word[found[1] + 1])
    if month is None:
        return None
    texts, end = [suffixed(found[0]), "of", month], found[1] + 2
    after = _year_after(words, end, ())
    if after is None:
        return None if whole else Found(texts, end)
    texts[-1] += words.shut[end - 1]
    return Found([*texts, *after.texts], after.end)


def year_after_day(words: Words, at: int) -> Found | None:
    """Return the year at a word that follows a month and a day in digits ("March 3, twenty twenty five")."""
    day = at - (words.word[at - 1] == "comma")
    if day < 2 or words.word[day - 2] not in MONTHS or words.shut[day - 1] not in {"", ","}:
        return None
    return _year_after(words, at, ()) if _DAY.fullmatch(words.word[day - 1]) else None


def clock(words: Words, at: int, spoken: Run) -> Found | None:
    """Return the time of day that a run is: "three thirty pm", "at ten fifteen", "nine o'clock"."""
    end = spoken.end
    after = words.next(end)
    pair = spoken.pair
    hour, minute = pair if pair is not None else (spoken.parts[0], None)
    if (pair is None and len(spoken.parts) > 1) or not 0 < hour < 24 or (minute or 0) > 59:
        return None
    text = str(hour) if minute is None else f"{hour}:{minute:02}"
    letters = after in {"a", "p"} and words.link[end] and words.word[end + 1] == "m"
    half = after in {"am", "pm", "a.m", "p.m"} and not (after == "am" and words.next(end + 1) == "i")
    if hour <= 12 and (letters or half):
        return Found([text, f"{after}m"], end + 2) if letters else Found([text], end)
    if minute is None:
        return Found([text], end) if after == "o'clock" and hour <= 12 else None
    left = words.before(at)
    if after in COUNTED or after in DECADES or streets(words, end):
        return None
    if left == "at" or (hour <= 12 and left in {"until", "till", "it's"}):
        return Found([text], end)
    usual = minute % 15 == 0 or (minute % 5 == 0 and left in {"by", "before", "after"})
    return Found([text], end) if hour <= 12 and usual and len(spoken.parts) == 2 else None


def streets(words: Words, end: int) -> bool:
    """Whether a number before `end` is a house's: "at twelve thirty four main street"."""
    return not STREETS.isdisjoint(words.word[end + 1 : end + 3])


def past(words: Words, at: int) -> Found | None:
    """Return the time at "half past three", "a quarter to four", "ten past six"."""
    start = at + (words.word[at] == "a" and words.link[at])
    minute = _MINUTES.get(words.word[start])
    if minute is None or not words.link[start]:
        return None
    end = start + 1
    if minute == 20 and words.word[end] == "five" and words.link[end]:
        minute, end = 25, end + 1
    side = words.next(end)
    sure = minute in {15, 30} or words.before(at) in _TO
    if not words.link[end] or side not in {"past", "to"} or (side == "to" and (minute == 30 or not sure)):
        return None
    spoken = run(words, end + 1)
    if spoken is None or len(spoken.parts) != 1 or not 1 <= spoken.parts[0] <= 12:
        return None
    after = words.next(spoken.end)
    if after in COUNTED or after in TENS:
        return None
    if side == "to" and after not in _AFTER_TIMES and words.before(at) not in _TO:  # lend a quarter to two friends
        return None
    hour = spoken.parts[0]
    if side == "to":
        hour, minute = hour - 1 or 12, 60 - minute
    return Found([f"{hour}:{minute:02}"], spoken.end)
