"""What became of the words on both sides of a seam, where one segment ends and the next begins within a speech.

The words that were said, those that were typed, and those that are typed when each clip is transcribed by itself are
aligned with the fewest edits. What is wrong at a seam is what is wrong within `REACH` words of it and right where
the clip was not parted, so that a word that the recogniser never gets is not counted. The same holds for capitals and
marks: a capital behind the seam is wrong if neither the reference nor the clip by itself has it there, and if no
clip begins there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sottovoce.ops.score import levenshtein
from sottovoce.ops.transcribe import Piece

REACH: Final = 2
"""A seam is answerable for so many words on each side."""
_STOPS: Final = (".", "?", "!", "…")


@dataclass(frozen=True, slots=True)
class Token:
    """A word as it is written, and as it is compared."""

    written: str
    plain: str

    @property
    def capital(self) -> bool:
        """Whether its first letter is one."""
        first = next((letter for letter in self.written if letter.isalnum()), "")
        return first.isupper()

    @property
    def stops(self) -> bool:
        """Whether it ends a sentence, by its mark."""
        return self.written.rstrip("\"'”’)").endswith(_STOPS)


@dataclass(frozen=True, slots=True)
class Seam:
    """What happened at one seam; numbers of words."""

    before: str
    """The last words that were typed before it."""
    after: str
    """The first that were typed behind it."""
    reason: str
    """Why the segment before it was closed."""
    inside: bool
    """It is within a clip; else where one ends."""
    lost: int
    wrong: int
    doubled: int
    """Words too many: the same twice, or half of one."""
    capital: bool
    """In the midst of a sentence, the piece behind it begins with one that does not belong there."""
    stop: bool
    """In the midst of a sentence, a mark that ends it was typed before it."""
    stop_missing: bool
    """At the end of a sentence, there is none."""


def judge(said: Sequence[str], alone: Sequence[str], typed: Sequence[Piece]) -> list[Seam]:
    """Judge each seam of a speech, in order.

    Args:
        said: the reference of each clip, in order.
        alone: what is typed when each of them is transcribed by itself.
        typed: the segments of the speech.

    Raises:
        OpsError: a package that this needs is not installed.
    """
    reference = [token for text in said for token in tokens(text)]
    starts = {0}
    for text in said:
        starts.add(max(starts) + len(tokens(text)))
    marked = {at for at in starts if at and reference[at - 1].stops}
    apart = _Aligned(reference, [token for text in alone for token in tokens(text)])
    pieces = [tokens(piece.text) for piece in typed]
    whole = _Aligned(reference, [token for words in pieces for token in words])
    seams, at = list[Seam](), 0
    for number, piece in enumerate(typed[:-1]):
        at += len(pieces[number])
        if not pieces[number] or not pieces[number + 1]:
            continue
        place = whole.place(at)
        near = range(max(0, place - REACH), min(len(reference), place + REACH))
        inside = place not in starts
        stopped = pieces[number][-1].stops or typed[number + 1].text.lstrip().startswith(_STOPS)
        last, first = place - 1, place  # the words on both sides in the reference
        seams.append(
            Seam(
                before=" ".join(token.written for token in pieces[number][-4:]),
                after=" ".join(token.written for token in pieces[number + 1][:4]),
                reason=piece.reason,
                inside=inside,
                lost=sum(i in whole.lost and i in apart.found for i in near),
                wrong=sum(i in whole.wrong and i in apart.found for i in near),
                doubled=sum(max(0, whole.surplus(i) - apart.surplus(i)) for i in range(near.start, near.stop + 1)),
                capital=inside and whole.found.get(first) == at and pieces[number + 1][0].capital
                and not reference[first].capital and not apart.capital(first),
                stop=inside and whole.found.get(last) == at - 1 and stopped
                and not reference[last].stops and not apart.stops(last),
                stop_missing=place in marked and not stopped,
            )
        )  # fmt: skip
    return seams


def tokens(text: str) -> list[Token]:
    """Return the words of a text; those that a hyphen joins are two."""
    written = re.split(r"[\s–—-]+", text)
    return [Token(word, plain) for word in written if (plain := re.sub(r"[\W_]", "", word).lower())]


class _Aligned:
    """A hypothesis beside the reference."""

    def __init__(self, reference: Sequence[Token], hypothesis: Sequence[Token]) -> None:
        self.found: dict[int, int] = {}
        self.lost, self.wrong = set[int](), set[int]()
        self._hypothesis = hypothesis
        self._surplus: dict[int, int] = {}
        mine, theirs = [token.plain for token in reference], [token.plain for token in hypothesis]
        self._pairs: dict[int, int] = {}  # of each word of the reference, right or wrong
        for block in levenshtein().opcodes(mine, theirs):
            pairs = dict(
                zip(range(block.src_start, block.src_end), range(block.dest_start, block.dest_end), strict=False)
            )
            if block.tag == "equal":
                self.found |= pairs
            elif block.tag == "replace":
                self.wrong |= pairs.keys()
            elif block.tag == "delete":
                self.lost |= set(range(block.src_start, block.src_end))
            else:
                self._surplus[block.src_start] = block.dest_end - block.dest_start
            if block.tag in {"equal", "replace"}:
                self._pairs |= pairs

    def place(self, at: int) -> int:
        """Return the word of the reference before which the hypothesis's word number `at` stands."""
        return max((mine for mine, theirs in self._pairs.items() if theirs < at), default=-1) + 1

    def surplus(self, place: int) -> int:
        """Return how many words too many stand before a word of the reference."""
        return self._surplus.get(place, 0)

    def capital(self, place: int) -> bool:
        """Whether a word of the reference is written with a capital here."""
        return place in self._pairs and self._hypothesis[self._pairs[place]].capital

    def stops(self, place: int) -> bool:
        """Whether a sentence ends with a word of the reference here."""
        return place in self._pairs and self._hypothesis[self._pairs[place]].stops
