"""What the engines of whole segments have in common: what is seen to before a decode, and the figures after it."""

from __future__ import annotations

import abc
import time

import msgspec
import numpy as np
from numpy.typing import NDArray

from sottovoce.models.catalogue import Entry
from sottovoce.models.engines.base import SAMPLE_RATE, EngineSettings, Result, mono_16k
from sottovoce.models.exceptions import EngineFailed
from sottovoce.models.languages import spoken


class Offline(abc.ABC):
    """An `OfflineEngine` but for what hears: `_recognise`.

    Args:
        entry: the model.
        settings: how to run it.
        minimum: samples of the shortest segment that it can be asked about; a shorter one has no words in it.
    """

    def __init__(self, entry: Entry, settings: EngineSettings, *, minimum: int = 1) -> None:
        self._began = time.perf_counter()
        self.name = entry.name
        self._language = spoken(entry, settings.language)
        self._minimum = max(entry.minimum_samples, minimum)
        self._load_s = 0.0

    def warm_up(self) -> None:
        """Decode a second of faint noise: the first decode on a graphics card chooses its kernels.

        Not silence, which Moonshine answers without running the network.
        """
        self.decode(np.random.default_rng(0).normal(0.0, 1e-3, SAMPLE_RATE).astype(np.float32))

    def decode(self, samples: NDArray[np.float32], *, sample_rate: int = SAMPLE_RATE) -> Result:
        """Recognise one segment; see `OfflineEngine.decode`."""
        if self._closed:
            raise EngineFailed(f"model {self.name} is closed")
        samples = mono_16k(samples, sample_rate)
        audio_s = samples.size / SAMPLE_RATE
        if samples.size < self._minimum:
            return Result("", language=self._language, audio_s=audio_s, load_s=self._load_s)
        began = time.perf_counter()
        heard = self._recognise(samples, audio_s)
        return msgspec.structs.replace(
            heard, language=heard.language or self._language, audio_s=audio_s,
            decode_s=time.perf_counter() - began, load_s=self._load_s,
        )  # fmt: skip

    @abc.abstractmethod
    def close(self) -> None:
        """Free the model. Closing twice is fine."""

    @property
    @abc.abstractmethod
    def _closed(self) -> bool:
        """Whether it was closed."""

    @abc.abstractmethod
    def _recognise(self, samples: NDArray[np.float32], audio_s: float) -> Result:
        """Return what is heard; the figures are filled in, and the language where it is not told.

        Args:
            samples: contiguous float32, shape (n,), 16 kHz, at least the minimum.
            audio_s: how long that is.

        Raises:
            EngineFailed: it broke.
        """

    def _has_loaded(self) -> None:
        """Take note that the model is loaded: to be called last of all in the constructor."""
        self._load_s = time.perf_counter() - self._began
