"""Numbers behind the words that ask for digits: "line 42", "version 3.11.4", "dollar sign 50", and 127.0.0.1."""

from __future__ import annotations

from typing import Final

from sottovoce.actors.transform.asking import is_pronoun, is_verb
from sottovoce.actors.transform.moments import COUNTED, Found
from sottovoce.actors.transform.numerals import Run, dotted, ordinal, run
from sottovoce.actors.transform.quantities import DASHES, MINUS, quantity
from sottovoce.actors.transform.vocabulary import NTH, POINTS, is_number, listed
from sottovoce.actors.transform.words import Words

_MORE: Final = frozenset({"to", "through", "or", "of"})
"""What joins another number to that of a context word: "page 9 of 10"."""
_SIGNS_BEFORE: Final = listed("dollar euro pound sterling hash number section")


def reference(words: Words, at: int) -> Found | None:
    """Return the number after a context word: "line 42", "version 3.11.4", "port 80 or 8080"."""
    found = _label(words, at)
    if found is None:
        return None
    if is_verb(words, at - 1, found.end) or (found.texts == ["1"] and is_pronoun(words, at, found.end)):
        return None
    more = _MORE | {"and"} if words.before(at - 1) == "between" else _MORE
    while words.next(found.end) in more and words.link[found.end]:
        other = _label(words, found.end + 1)
        if other is None:
            break
        found = Found([*found.texts, words.word[found.end], *other.texts], other.end)
    if words.next(found.end) in DASHES and words.link[found.end] and found.texts[-1].isdecimal():
        other = _label(words, found.end + 1)
        rises = other is not None and other.texts[0].isdecimal() and int(other.texts[0]) > int(found.texts[-1])
        if other is not None and rises and not words.next(other.end).endswith("s"):  # step two dash five apples
            return Found([*found.texts[:-1], f"{found.texts[-1]}-{other.texts[0]}"], other.end)
    return None if words.next(found.end).isdecimal() and len(found.texts[-1]) == 1 else found  # an engine's "five 3"


def _label(words: Words, at: int) -> Found | None:
    sign = "-" if words.word[at] in MINUS and words.link[at] and words.before(at) == "error" else ""
    found = None if words.word[at] in {"a", "an", *MINUS} and not sign else run(words, at + len(sign))
    if found is None or (words.before(at) in {"line", "page"} and words.before(at - 1) in {"new", "next"}):
        return None  # "new line two eggs": a command
    parts, end = dotted(words, found)
    after = words.next(end)
    if after == words.before(at) + "s" or (after in COUNTED and after != "of"):  # one step two steps
        return None
    if after in NTH and len(parts) == 1 and ordinal(words, at + len(sign)) is not None:
        return None
    return Found([sign + ".".join(parts)], end)


def dotted_address(words: Words, spoken: Run) -> Found | None:
    """Return three or more numbers with points between them: an address or a version, wherever it stands."""
    if spoken.end == len(words.word) or words.word[spoken.end] not in POINTS:
        return None
    parts, end = dotted(words, spoken)
    return Found([".".join(parts)], end) if len(parts) > 2 else None


def port(words: Words, at: int, spoken: Run) -> Found | None:
    """Return the number behind the colon of an address: "localhost colon eight zero eight zero"."""
    if words.before(at) != "colon":
        return None
    host = words.before(at - 1)
    addressed = host == "localhost" or (is_number(host) and words.before(at - 2) == "dot")
    return Found([spoken.joined], spoken.end) if addressed else None


def signed(words: Words, at: int) -> Found | None:
    """Return the number beside the command for a sign that stands with numbers alone: "$50", "25%"."""
    found = quantity(words, at, plain=True)
    if found is None or (words.next(found.end) in NTH and ordinal(words, at) is not None):
        return None
    beside = at > 1 and words.word[at - 1] == "sign" and words.word[at - 2] in _SIGNS_BEFORE
    if beside and (words.link[at - 1] or words.shut[at - 1] == ","):
        return found
    rest = [word.replace("percent", "per cent") for word in words.word[found.end : found.end + 3]]
    behind = " ".join(rest).startswith(("per cent sign", "degree sign"))
    return found if behind and (words.link[found.end - 1] or words.shut[found.end - 1] == ",") else None
