"""What an engine handed over, cut into the pieces that phrases are looked for in."""

from __future__ import annotations

import re
from typing import Final

from sottovoce.actors.transform.asking import escaped
from sottovoce.actors.transform.numbers import Beside, Mode, converted, says_number
from sottovoce.actors.transform.words import odd_of

MARKS: Final = ".,;:?!…–—-"
"""What engines put beside a word of their own accord. It is no part of the word when phrases are looked for."""

TERMINATORS: Final = frozenset(".?!…")
"""Those that end a sentence."""

PAUSES: Final = ",–—-"
"""Those of them that engines write for a pause inside a sentence."""

_UNTYPABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters would act on the window instead of being written, and lone surrogates have no UTF-8."""


class Heard:
    """An utterance as chunks: what stands between white space. The three lists run side by side."""

    __slots__ = ("_numbers", "bare", "chunks", "words")

    def __init__(self, text: str, numbers: Mode = "off", beside: Beside | None = None) -> None:
        if not text.isprintable():
            text = _UNTYPABLE.sub(" ", text)
        self._numbers = numbers
        chunks = text.split()
        words = chunks if text.islower() else text.lower().split()
        odd = odd_of(words)
        if numbers != "off" and says_number(words, odd, natural=numbers == "natural" or beside is not None):
            changed = converted(chunks, words, odd, natural=numbers == "natural", beside=beside)
            if changed is not None:
                chunks, words = changed
                odd = odd_of(words)
        if odd and ("¿" in text or "¡" in text):  # an engine opens the question before the command that does
            words = [word.lstrip("¿¡") or word for word in words]
        self.chunks = chunks
        self.words = words
        self.bare = words.copy() if odd else words
        """The words without the marks at their ends; "" is a chunk of nothing but marks."""
        for index in odd:
            self.bare[index] = words[index].rstrip(MARKS)

    def marks_of(self, at: int) -> str:
        """Return the marks at the end of a chunk."""
        return self.words[at][len(self.bare[at]) :]

    def marks_from(self, stop: int) -> tuple[str, int]:
        """Return the marks between the word before `stop` and the next word, and the index of that next word."""
        word, bare = self.words[stop - 1], self.bare[stop - 1]
        marks = "" if word is bare else word[len(bare) :]
        while stop < len(self.bare) and not self.bare[stop]:  # "comma — world"
            marks += self.words[stop]
            stop += 1
        return marks, stop

    def number_end(self, begun: int, at: int) -> int:
        """Return the index after the number at `at` that an escape phrase from `begun` makes words; `at` if none."""
        return at if self._numbers == "off" else escaped(self.chunks, begun, at)

    def said(self, at: int, stop: int) -> str:
        """Return the chunks of a range as the engine wrote them."""
        return " ".join(self.chunks[at:stop])
