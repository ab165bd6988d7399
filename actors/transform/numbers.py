"""Spoken numbers as digits: "line forty two" -> "line 42". A pure pass over an utterance, before commands are found.

The problem. "One" is a pronoun, "second" a unit of time, "nineteen fifty" a year, two numbers or a time, and nobody
wants "2 of them". So there are two modes. `explicit`, the default, writes digits only where they were asked for or
nothing else can be meant: after a trigger, after a context word, for years that their surroundings make clear, for
decades of a century, full dates, and three or more numbers with points between them. `natural` writes what people
expect of inverse text normalisation; one to nine stay words unless something calls for digits (a unit, a point, a
sign, "five to ten").

The rules a user meets:

- `number`, `digit`, `digits` are commands: they go, and what follows is digits ("number forty two" -> "42", "digits
  four oh four" -> "404"), whether the engine wrote words or digits there. They are nouns, and stay, after a determiner,
  after a noun that numbers are given to ("phone number", "room number") and, `number` alone, after a form of "to be"
  ("we are number one"). After such a noun the digits are still written ("room number five" -> "room number 5"); after
  the others only from ten on.
- `CONTEXT` words stay, and the number after them is digits without separators; some are verbs as well, and so is
  `number` ("we release two builds", `asking.is_verb`). Beside the commands for signs that only numbers have ("dollar
  sign fifty") it is digits as well.
- After "literal", "literally" and "the word" number words stay words, and so do "number five" after "say", and "line
  five" after one that begins an utterance. `asking` tells the reading of commands that, which leaves out the escape;
  "literally" goes only where digits were asked for, since "literally twenty people" is English.
- Digits of the engine's stay, and words that continue them ("5 million two hundred") but for points ("3 point 5").
- Marks that the engine put between two number words part them: "one, two, three" is three words, after "digits" 123.
- In code any number is digits beside an operator, a bracket, a comma or a keyword such as "return" (`Beside`).

Refused. *text2num* 3.1 (MIT, prebuilt, 0.3 us a word): cardinals alone, so "nineteen fifty" is "19 50" and "four oh
four" "4 oh 4". *wetext* 0.1 and *damga* 1.0 (transducers run without a compiler): more than 100 us a word where a whole
utterance has 50, 33 and 128 MB, and words go missing ("the twenty first of march" -> "21 march").
*nemo_text_processing* needs pynini, which needs a compiler.

Known limits. Without grammar "step two feet" and "step two fails" look alike; `COUNTED` lists the usual units. "Two
twenty" and the like are read as one number, "one hundred and two" never as two. "Ten pounds" is money unless a word of
weight is beside it.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, TypeAlias

from sottovoce.actors.transform.asking import CONTEXT, ESCAPES, TRIGGERS, extent, is_escaped, is_verb
from sottovoce.actors.transform.labels import dotted_address, port, reference, signed
from sottovoce.actors.transform.moments import (
    COUNTED,
    MONTHS,
    OPEN_MONTHS,
    Found,
    date,
    decade,
    named_month,
    year,
    year_after_day,
    year_with_oh,
)
from sottovoce.actors.transform.numerals import Run, fraction, ordinal, run, suffixed
from sottovoce.actors.transform.prose import prose
from sottovoce.actors.transform.quantities import (
    CALLS,
    MINUS,
    REPEATED,
    dialled,
    figures,
    hyphened,
    is_dialled,
    phone,
    quantity,
    spelled,
)
from sottovoce.actors.transform.vocabulary import (
    DECADES,
    DETERMINERS,
    DIGITS,
    NTH,
    NUMBERS,
    OH,
    ORDINALS,
    POINTS,
    SCALES,
    TENS,
    UNIT_ORDINALS,
    is_number,
    listed,
)
from sottovoce.actors.transform.words import Words, odd_of
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
_ARTICLES: Final = frozenset({"a", "an"})
_AFTER_ARTICLE: Final = frozenset({"hundred", "quarter", "dollar", "euro", "pound", *SCALES})
_SMALL: Final = frozenset(DIGITS) | frozenset(UNIT_ORDINALS)
_BESIDE_FIGURES: Final = POINTS | TRIGGERS | OPEN_MONTHS
"""Beside them there is something to do with the digits of an engine's: "3 point 5", "number 42", "may 3rd"."""
_ASKING: Final = TRIGGERS | CONTEXT | frozenset(MONTHS) | POINTS | {"sign", "localhost"}
_SPECIAL: Final = frozenset(MONTHS) | ESCAPES | {"sign"}
"""Without one of these there is no date, no number that is escaped, and none with a spoken sign: seldom is one said."""
_STARTS: Final = (
    NUMBERS - {*DECADES, "hundred", "hundredth", *SCALES}
    | TRIGGERS
    | frozenset(MONTHS)
    | MINUS
    | _ARTICLES
    | OH
    | POINTS
    | frozenset(REPEATED)
    | {"half", "quarter"}
    | frozenset("0123456789")
)
_ENDING: Final = frozenset({"close", "closed", "right"})
"""Before "paren", "bracket" or the like, which may be either otherwise."""
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


