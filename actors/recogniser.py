"""What both STT stages are: an engine, and a reader of the ring that it is fed from."""

from __future__ import annotations

import time
from typing import ClassVar

from sottovoce.actors.base import Actor
from sottovoce.models import EngineSettings, Result, Store, load_engine
from sottovoce.protocol.clocks import SAMPLE_RATE
from sottovoce.protocol.config import DraftConfig, FinalConfig
from sottovoce.shm import RingCorrupt, RingMissing, RingReader, RingStale


class Recogniser(Actor):
    """What both roles share: an engine and a reader of the ring."""

    counts: ClassVar[tuple[str, ...]] = ("decodes", "audio_ms")
    times: ClassVar[tuple[str, ...]] = ("decode_us",)

    def settings(self) -> FinalConfig | DraftConfig:
        """Return this role's part of the configuration."""
        raise NotImplementedError

    def setup(self) -> None:
        """Load the engine; a role does more."""
        self.load(self.settings().model)
        self.reader: RingReader | None = None

    def load(self, model: str) -> None:
        """Load an engine and decode once, so that the first sentence does not pay for lazy initialisation.

        Raises:
            ModelError: there is no such model here, or it cannot be used.
        """
        began = time.monotonic()
        store = Store()
        entry = store.catalogue[model]
        engine = load_engine(entry, store.path(model), EngineSettings(threads=self.settings().threads))
        engine.warm_up()
        self.engine, self.model, self.marks = engine, model, not entry.guesses_marks
        self.log.info("engine", model=model, load_s=round(time.monotonic() - began, 3))

    def ring(self, stream: int) -> RingReader | None:
        """Return a reader of the ring that `stream` is in, or None while that ring is not there."""
        if self.reader is not None and (self.reader.stale() or self.reader.stream != stream):
            self.reader.close()
            self.reader = None
        if self.reader is None:
            try:
                self.reader = RingReader.attach(self.paths.ring)
            except (RingMissing, RingStale, RingCorrupt):  # capture mends or replaces it
                return None
        return self.reader if self.reader.stream == stream else None

    def recognise(self, reader: RingReader, first: int, end: int) -> Result:
        """Run the engine over samples [first, end); a role may use more of the ring.

        Raises:
            RingLapped, RingRange, RingCorrupt: they are not, or no longer, all there.
        """
        return self.engine.decode(reader.samples(first, end))

    def decode(self, reader: RingReader, first: int, end: int) -> Result:
        """Recognise samples [first, end), measured and marked as busy.

        Raises:
            RingLapped, RingRange, RingCorrupt: they are not, or no longer, all there.
        """
        with self.busy():
            began = time.perf_counter_ns()
            result = self.recognise(reader, first, end)
            self.page.observe("decode_us", (time.perf_counter_ns() - began) // 1000)
        self.page.add("decodes")
        self.page.add("audio_ms", (end - first) * 1000 // SAMPLE_RATE)
        return result

    def teardown(self) -> None:
        """Unload."""
        self.engine.close()
        if self.reader is not None:
            self.reader.close()
