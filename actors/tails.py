"""The end of a text: its last word, its last sentence, and how many times BackSpace has to be pressed for it.

BackSpace takes what people take for one character, not a code point: "e" with a combining accent, an emoji of five
code points, a flag. `characters` counts those, the extended grapheme clusters of Unicode annex 29, from the categories
that `unicodedata` has; where the annex's own property table would join more (Indic conjuncts), this counts more.
Programs differ, too: some take a combining accent by itself. Then too little goes, which is seen and mended by hand;
too much would take what somebody else wrote.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container
from typing import Final

_JOINER: Final = "\u200d"
_CLOSERS: Final = "\"'”’)]}»"
_ENDS: Final = ".?!…"
_SENTENCE = re.compile(rf"[{re.escape(_ENDS)}]+[{re.escape(_CLOSERS)}]*(?=\s)|\n")
_DOTTED = re.compile(r"(?:[^\W\d_]{1,3}\.)+[^\W\d_]{1,3}")
"""U.S. and e.g. and Ph.D., without the last period."""


def characters(text: str) -> int:
    """Return of how many characters, as people count them, a text is."""
    count, before, picture = 0, "", False
    flag = False  # the letter before is the first of a pair that makes a flag
    for letter in text:
        joined = bool(before) and (
            (before == "\r" and letter == "\n")
            or (_extends(letter) and before not in "\r\n")
            or (before == _JOINER and picture and unicodedata.category(letter) == "So")
            or (flag and _regional(letter))
            or _hangul(before, letter)
        )  # fmt: skip
        count += not joined
        flag = _regional(letter) and not (joined and flag)
        category = unicodedata.category(letter)
        # A second joiner, or a vowel sign that takes room (Mc), ends what may be joined to a picture.
        goes_on = picture and before != _JOINER and category != "Mc" and _extends(letter)
        picture = not flag and (category == "So" or goes_on)
        before = letter
    return count


def last_word(text: str) -> str:
    """Return the last word of a text with the marks on it, the blanks before it and whatever is after it.

    Marks that stand apart belong to the word before ("Bonjour !"), and so does a line's end. A text without a word is
    returned from its last mark on; "" is of a text of nothing.
    """
    last = next((at for at in range(len(text) - 1, -1, -1) if text[at].isalnum()), None)
    if last is None:
        last = len(text.rstrip()) - 1
    start = max(0, last)
    while start and not text[start - 1].isspace():
        start -= 1
    return text[_blanks_before(text, start) :]


def last_sentence(text: str, abbreviations: Container[str] = ()) -> str:
    """Return the last sentence of a text, the blanks before it and whatever is after it; a line's end ends one, too.

    `abbreviations` are words, in lower case, whose period ends none.
    """
    body = text.rstrip()
    start = 0
    for end in _SENTENCE.finditer(text, 0, len(body)):
        word = text[: end.start()].rpartition(" ")[2].rpartition("\n")[2].lstrip("\"'“‘([{«")
        initial = len(word) == 1 and word.isupper()
        if end[0] != "." or not (initial or word.lower() in abbreviations or _DOTTED.fullmatch(word)):
            start = end.end()
    while start < len(text) and text[start] == "\n":
        start += 1
    return text[start:] or text


def _blanks_before(text: str, start: int) -> int:
    """Return where the blanks before a place begin; a line's end is none."""
    while start and text[start - 1].isspace() and text[start - 1] != "\n":
        start -= 1
    return start


def _extends(letter: str) -> bool:
    """Whether it goes onto the character before: marks, joiners, variation selectors, tints, tags."""
    return (
        unicodedata.category(letter) in {"Mn", "Me", "Mc"}
        or letter in (_JOINER, "\u200c")
        or "\U0001f3fb" <= letter <= "\U0001f3ff"
        or "\U000e0020" <= letter <= "\U000e007f"
    )


def _regional(letter: str) -> bool:
    return "\U0001f1e6" <= letter <= "\U0001f1ff"


def _hangul(before: str, letter: str) -> bool:
    """Whether two are of one syllable (annex 29, GB6 to GB8)."""
    lead, vowel, trail = "\u1100" <= letter <= "\u115f", "\u1160" <= letter <= "\u11a7", "\u11a8" <= letter <= "\u11ff"
    whole = "\uac00" <= before <= "\ud7a3"
    if "\u1100" <= before <= "\u115f":
        return lead or vowel or "\uac00" <= letter <= "\ud7a3"
    if "\u1160" <= before <= "\u11a7" or (whole and (ord(before) - 0xAC00) % 28 == 0):
        return vowel or trail
    return trail and ("\u11a8" <= before <= "\u11ff" or whole)
