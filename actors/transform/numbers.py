"""Spoken numbers as digits: "line forty two" -> "line 42". A pure pass over an utterance, before commands are found.

The problem. "One" is a pronoun, "second" a unit of time, "nineteen fifty" a year, two numbers or a time, and nobody
wants "2 of them". So there are two modes. `explicit`, the default, writes digits only where they were asked for or
nothing else can be meant: after a trigger, after a context word, for years that their surroundings make clear, for
decades of a century, full dates, and three or more numbers with points between them. `natural` writes what people
expect of inverse text normalisation; one to nine stay words unless something calls for digits (a unit, a point, a
sign, "five to ten").

The rules a user meets:

- `number`, `digit`, `digits` are commands: they go, and what follows is digits ("number forty two" -> "42", "digits
  four oh four" -> "404"). They are nouns, and stay, after a determiner, after a noun that numbers are given to
  ("phone number", "room number") and, `number` alone, after a form of "to be" ("we are number one"). After such a noun
  the digits are still written ("room number five" -> "room number 5"); after the others only from ten on.
- `CONTEXT` words stay, and the number after them is digits without separators. Beside the commands for signs that
  only numbers have ("dollar sign fifty") it is digits as well.
- After "literal", "literally" and "the word" number words stay words, and so does "number five" after "say". `asking`
  tells the reading of commands that, which leaves out the escape; "literally" goes only where digits were asked for,
  since "literally twenty people" is English.
- Digits of the engine's stay, and words that continue them ("5 million two hundred") but for points ("3 point 5").
- Marks that the engine put between two number words part them: "one, two, three" is three words, after "digits" 123.

Refused. *text2num* 3.1 (MIT, prebuilt, 0.3 us a word): cardinals alone, so "nineteen fifty" is "19 50" and "four oh
four" "4 oh 4". *wetext* 0.1 and *damga* 1.0 (transducers run without a compiler): more than 100 us a word where a whole
utterance has 50, 33 and 128 MB, and words go missing ("the twenty first of march" -> "21 march").
*nemo_text_processing* needs pynini, which needs a compiler.

Known limits. Without grammar "step two feet" and "step two fails" look alike; `COUNTED` lists the usual units. "Two
twenty" and the like are read as one number, "one hundred and two" never as two. "Ten pounds" is money unless a word of
weight is beside it.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from sottovoce.actors.transform.asking import CONTEXT, ESCAPES, TRIGGERS, extent, is_escaped
from sottovoce.actors.transform.moments import COUNTED, MONTHS, Found, date, decade, year, year_after_day
from sottovoce.actors.transform.numerals import (
    DECADES,
    DETERMINERS,
    DIGITS,
    NUMBERS,
    OH,
    ORDINALS,
    POINTS,
    SCALES,
    TENS,
    UNIT_ORDINALS,
    Run,
    Words,
    dotted,
    fraction,
    is_number,
    listed,
    odd_of,
    ordinal,
    pointed,
    run,
    suffixed,
)
from sottovoce.actors.transform.prose import prose
from sottovoce.actors.transform.quantities import CALLS, MINUS, REPEATED, dialled, is_dialled, phone, quantity, spelled
from sottovoce.protocol.config import TransformConfig

Mode: TypeAlias = Literal["explicit", "natural", "off"]

_BEING: Final = listed("am are be been is was were i'm we're you're they're he's she's it's remains")
_WHO: Final = listed("i you he she it we they who that this")
_RANKED: Final = listed("as ranked")
_PHONES: Final = listed("phone telephone mobile cell fax contact")
_NUMBERED: Final = (
    CONTEXT
    | _PHONES
    | listed("room issue account house flight order ticket serial part model case invoice reference tracking track bug")
    | listed("confirmation request card platform gate seat table question exercise episode volume lot box apartment id")
    | listed("atomic build bus job task rule reason player process pin")
)
"""What has a number, so that "number" after it is the noun."""
_MORE: Final = frozenset({"to", "through", "or", "of"})
"""What joins another number to that of a context word: "page 9 of 10"."""
_ARTICLES: Final = frozenset({"a", "an"})
_AFTER_ARTICLE: Final = frozenset({"hundred", "quarter", "dollar", "euro", "pound", *SCALES})
_RANKS: Final = UNIT_ORDINALS.keys() | {"next", "last", "only", "same"}
_SMALL: Final = DIGITS.keys() | UNIT_ORDINALS.keys()
_ASKING: Final = TRIGGERS | CONTEXT | MONTHS.keys() | POINTS | {"sign"}
_SPECIAL: Final = frozenset(MONTHS) | ESCAPES | {"sign"}
"""Without one of these there is no date, no number that is escaped, and none with a spoken sign: seldom is one said."""
_SIGNS_BEFORE: Final = listed("dollar euro pound sterling hash number section")
_STARTS: Final = (
    NUMBERS - {*DECADES, "hundred", "hundredth", *SCALES}
    | TRIGGERS
    | MONTHS.keys()
    | MINUS
    | _ARTICLES
    | OH
    | POINTS
    | REPEATED.keys()
    | {"half", "quarter"}
)
_AROUND: Final = ".,;:?!…–—-\"'“”‘’()[]{}«»"


def convert(chunks: list[str], mode: Mode = "explicit") -> list[str]:
    """Return the chunks of an utterance (what stands between white space) with spoken numbers as digits.

    Marks and brackets around a number stay where they were. Takes any strings and never raises; what it returns it
    returns unchanged when given it again. Without anything to convert the result is the list that was given.
    """
    if mode == "off":
        return chunks
    words = [chunk.lower() for chunk in chunks]
    odd, natural = odd_of(words), mode == "natural"
    if not says_number(words, odd, natural=natural):
        return chunks
    changed = converted(chunks, words, odd, natural=natural)
    return chunks if changed is None else changed[0]


def says_number(words: list[str], odd: list[int], *, natural: bool) -> bool:
    """Whether there may be anything to convert: for most utterances all that is done.

    `words` are in lower case; `odd` as of `numerals.odd_of`. In explicit mode "one of them" and "at first" are nothing
    without a trigger, a context, a month or a point.
    """
    if odd:
        words = words + [words[index].strip(_AROUND) for index in odd]
    numbers = NUMBERS.intersection(words)
    if numbers and (natural or not numbers <= _SMALL or not _ASKING.isdisjoint(words)):
        return True
    if not odd:
        return False
    for index in odd:
        if "-" in words[index] and not NUMBERS.isdisjoint(words[index].strip(_AROUND).split("-")):
            return True
    return not POINTS.isdisjoint(words) and any(word.isdecimal() for word in words)


def converted(
    chunks: list[str], lower: list[str], odd: list[int], *, natural: bool
) -> tuple[list[str], list[str]] | None:
    """Do what `convert` does, given what is known of the chunks, and return the same in lower case as well.

    None if there is nothing to convert.
    """
    words = Words(chunks, lower, odd)
    done: list[str] = []
    small: list[str] = []
    special = _SPECIAL.intersection(words.word)
    kept = 0  # chunks before it are in `done`
    behind = 0  # words before it are read
    for at in [index for index, word in enumerate(words.word) if word in _STARTS]:
        if at < behind or not words.begins(at):
            continue
        word = words.word[at]
        if word in POINTS and at > behind and words.before(at).isdecimal():
            at -= 1  # noqa: PLW2901 (what it belongs to begins before it)
        if word in _ARTICLES and not (words.link[at] and words.word[at + 1] in _AFTER_ARTICLE):
            continue
        if special and is_escaped(words, at):
            behind = extent(words, at)
            continue
        spoken = run(words, at) if word in NUMBERS or word in _ARTICLES else None
        found = _find(words, at, spoken, natural=natural, special=special)
        if found is not None:
            done += chunks[kept : words.chunk[at]]
            small += lower[kept : words.chunk[at]]
            written = words.written(at, found.end, found.texts)
            done += written
            small += [text.lower() for text in written]
            behind = found.end
            kept = words.chunk[behind - 1] + 1
        elif spoken is not None:  # past the run as a whole: its second half would be read as something else
            behind = spoken.end
    return (done + chunks[kept:], small + lower[kept:]) if kept else None


def _find(words: Words, at: int, spoken: Run | None, *, natural: bool, special: frozenset[str]) -> Found | None:
    """Return what is to be written at a word; `special` are those of `_SPECIAL` that are said somewhere."""
    word, left = words.word[at], words.before(at)
    dated = bool(special) and not special.isdisjoint(MONTHS)
    if spoken is None:
        if word in TRIGGERS:
            return _triggered(words, at)
        if word in MONTHS:
            return date(words, at, whole=not natural)
        if word in OH or word in REPEATED or word.isdecimal():
            return _spelled(words, at, natural=natural)
    found = None
    if natural and spoken is not None and spoken.spelt and words.next(spoken.end) in REPEATED:
        found = _spelled(words, at, natural=True)
    if found is not None:
        return found
    if spoken is not None and left in TRIGGERS:
        found = _noun_numbered(words, at, spoken)
    elif left in CONTEXT:
        found = _reference(words, at)
    if found is None and dated and (word in ORDINALS or word in TENS):
        found = date(words, at, whole=not natural)
    found = found or decade(words, at) or (year_after_day(words, at) if dated else None)
    if found is not None or left[-1:].isdigit():
        return found
    if spoken is not None:
        if len(spoken.parts) > 1 or spoken.parts[0] > 1000:  # a number of less than four digits is no year
            found = year(words, at, spoken)
        found = found or _address(words, spoken) or dialled(words, at, spoken)
        found = found or (_signed(words, at) if "sign" in special else None)
    return prose(words, at, spoken) if found is None and natural and left not in SCALES else found


def _is_noun(words: Words, at: int) -> bool:
    left = words.before(at)
    if left == "line" and words.before(at - 1) == "new" and words.before(at - 2) not in DETERMINERS:
        return False  # that is a command
    if left in _RANKED:
        return words.word[at] == "number"
    if left in _BEING:  # "she is number one"; "the answer is number five" has a trigger
        counted = run(words, at + 1)
        small = words.word[at] == "number" and (counted is None or len(counted.joined) == 1)
        named = words.before(at - 2) not in DETERMINERS and words.before(at - 2) != "of"
        thing = left in {"is", "was"} and words.before(at - 1) not in _WHO and not named
        return small and not (thing and words.word[at + 1] not in {"one", "two", "three"})
    return left in DETERMINERS or left in _NUMBERED or is_number(left)


def _spelled(words: Words, at: int, *, natural: bool) -> Found | None:
    """Return what is dialled, beginning with "oh" or with "double" in it, or what an engine began: "3 point 5"."""
    if words.word[at].isdecimal():
        parts, end = pointed(words, words.word[at], at + 1)
        return Found([".".join(parts)], end) if len(parts) > 1 else None
    left = words.before(at)
    asked = left in CONTEXT or left in TRIGGERS
    found = spelled(words, at) if natural or asked or is_dialled(words, at) else None
    if found is None:
        return None
    text = found.texts[0]
    enough = 2 if asked else 3 if words.word[at] in REPEATED and text[0] == "0" else 5
    return Found([phone(text)], found.end) if len(text) >= enough else None


def _triggered(words: Words, at: int) -> Found | None:
    """Return the number after a trigger, which goes."""
    if at + 1 == len(words.word) or not (words.link[at] or words.shut[at] in {",", ":"}) or _is_noun(words, at):
        return None
    if words.word[at + 1] == "point" and words.link[at + 1]:
        part = fraction(words, at + 2)
        return None if part is None else Found([f"0.{part[0]}"], part[1])
    nth = ordinal(words, at + 1)
    if nth is not None and nth[0] >= 10:
        return Found([suffixed(nth[0])], nth[1])
    if words.before(at) in CALLS and (spoken := run(words, at + 1)) is not None:
        return Found([phone(spoken.joined)], spoken.end)
    found = decade(words, at + 1) or quantity(words, at + 1, plain=True)
    said = spelled(words, at + 1, apart=words.word[at] != "number")
    return said if said is not None and (found is None or said.end > found.end) else found


def _noun_numbered(words: Words, at: int, spoken: Run) -> Found | None:
    """Return the number after "number" where that is a noun and stays."""
    noun = words.before(at - 1)
    if len(spoken.joined) == 1 and noun not in _NUMBERED:
        return None
    if noun in _PHONES and len(spoken.parts) > 1:
        return Found([phone(spoken.joined)], spoken.end)
    return quantity(words, at, plain=True)


def _reference(words: Words, at: int) -> Found | None:
    """Return the number after a context word: "line 42", "version 3.11.4", "port 80 or 8080"."""
    found = _label(words, at)
    if found is None:
        return None
    if found.texts == ["1"] and words.next(found.end) not in {"", *NUMBERS}:
        noun = at - 1 - (words.before(at - 1) in _RANKS)
        if words.before(noun) in DETERMINERS:
            return None  # on this page one finds, the next step one takes
    more = _MORE | {"and"} if words.before(at - 1) == "between" else _MORE
    while words.next(found.end) in more and words.link[found.end]:
        other = _label(words, found.end + 1)
        if other is None:
            break
        found = Found([*found.texts, words.word[found.end], *other.texts], other.end)
    return found


def _label(words: Words, at: int) -> Found | None:
    sign = "-" if words.word[at] in MINUS and words.link[at] and words.before(at) == "error" else ""
    found = None if words.word[at] in {"a", "an", *MINUS} and not sign else run(words, at + len(sign))
    if found is None or (words.before(at) in {"line", "page"} and words.before(at - 1) in {"new", "next"}):
        return None  # "new line two eggs": a command
    parts, end = dotted(words, found)
    after = words.next(end)
    if (after in COUNTED and after != "of") or (after in UNIT_ORDINALS and words.word[end - 1] in TENS):
        return None
    return Found([sign + ".".join(parts)], end)


def _address(words: Words, spoken: Run) -> Found | None:
    """Return three or more numbers with points between them: an address or a version, wherever it stands."""
    if spoken.end == len(words.word) or words.word[spoken.end] not in POINTS:
        return None
    parts, end = dotted(words, spoken)
    return Found([".".join(parts)], end) if len(parts) > 2 else None


def _signed(words: Words, at: int) -> Found | None:
    """Return the number beside the command for a sign that stands with numbers alone: "$50", "25%"."""
    found = quantity(words, at, plain=True)
    if found is None:
        return None
    beside = at > 1 and words.word[at - 1] == "sign" and words.word[at - 2] in _SIGNS_BEFORE
    if beside and (words.link[at - 1] or words.shut[at - 1] == ","):
        return found
    rest = [word.replace("percent", "per cent") for word in words.word[found.end : found.end + 3]]
    behind = " ".join(rest).startswith(("per cent sign", "degree sign"))
    return found if behind and (words.link[found.end - 1] or words.shut[found.end - 1] == ",") else None


def mode_of(config: TransformConfig) -> Mode:
    """Return how numbers are to be written: of other languages than English, as they come."""
    return config.numbers if config.language == "en" else "off"
