"""A streaming engine where an offline one is wanted: it hears a whole segment in one go."""

from __future__ import annotations

import time

import msgspec
import numpy as np
from numpy.typing import NDArray

from sottovoce.models.engines.base import SAMPLE_RATE, Result, StreamingEngine, mono_16k


class Whole:
    """An `OfflineEngine` on a `StreamingEngine`.

    Args:
        streaming: the engine; closed with this.
    """

    def __init__(self, streaming: StreamingEngine) -> None:
        self.streaming = streaming

    @property
    def name(self) -> str:
        """The catalogue's name of the model."""
        return self.streaming.name

    def warm_up(self) -> None:
        """Pay what the first decode costs beyond the others."""
        self.streaming.warm_up()

    def decode(self, samples: NDArray[np.float32], *, sample_rate: int = SAMPLE_RATE) -> Result:
        """Recognise one segment; see `OfflineEngine.decode`."""
        samples = mono_16k(samples, sample_rate)
        began = time.perf_counter()
        stream = self.streaming.stream()
        if samples.size:
            stream.accept(samples)
        result = stream.finish()
        return msgspec.structs.replace(
            result, audio_s=samples.size / SAMPLE_RATE, decode_s=time.perf_counter() - began
        )  # fmt: skip

    def close(self) -> None:
        """Free the model."""
        self.streaming.close()
