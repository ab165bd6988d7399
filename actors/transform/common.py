"""The words of a language, so that a name is never put in the place of one because it sounds alike.

The lists are those of pyspellchecker (MIT), which counts words in film subtitles. It gives a count of 50 to words that
its makers added without having met them: of its 160,000 English words 57,000 are really common.
"""

from __future__ import annotations

import functools
import heapq
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Container, Iterable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

_ADDED: Final = 50
"""The count of words that are in the list by hand."""
_LOWER: Final = 20
"""Bits of a code below its upper part."""
_FREQUENT: Final = 5_000
"""How many words are `frequent`. An utterance of 20 words takes 0.95 of the time that it takes without any."""


class Lexicon(NamedTuple):
    """Words of a language, in lower case."""

    words: Container[str]
    """All that there are: what is one of them was heard right."""
    common: Container[str]
    """Those of them that everybody uses; others may be names that want a capital ("kafka", "archon")."""
    frequent: Mapping[str, None] = MappingProxyType({})
    """Those of letters alone that are said most, in lower case."""


class WordSet:
    """A set of words that needs four bytes a word, a Python set 130: 0.6 MB and not 20 for English.

    It keeps a CRC-32 of each word, so with 160,000 of them it takes one of 27,000 other words for one of its own.
    """

    __slots__ = ("_begins", "_codes")

    def __init__(self, words: Iterable[str]) -> None:
        self._codes = array("I", sorted(map(_code, words)))
        # Where the codes with each upper part begin: 6 steps of a search in a place, not 17 all over the memory.
        edges = range(0, (1 << 32) + 1, 1 << _LOWER)
        self._begins = array("I", (bisect_left(self._codes, edge) for edge in edges))

    def __contains__(self, word: object) -> bool:
        if not isinstance(word, str):
            return False
        codes, code = self._codes, _code(word)
        upper = code >> _LOWER
        at = bisect_left(codes, code, self._begins[upper], self._begins[upper + 1])
        return at < len(codes) and codes[at] == code

    def __len__(self) -> int:
        return len(self._codes)


@functools.lru_cache(maxsize=1)
def lexicon(language: str) -> Lexicon | None:
    """Return the words of a language (ISO 639-1); None where there is no list.

    The first call reads the list: 0.2 s for English, 0.6 s for German.
    """
    from spellchecker import SpellChecker

    if language not in SpellChecker.languages():
        return None
    counts = SpellChecker(language=language).word_frequency.dictionary
    known, common = WordSet(counts), WordSet(word for word, count in counts.items() if count > _ADDED)
    most = " ".join(heapq.nlargest(_FREQUENT, filter(str.isalpha, counts), key=counts.__getitem__))
    counts.clear()  # strings that are made before it is gone would keep 10 MB of its memory
    return Lexicon(known, common, dict.fromkeys(most.split()))


def _code(word: str) -> int:
    return zlib.crc32(word.encode("utf-8", "surrogatepass"))