class Beside(NamedTuple):
    """The words beside which, in code, any number is digits: those with which commands for operators end and begin."""

    before: frozenset[str]
    after: frozenset[str]


def says_number(words: list[str], odd: list[int], *, natural: bool) -> bool:
    """Whether there may be anything to convert: for most utterances all that is done.

    `words` are in lower case; `odd` as of `words.odd_of`. Unless it is `natural`, or code, "one of them" and "at first"
    are nothing without a trigger, a context, a month or a point.
    """
    if not odd and NUMBERS.isdisjoint(words):
        return False
    cores = [words[index].strip(_AROUND) for index in odd]
    numbers = NUMBERS.intersection(words) | NUMBERS.intersection(cores)
    if numbers and (natural or not numbers <= _SMALL or not (_ASKING.isdisjoint(words) and _ASKING.isdisjoint(cores))):
        return True
    figured = 0  # those of one digit; two make one number: "error 4 0 4"
    for core in cores:
        if "-" in core and not NUMBERS.isdisjoint(core.split("-")):
            return True
        if core[:1].isdecimal():
            if not (_BESIDE_FIGURES.isdisjoint(words) and _BESIDE_FIGURES.isdisjoint(cores)):
                return True
            figured += len(core) == 1
    return figured > 1 and not CONTEXT.isdisjoint(words)


