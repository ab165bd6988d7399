"""The words that ask for digits, "number five" and "line five", and what forbids them.

That is an escape, "literal number five", and where the word is another: the verb of "we release two builds", or the
pronoun of "a line one should not cross".
"""

from __future__ import annotations

from typing import Final

from sottovoce.actors.transform.moments import date, decade
from sottovoce.actors.transform.numerals import ordinal
from sottovoce.actors.transform.quantities import quantity
from sottovoce.actors.transform.vocabulary import DETERMINERS, NUMBERS, UNIT_ORDINALS, listed
from sottovoce.actors.transform.words import Words, odd_of

TRIGGERS: Final = frozenset({"number", "digit", "digits"})
"""They go, and what follows is digits."""
CONTEXT: Final = frozenset({"line", "version", "step", "option", "error", "port", "release", "page", "chapter", "item"})
"""They stay, and the number after them is digits."""
ESCAPES: Final = frozenset({"literal", "literally", "say", "word", "words"})
"""Without one of them no number is escaped."""
_VERBS: Final = listed("line page port release step number")
"""Those that are verbs as well."""
_SUBJECTS: Final = listed("i we they who let's")
_GIVING: Final = listed("show shows showed give gives gave tell told send sent read get got of with for to")
"""After "show you" comes a noun."""
_MODALS: Final = listed(
    "will would should must can could may might shall cannot do does did"
    " won't wouldn't shouldn't mustn't can't couldn't don't doesn't didn't"
)
_NO_SUBJECTS: Final = listed("when how where why what which and but or so if then") | {""}
"""Before "will page two" they make a question of it: page two is what it is about."""
_IN_MONTHS: Final = listed("in of on by since until early late last next this the")
"""Before "may" and "can" they make these nouns."""
_BETWEEN: Final = listed(
    "not also just only never always then now even still soon probably immediately quickly finally"
)
"""Adverbs that may part a verb from what shows that it is one."""
_AIMS: Final = listed(
    "want wants wanted wanting need needs needed have has had having plan plans planned planning hope hopes hoped"
    " hoping like love try tries tried trying decide decided agree agreed refuse refused intend ready able about"
    " supposed how time way chance order forgot forget remember threatened allowed forced willing reason helps"
    " used not"
)
"""Before "to" they make what follows a verb; after all others, "go to page five", it is rather a noun."""
_TOWARDS: Final = listed("going us me him her them you") | {""}
"""Before "to" they leave it open: "going to page five", "going to page five doctors"."""
_TELLING: Final = listed("want wants wanted need needs needed ask asks asked tell tells told expect expects expected")
"""Before "us to" they make a verb of what follows: "she wants us to release ten"."""
_ASKED: Final = listed("please help helped")
_RANKS: Final = frozenset(UNIT_ORDINALS) | {"next", "last", "only", "same"}
_SINGULAR: Final = listed("was has does as its this is us yes says shows needs")
_PERSONS: Final = listed("people men women children")
_ONE_DOES: Final = _MODALS | listed(
    "ever never always usually often ought gets finds sees wants needs has had makes takes uses likes thinks expects"
    " hopes knows wishes"
)
"""After "one" they make it the pronoun, if what stands before it can have a clause behind it."""
_LABELLED: Final = listed("new old original current previous first last main whole entire")
"""After "the" they leave "line one" a name: "the old line one should go"."""


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
        asked = bare = first in TRIGGERS or (first in CONTEXT and begun == 0)
    else:
        bare = begun == 0 or chunks[begun - 1].lower() not in DETERMINERS
    if not asked and not (bare and first in NUMBERS):
        return at
    stop = extent(words, 0)
    end = at + words.chunk[stop - 1] + 1 if stop else at
    spoken = escape == "literally" and not asked and (begun, end) != (0, len(chunks))
    return at if spoken else end


def is_verb(words: Words, at: int, end: int) -> bool:
    """Whether a trigger or a context word is the verb of what the number after it counts: "we release two builds".

    `end` is the index after that number. Where what stands before leaves it open, a plural after the number decides.
    """
    if words.word[at] not in _VERBS:
        return False
    left = words.before(at)
    between = left
    if left in _BETWEEN:
        at -= 1
        left = words.before(at)
    ordered = between == "never" or (between, left) == ("not", "do")
    if ordered or left in _SUBJECTS or left.endswith("'ll"):
        return True
    other = words.before(at - 1)
    if left == "you":
        return other not in _GIVING
    if left == "to":
        told = other != "" and words.before(at - 2) in _TELLING
        return other in _AIMS or (other in _TOWARDS and (told or _is_counted(words, end, apart=True)))
    if left in _MODALS and other not in _IN_MONTHS:
        return other not in _NO_SUBJECTS or _is_counted(words, end, apart=False)
    return left in _ASKED and _is_counted(words, end, apart=True)


def _is_counted(words: Words, end: int, *, apart: bool) -> bool:
    """Whether a number before `end` counts something; with `apart` one word may stand between, "two new games"."""
    after = words.next(end)
    behind = words.next(end + 1) if after else ""
    if after == "of":
        return behind in {"them", "us", "these", "those", "our", "their"}
    return _is_plural(after) or (apart and _is_plural(behind))


def _is_plural(word: str) -> bool:
    return (word.endswith("s") and not word.endswith("ss") and word not in _SINGULAR) or word in _PERSONS


def is_pronoun(words: Words, at: int, end: int) -> bool:
    """Whether "one" after a context word is the pronoun: "on this page one finds", "a fine line one should not cross".

    `end` is the index after it.
    """
    after = words.next(end)
    if not after or after in NUMBERS:
        return False
    adjective = words.before(at - 1)
    if adjective in DETERMINERS or (adjective in _RANKS and words.before(at - 2) in DETERMINERS):
        return True
    if after not in _ONE_DOES or not adjective:
        return False
    article = words.before(at - 2)
    if article not in DETERMINERS:
        article = words.before(at - 3)
    return article in DETERMINERS and (article != "the" or adjective not in _LABELLED)


def is_escaped(words: Words, at: int) -> bool:
    """Whether an escape before the number at a word, or before its trigger or context word, makes it plain words."""
    left = words.before(at)
    if left in TRIGGERS or left in CONTEXT:
        at, left = at - 1, words.before(at - 1)
    if not left and at and words.shut[at - 1] == ",":  # an engine's "Literal, number five."
        left = words.word[at - 1] if words.word[at] in TRIGGERS else ""
    if left in {"word", "words"}:
        return words.before(at - 1) == "the"
    if left == "say":  # "they say page five is missing" is English
        return words.word[at] in TRIGGERS or (words.word[at] in CONTEXT and at == 1)
    return left in {"literal", "literally"}


def extent(words: Words, at: int) -> int:
    """Return the index after the number that begins at a word, with its trigger or context word; `at` if none does."""
    begun = at
    if words.link[at] and (words.word[at] in TRIGGERS or words.word[at] in CONTEXT):
        begun += 1
    nth = ordinal(words, begun)
    readings = (quantity(words, begun, plain=True), decade(words, begun), date(words, begun, whole=False))
    ends = [found.end for found in readings if found is not None]
    if begun > at and words.word[at] in TRIGGERS and words.word[begun].isdecimal():  # an engine's
        ends.append(begun + 1)
    return max((*ends, at if nth is None else nth[1], at))
