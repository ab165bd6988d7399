"""Finding the longest known phrase at a word: a trie of words."""

from __future__ import annotations

from typing import Generic, TypeVar

from sottovoce.actors.transform.heard import MARKS, Heard

T = TypeVar("T")


class _Node(Generic[T]):
    __slots__ = ("children", "entry")

    def __init__(self) -> None:
        self.children: dict[str, _Node[T]] = {}
        self.entry: T | None = None


class Phrases(Generic[T]):
    """Phrases and what each stands for. Looking one up costs a dictionary access for most words of a text."""

    def __init__(self) -> None:
        self._root: _Node[T] = _Node()
        self.starts: dict[str, set[str] | None] = {}
        """The words that a phrase may begin with, and those that may follow, without marks; None: it may end there.

        Most words of a text need not be looked up.
        """

    def add(self, phrase: str, entry: T) -> T | None:
        """Add a phrase. Return the entry it already has, which then stays, or None."""
        node = self._root
        words = phrase.split()
        first = words[0].rstrip(MARKS)
        seconds = self.starts.setdefault(first, set())
        if len(words) == 1:
            self.starts[first] = None
        elif seconds is not None:
            seconds.add(words[1].rstrip(MARKS))
        for word in words:
            node = node.children.setdefault(word, _Node())
        if node.entry is None:
            node.entry = entry
            return None
        return node.entry

    def word(self, bare: str) -> T | None:
        """Return the entry of a phrase of one word, None if there is none."""
        node = self._root.children.get(bare)
        return None if node is None else node.entry

    def longest(self, heard: Heard, at: int) -> tuple[T, int] | None:
        """Return the entry of the longest phrase that begins at a chunk, and the index after it; None if none does.

        The last word of a phrase may have marks after it. The others may not, unless the phrase itself has them: in
        "is it new? line up" nobody asked for a new line.
        """
        words, bare = heard.words, heard.bare
        found = None
        node = self._root
        for index in range(at, len(words)):
            last = node.children.get(bare[index])
            if last is not None and last.entry is not None:
                found = (last.entry, index + 1)
            inner = node.children.get(words[index])
            if inner is None or not inner.children:
                break
            node = inner
        return found