def converted(
    chunks: list[str], lower: list[str], odd: list[int], *, natural: bool, beside: Beside | None = None
) -> tuple[list[str], list[str]] | None:
    """Do what `convert` does, given what is known of the chunks, and return the same in lower case as well.

    None if there is nothing to convert. `beside` is given in code.
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
        found = None if beside is None else _operand(words, at, beside)
        if found is None and not (beside is not None and word in MINUS):  # in code "y minus one" is no number
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
            return date(words, at, whole=not natural) or named_month(words, at)
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
        found = reference(words, at)
    if found is None and dated and (word in ORDINALS or word in TENS):
        found = date(words, at, whole=not natural)
    found = found or decade(words, at) or (year_after_day(words, at) if dated else None)
    if found is not None or left[-1:].isdigit():
        return found
    if spoken is not None:
        if len(spoken.parts) > 1 or spoken.parts[0] > 1000:  # a number of less than four digits is no year
            found = year(words, at, spoken) or year_with_oh(words, at, spoken)
        found = found or dotted_address(words, spoken) or dialled(words, at, spoken) or port(words, at, spoken)
        found = found or (signed(words, at) if "sign" in special else None)
    return prose(words, at, spoken) if found is None and natural and left not in SCALES else found


def _operand(words: Words, at: int, beside: Beside) -> Found | None:
    """Return the number at a word of code, if an operator, a bracket or the like stands beside it."""
    point = at + (words.word[at] in OH)
    if words.word[at] == "point" or (point > at and words.next(point) == "point"):
        part = fraction(words, point + 1) if words.link[point] else None
        found = None if part is None else Found([f"0.{part[0]}"], part[1])
    else:
        found = spelled(words, at)
        if found is None or words.next(found.end) in POINTS:
            found = quantity(words, at, plain=True)
    if found is None or words.next(found.end) in {"of", *UNIT_ORDINALS}:
        return None
    left = words.before(at) or (words.word[at - 1] if at and words.shut[at - 1] == "," else "")
    if words.word[at] in MINUS:  # a sign, and not what is taken from "n", "f(x)" or "x++"
        other = words.before(at - 1) if words.before(at) else ""
        return found if left in beside.before and other not in _ENDING and other != left else None
    return found if left in beside.before or words.next(found.end) in beside.after else None


def _is_noun(words: Words, at: int) -> bool:
    left = words.before(at)
    counted = run(words, at + 1)
    end = at + 1 + words.word[at + 1][:1].isdecimal() if counted is None else counted.end
    if words.word[at] == "number" and end > at + 1 and is_verb(words, at, end):
        return True
    if left == "line" and words.before(at - 1) == "new" and words.before(at - 2) not in DETERMINERS:
        return False  # that is a command
    if left in _RANKED:
        return words.word[at] == "number"
    if left in _BEING:  # "she is number one"; "the answer is number five" has a trigger
        size = len(words.word[at + 1]) if words.word[at + 1].isdecimal() else 0
        small = words.word[at] == "number" and (len(counted.joined) if counted is not None else size) < 2
        named = words.before(at - 2) not in DETERMINERS and words.before(at - 2) != "of"
        thing = left in {"is", "was"} and words.before(at - 1) not in _WHO and not named
        return small and not (thing and words.word[at + 1] not in {"one", "two", "three"})
    return left in DETERMINERS or left in _NUMBERED or is_number(left)


def _spelled(words: Words, at: int, *, natural: bool) -> Found | None:
    """Return what is dialled, beginning with "oh" or with "double" in it, or what an engine began: "3 point 5"."""
    left = words.before(at)
    if words.word[at].isdecimal():
        found = figures(words, at)
        if found is None or found.end == at + 1:
            return None
        spelt = left in CONTEXT and words.next(found.end) not in COUNTED
        return found if spelt or "." in found.texts[0] else None
    asked = left in CONTEXT or left in TRIGGERS
    found = spelled(words, at) if natural or asked or is_dialled(words, at) else None
    if found is None:
        return None
    text = found.texts[0]
    enough = 2 if asked else 3 if words.word[at] in REPEATED and text[0] == "0" else 5
    return Found([phone(text)], found.end) if len(text) >= enough else None


def _triggered(words: Words, at: int) -> Found | None:
    """Return the number after a trigger, which goes; of several in a row the first decides."""
    if at and words.word[at - 1] in TRIGGERS and (words.link[at - 1] or words.shut[at - 1] in {",", ":"}):
        return None
    while at + 1 < len(words.word) and (words.link[at] or words.shut[at] in {",", ":"}) and not _is_noun(words, at):
        at += 1
        if words.word[at] not in TRIGGERS:
            return _asked(words, at)
    return None


def _asked(words: Words, at: int) -> Found | None:
    """Return the number at the word after a trigger."""
    if words.word[at][:1].isdecimal():
        return figures(words, at)
    if words.word[at] == "point" and words.link[at]:
        part = fraction(words, at + 1)
        return None if part is None else Found([f"0.{part[0]}"], part[1])
    nth = ordinal(words, at)
    if nth is not None and nth[0] >= 10:
        return Found([suffixed(nth[0])], nth[1])
    if words.before(at - 1) in CALLS and (spoken := run(words, at)) is not None:
        return Found([phone(spoken.joined)], spoken.end)
    found = decade(words, at) or quantity(words, at, plain=True)
    said = spelled(words, at, apart=words.word[at - 1] != "number")
    return hyphened(words, said) if said is not None and (found is None or said.end >= found.end) else found


def _noun_numbered(words: Words, at: int, spoken: Run) -> Found | None:
    """Return the number after "number" where that is a noun and stays."""
    noun = words.before(at - 1)
    if (len(spoken.joined) == 1 and noun not in _NUMBERED) or is_verb(words, at - 1, spoken.end):
        return None
    if words.next(spoken.end) in NTH and (nth := ordinal(words, at)) is not None:
        return Found([suffixed(nth[0])], nth[1])
    if noun in _PHONES and len(spoken.parts) > 1:
        return hyphened(words, Found([phone(spoken.joined)], spoken.end))
    return quantity(words, at, plain=True)


def mode_of(config: TransformConfig) -> Mode:
    """Return how numbers are to be written: of other languages than English, as they come."""
    return config.numbers if config.language == "en" else "off"
