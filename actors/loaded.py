"""A model at work in a stage: loaded, taken out of memory when nobody speaks, and loaded again when somebody does.

Loading is done in threads, and a thread of a stage may not publish; what the person is to be told is kept until the
stage's own loop asks for it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from queue import Empty, SimpleQueue

import numpy as np
from numpy.typing import NDArray

from sottovoce.actors.guard import Evidence, loudness
from sottovoce.models import (
    EngineFailed,
    EngineSettings,
    GuardSettings,
    OfflineEngine,
    Result,
    Store,
    load_recogniser,
    require_language,
    spoken,
)
from sottovoce.models.budget import admit
from sottovoce.models.lease import Lease
from sottovoce.protocol.config import Config, DraftConfig, FinalConfig

LIMIT_S = 600.0
"""Longest load that is waited for: gigabytes from a slow disk."""


class Loaded:
    """A model that is ready to decode.

    Args:
        model: the catalogue's name.
        config: the whole configuration.
        role: this role's part of it.
        beside: models whose share of `[memory] ram` goes before this one's.

    Raises:
        ModelError: there is no such model here, it cannot be used, does not know the language, or has no room.
    """

    def __init__(
        self, model: str, config: Config, role: FinalConfig | DraftConfig, *, beside: Sequence[str] = ()
    ) -> None:
        self.model, self._config, self._role, self._beside = model, config, role, beside
        self._store = Store()
        entry = self._store.catalogue[model]
        require_language(entry, config.stt.language, self._store.catalogue)
        self.marks = not entry.guesses_marks
        """Its marks are worth believing."""
        self.guard: GuardSettings = entry.guard
        """What counts as invented text."""
        self.language = spoken(entry, config.stt.language)
        """The language that its text is in, where that is known beforehand."""
        self._told: SimpleQueue[str] = SimpleQueue()
        self._hold = self._store.hold(model)
        self.lease: Lease[OfflineEngine] = Lease(self._make, role.unload_after)
        self.lease.acquire()
        if self.lease.wait(LIMIT_S) is None:
            raise EngineFailed(f"model {model} was not loaded within {LIMIT_S:.0f} s")

    @property
    def engine(self) -> OfflineEngine | None:
        """The engine, None while it is not in memory; asking does not load it."""
        return self.lease.engine

    def get(self) -> OfflineEngine:
        """Return the engine, loaded if need be, which is waited for.

        Raises:
            ModelError: it cannot be loaded now; it is tried again at the next call.
        """
        self.lease.acquire()
        try:
            engine = self.lease.wait(LIMIT_S)
        except Exception:
            self.lease.release()
            raise
        if engine is None:
            raise EngineFailed(f"model {self.model} was not loaded within {LIMIT_S:.0f} s")
        return engine

    def evidence(
        self,
        result: Result,
        samples: NDArray[np.float32] | None = None,
        *,
        speech_s: float | None = None,
        sure: float | None = None,
    ) -> Evidence:
        """Return what is known for and against a text of this model, for the guard.

        Args:
            result: what was heard.
            samples: the segment (float32, shape (n,), 16 kHz).
            speech_s: seconds of it in which the VAD heard speech.
            sure: the VAD's mean probability over these.
        """
        return Evidence(
            loudness=None if samples is None else loudness(samples), speech_s=speech_s, sure=sure,
            log_prob=result.log_prob, reheard=result.reheard, language=self.language, settings=self.guard,
        )  # fmt: skip

    def told(self) -> Iterator[str]:
        """Yield what the person is to be told since the last time."""
        while True:
            try:
                yield self._told.get_nowait()
            except Empty:
                return

    def close(self) -> None:
        """Free it."""
        self.lease.close()
        self._hold.close()

    def _make(self) -> OfflineEngine:
        """Load, and decode once, so that the first sentence does not pay for lazy initialisation. In a thread."""
        began = time.monotonic()
        settings = EngineSettings(
            threads=self._role.threads, provider=self._role.provider, language=self._config.stt.language,
            hotwords=self._config.vocabulary.words,
        )  # fmt: skip
        leave = admit(self._store, self.model, settings, self._config.memory, beside=self._beside)
        engine = load_recogniser(self._store.catalogue[self.model], leave.directory, leave.settings)
        engine.warm_up()
        for notice in (*leave.notices, getattr(engine, "fallback", "")):
            if notice:
                self._told.put(notice)
        self._store.used(self.model, round(time.monotonic() - began, 3))
        return engine
