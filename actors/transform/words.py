"""The words of an utterance as numbers are looked for in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sottovoce.actors.transform.vocabulary import NUMBERS, OH, POINTS

if TYPE_CHECKING:
    from sottovoce.actors.transform.numerals import Run

_PARTS: Final = NUMBERS | OH | POINTS | {"and"}
_LEAD: Final = "\"'“‘([{«"
_TRAIL: Final = ".,;:?!…–—-\"'”’)]}»"


def odd_of(words: list[str]) -> list[int]:
    """Return the indices of the words that are not of letters alone: what looks into words need see no others."""
    return [index for index, word in enumerate(words) if not word.isalpha()]


class Words:
    """The words of an utterance, with hyphened numbers taken apart. The lists run side by side, one entry a word."""

    __slots__ = ("cardinals", "chunk", "chunks", "last", "link", "runs", "shut", "word")

    def __init__(self, chunks: list[str], lower: list[str], odd: list[int]) -> None:
        """Take the chunks of an utterance, the same in lower case, and what `odd_of` returns of these."""
        size = len(chunks)
        self.chunks = chunks
        self.word = lower.copy() if odd else lower
        """In lower case, without what stands around it."""
        self.chunk = list(range(size))
        """Index of the chunk that a word is in."""
        self.link = [True] * size
        """Whether nothing but a space or a hyphen parts the word from the next one."""
        self.shut = [""] * size
        """What follows the word in its chunk."""
        self.last = [True] * size
        """Whether the word is its chunk's last."""
        self.runs: dict[int, Run | None] = {}
        """Those that were read, by the index of their first word; half of them are asked for again."""
        self.cardinals: dict[int, tuple[int, int] | None] = {}
        for index in reversed(odd):  # from the end, since what is taken apart moves what is behind it
            self._take_apart(index)
        if self.link:
            self.link[-1] = False

    def _take_apart(self, index: int) -> None:
        """Part a word from what stands around it, and the words of a hyphened number from each other."""
        text = self.word[index].replace("’", "'")
        core = text.lstrip(_LEAD)
        if core != text and index:
            self.link[index - 1] = False
        bare = core.rstrip(_TRAIL)
        shut = core[len(bare) :]
        self.word[index] = bare
        self.shut[index] = shut
        if shut or not bare:
            self.link[index] = False
        if "-" not in bare:
            return
        parts = bare.split("-")
        if all(part in _PARTS for part in parts):
            inner = len(parts) - 1
            self.word[index : index + 1] = parts
            self.chunk[index:index] = [index] * inner
            self.link[index:index] = [True] * inner
            self.shut[index:index] = [""] * inner
            self.last[index:index] = [False] * inner

    def next(self, end: int) -> str:
        """Return the word at `end` if nothing parts it from the one before, else ""."""
        return self.word[end] if self.link[end - 1] else ""

    def before(self, at: int) -> str:
        """Return the word before `at` if nothing parts the two, else ""."""
        return self.word[at - 1] if at > 0 and self.link[at - 1] else ""

    def begins(self, at: int) -> bool:
        """Whether the word is its chunk's first."""
        return at == 0 or self.last[at - 1]

    def written(self, first: int, end: int, texts: list[str]) -> list[str]:
        """Return `texts`, which stand for the words from `first` to `end`, with what stood around those words."""
        head, tail = self.chunks[self.chunk[first]], self.chunks[self.chunk[end - 1]]
        lead = head[: len(head) - len(head.lstrip(_LEAD))]
        shut = len(self.shut[end - 1])
        texts[0] = lead + texts[0]
        texts[-1] += tail[len(tail) - shut :] if shut else ""
        return texts
