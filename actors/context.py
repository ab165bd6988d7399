"""Decoding with context: a short segment is heard better together with what was said just before it.

A recogniser that gets "fail better" alone writes "Fell better."; after "Try again. Fail again." it writes "fail
better." So a segment that follows others closely is decoded together with them, and the words that are new are taken:
the known text is aligned to the beginning of the joint hypothesis by edit distance over words (Wagner and Fischer,
1974), and where it ends, the new words begin. Where the alignment is poor the segment is decoded alone, as if there
were no context. It takes no word times, which many models do not give.

Measured with `moonshine-tiny-en` by `sottovoce transcribe` with `[stt.final] context` 0 and 10 (word error rate): a
slow reader cut at his commas (the wheel's two_cities.wav) 5.9 % -> 3.4 %; beckett.wav 8.3 % -> 0 %; clips of many
speakers in one recording, which give each other no context, 2.2 % -> 1.7 % with gaps of 0.7 s, 2.2 % with 1.6 s.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from sottovoce.models import OfflineEngine, Result
from sottovoce.protocol.clocks import SAMPLE_RATE

DEFAULT_LIMIT_S = 10.0
"""Longest joint decode. It runs in the pause before the endpoint, so it must end within that: 10 s take 0.2 s here."""
GAP_S = 1.2
"""A longer silence ends the context: what follows is a new thought, or another speaker."""
_TOLERANCE = 3  # one word in so many of the known text may come out differently

Samples = Callable[[int, int], NDArray[np.float32]]
"""Returns samples [first, end)."""


class Decoded(Result, frozen=True, kw_only=True):
    """A segment's own text."""

    continues: bool = False
    """It goes on in the clause that was not over when the segment before it was closed."""


class Heard(NamedTuple):
    """A segment that has its text."""

    first: int
    end: int
    text: str


class ContextDecoder:
    """Decodes the segments of one sample clock, in order.

    Args:
        engine: the recogniser.
        limit_s: longest joint decode in seconds; 0 decodes every segment alone.
    """

    def __init__(self, engine: OfflineEngine, *, limit_s: float = DEFAULT_LIMIT_S) -> None:
        self._engine = engine
        self._limit = round(limit_s * SAMPLE_RATE)
        self._heard: deque[Heard] = deque(maxlen=16)

    def remember(self, first: int, end: int, text: str) -> None:
        """Take note of a segment's text, as context for those that follow."""
        self._heard.append(Heard(first, end, text))

    def forget(self) -> None:
        """Drop the context: what comes next does not follow what was said before."""
        self._heard.clear()

    def decode(self, samples: Samples, first: int, end: int, *, floor: int = 0) -> Decoded:
        """Decode [first, end) with as much context as there is; the result's text is the segment's own.

        Args:
            samples: gives the audio.
            first: the segment's first sample.
            end: the sample after its last.
            floor: no context from before this sample.

        Raises:
            whatever `samples` raises for the segment itself.
        """
        context = self._context(first, end, floor)
        spent = 0.0
        if context:
            joint = self._engine.decode(samples(context[0].first, end))
            spent = joint.decode_s
            known, text = split(" ".join(heard.text for heard in context), joint.text) or ("", "")
            if text:
                # A comma would be no proof: sentences as short as "No matter" are put in a row with them.
                continues = known[-1:].isalnum()
                seconds = (end - first) / SAMPLE_RATE
                return Decoded(text=text, language=joint.language, audio_s=seconds, decode_s=spent, continues=continues)
        alone = self._engine.decode(samples(first, end))
        return Decoded(**msgspec.structs.asdict(alone) | {"decode_s": alone.decode_s + spent})

    def _context(self, first: int, end: int, floor: int) -> list[Heard]:
        context: list[Heard] = []
        start = first
        for heard in reversed(self._heard):
            gap = start - heard.end
            if not 0 <= gap <= GAP_S * SAMPLE_RATE or end - heard.first > self._limit or heard.first < floor:
                break
            context.insert(0, heard)
            start = heard.first
        return context


def split(known: str, joint: str) -> tuple[str, str] | None:
    """Return how `joint` words `known` and what it says after that; None where `known` is not clearly its beginning."""
    expected = [word for word in map(_plain, known.split()) if word]
    words = joint.split()
    plain = [_plain(word) for word in words]
    distances = list(range(len(plain) + 1))  # of nothing to each prefix of `plain`
    for number, word in enumerate(expected, 1):
        row = [number]
        for at, other in enumerate(plain, 1):
            row.append(min(distances[at] + 1, row[at - 1] + 1, distances[at - 1] + (word != other)))
        distances = row
    best = min(range(len(plain) + 1), key=lambda at: (distances[at], abs(at - len(expected))))
    sure = best > 0 and expected and plain[best - 1] == expected[-1]
    if not sure or distances[best] > len(expected) // _TOLERANCE:
        return None
    return " ".join(words[:best]), " ".join(words[best:])


def _plain(word: str) -> str:
    return re.sub(r"\W", "", word).lower()
