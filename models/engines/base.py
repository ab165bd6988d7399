"""What every recogniser can do, whatever runs it."""

from __future__ import annotations

from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 16_000
"""Hz: what every model here was trained on, and the rate of the ring."""


class Word(msgspec.Struct, frozen=True):
    """A word and when it was said, in seconds from the first sample that was decoded."""

    text: str
    start_s: float
    end_s: float


class Result(msgspec.Struct, frozen=True):
    """What an engine heard."""

    text: str
    """Stripped; empty where there was nothing."""
    tokens: tuple[str, ...] = ()
    """As the model spells them: a leading space starts a word."""
    words: tuple[Word, ...] = ()
    """Empty where the engine gives no times."""
    log_prob: float | None = None
    """Mean natural log-probability of a token; None where the engine gives none."""
    language: str = ""
    """ISO 639-1; empty where neither the engine nor the catalogue says."""
    audio_s: float = 0.0
    """Seconds of audio decoded."""
    decode_s: float = 0.0
    """Seconds it took."""


class OfflineEngine(Protocol):
    """A recogniser of whole segments. Not for use by two threads at once."""

    @property
    def name(self) -> str:
        """The catalogue's name of the model."""

    def warm_up(self) -> None:
        """Pay what the first decode costs beyond the others."""

    def decode(self, samples: NDArray[np.float32], *, sample_rate: int = SAMPLE_RATE) -> Result:
        """Recognise one segment.

        Args:
            samples: float32, shape (n,), full scale 1.0; read-only and empty arrays are fine.
            sample_rate: Hz; other than 16,000 is resampled.

        Raises:
            EngineFailed: the engine broke or was closed.
            ValueError: wrong shape or dtype.
        """

    def close(self) -> None:
        """Free the model. Closing twice is fine."""


def mono_16k(samples: NDArray[np.float32], sample_rate: int) -> NDArray[np.float32]:
    """Return the samples as engines want them: contiguous, 16 kHz.

    Raises:
        ValueError: not one-dimensional float32, or not a sample rate.
    """
    if samples.ndim != 1 or samples.dtype != np.float32:
        raise ValueError(f"samples must be float32 of shape (n,), not {samples.dtype} of shape {samples.shape}")
    if sample_rate <= 0:
        raise ValueError(f"sample_rate must be positive, not {sample_rate}")
    if sample_rate != SAMPLE_RATE and samples.size:
        import soxr

        samples = soxr.resample(samples, sample_rate, SAMPLE_RATE)
    return np.ascontiguousarray(samples)
