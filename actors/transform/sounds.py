"""Which of some words a word sounds like.

Two words sound alike if Metaphone (Philips, 1990) or NYSIIS (Taft, 1970) gives both the same code, and their letters
are similar besides (Jaro-Winkler). The codes alone take "kite" for "cut", the letters alone "mitten" for "kitten".
Together they find "arkon" for "archon", which only NYSIIS hears, and "lovelase" for "lovelace", which only Metaphone
does.

Refused. Double Metaphone: the package that is kept has no wheel for Python 3.14, so it needs a compiler there; of 46
pairs of names and what engines made of them it finds 36, and these two codes 36, not the same ones. Phonemes
by espeak: a process or a C library for each language, and milliseconds a word.

Both codes are made for English and its letters. Accents are taken off; other scripts sound like nothing here.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from typing import Final

from jellyfish import jaro_winkler_similarity, metaphone, nysiis

_SHORTEST: Final = 4
"""Letters. The codes of shorter words are one or two sounds, and any word is like them."""


class Sounds:
    """Words by their sound.

    Args:
        words: in lower case.
        threshold: the least Jaro-Winkler similarity, 0 to 1, of two words that sound alike.
    """

    __slots__ = ("_alike", "_threshold")

    def __init__(self, words: Iterable[str], threshold: float) -> None:
        self._threshold = threshold
        self._alike: dict[str, list[tuple[str, str]]] = {}
        for word in words:
            letters = _letters(word)
            for code in _codes(letters):
                self._alike.setdefault(code, []).append((word, letters))

    def nearest(self, word: str) -> tuple[str, float] | None:
        """Return the word that one in lower case sounds like most, and their similarity; None where there is none.

        Of equals the one that was given first.
        """
        letters = _letters(word)
        best = None
        for code in _codes(letters):
            for other, its_letters in self._alike.get(code, ()):
                score = jaro_winkler_similarity(letters, its_letters)
                if score >= self._threshold and (best is None or score > best[1]):
                    best = (other, score)
        return best


def alike(one: str, other: str) -> bool:
    """Whether two texts, taken without their spaces, have a code in common."""
    mine = set(_codes(_letters("".join(one.lower().split()))))
    return not mine.isdisjoint(_codes(_letters("".join(other.lower().split()))))


def is_plural(word: str, one: str) -> bool:
    """Whether a word sounds like another one with an s after it. "Linucks" does not: "Linux" ends so."""
    if not word.endswith("s") or one.endswith("s"):
        return False
    letters, code = _letters(word), metaphone(_letters(one))
    return code != "" and (code[-1] != "S" or metaphone(letters) != code == metaphone(letters[:-1]))


def _letters(word: str) -> str:
    """Return the word without accents, "" if it has other letters than a to z, or is too short to tell by its sound."""
    if not word.isascii():
        word = "".join(letter for letter in unicodedata.normalize("NFKD", word) if not unicodedata.combining(letter))
    word = word.replace("'", "").replace("-", "")
    return word if len(word) >= _SHORTEST and word.isascii() and word.isalpha() else ""


def _codes(letters: str) -> Iterator[str]:
    if letters:
        # Told apart by a letter in front: the two alphabets of codes overlap.
        yield "m" + metaphone(letters)
        yield "n" + nysiis(letters)
