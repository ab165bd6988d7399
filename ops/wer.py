"""Word error rates: edits of one text, sums of them, and how sure a difference between two models is.

The rate is the edits over the words that were said, summed over all clips first (a corpus rate), so that a short clip
counts for little. Words are compared twice: after OpenAI's normalisation (`ops.score.normaliser`), as published rates
are, and *raw*, as they are written, where a capital or a comma that is wrong or missing makes a word wrong. A manifest
whose texts have neither tells nothing by its raw rate.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from sottovoce.ops.score import levenshtein

RESAMPLES: Final = 10_000
SEED: Final = 1


@dataclass(frozen=True, slots=True)
class Edits:
    """What makes a reference into a hypothesis, words each."""

    words: int = 0
    """Of the reference."""
    substitutions: int = 0
    insertions: int = 0
    deletions: int = 0

    def __add__(self, other: Edits) -> Edits:
        """Return both together."""
        return Edits(
            self.words + other.words, self.substitutions + other.substitutions, self.insertions + other.insertions,
            self.deletions + other.deletions,
        )  # fmt: skip

    @property
    def errors(self) -> int:
        """All of them."""
        return self.substitutions + self.insertions + self.deletions

    @property
    def rate(self) -> float:
        """The word error rate."""
        return self.errors / max(1, self.words)


def raw(text: str) -> tuple[str, ...]:
    """Return the words as they are written."""
    return tuple(unicodedata.normalize("NFC", text).split())


def edits(reference: Sequence[str], hypothesis: Sequence[str]) -> Edits:
    """Return the fewest edits between two texts, as words.

    Raises:
        OpsError: RapidFuzz is not installed.
    """
    kinds = Counter(edit.tag for edit in levenshtein().editops(reference, hypothesis))
    return Edits(len(reference), kinds["replace"], kinds["insert"], kinds["delete"])


def confusions(reference: Sequence[str], hypothesis: Sequence[str]) -> Counter[tuple[str, str]]:
    """Count what was said with what was heard for it, where that is another word; "" where there is none.

    Raises:
        OpsError: RapidFuzz is not installed.
    """
    return Counter(
        (
            "" if edit.tag == "insert" else reference[edit.src_pos],
            "" if edit.tag == "delete" else hypothesis[edit.dest_pos],
        )
        for edit in levenshtein().editops(reference, hypothesis)
    )


def interval(errors: Sequence[int], words: Sequence[int], against: Sequence[int] | None = None) -> tuple[float, float]:
    """Return the 95 % interval of a corpus rate, or of the difference between two models' rates on the same clips.

    Clips are drawn with replacement, as many as there are, 10,000 times, the same for both models (the paired bootstrap
    of Bisani and Ney, "Bootstrap estimates for confidence intervals in ASR performance evaluation", ICASSP 2004); the
    interval is what lies between the 2.5th and the 97.5th percentile. With a dozen clips it is a rough one.

    Args:
        errors: of each clip.
        words: that were said in each clip.
        against: the other model's errors, which are subtracted.

    Raises:
        ValueError: the numbers of clips differ, or there are none.
    """
    mine = np.asarray(errors, float) - (0.0 if against is None else np.asarray(against, float))
    said = np.asarray(words, float)
    if mine.shape != said.shape or not mine.size:
        raise ValueError(f"{mine.size} clips with errors and {said.size} with words")
    rng = np.random.default_rng(SEED)
    rates = np.empty(RESAMPLES)
    for at in range(RESAMPLES):  # all at once, 10,000 clips would take 800 MB
        chosen = rng.integers(mine.size, size=mine.size)
        rates[at] = mine[chosen].sum() / max(1.0, said[chosen].sum())
    low, high = np.percentile(rates, (2.5, 97.5))
    return float(low), float(high)
