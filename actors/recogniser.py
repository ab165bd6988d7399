"""What both STT stages are: an engine, and a reader of the ring that it is fed from."""

from __future__ import annotations

import time
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from sottovoce.actors.base import Actor
from sottovoce.actors.loaded import Loaded
from sottovoce.actors.pressure import Level, Relief
from sottovoce.actors.switch import Switch
from sottovoce.actors.turns import Turns
from sottovoce.models import ModelError, Result
from sottovoce.protocol.choice import Role
from sottovoce.protocol.clocks import SAMPLE_RATE
from sottovoce.protocol.config import DraftConfig, FinalConfig
from sottovoce.protocol.messages import Event, PipelineState
from sottovoce.shm import RingCorrupt, RingMissing, RingReader, RingStale


class Recogniser(Actor):
    """What both roles share: an engine and a reader of the ring."""

    role: ClassVar[Role]
    hears: ClassVar[tuple[str, ...]] = ("state.pipeline",)
    counts: ClassVar[tuple[str, ...]] = ("decodes", "audio_ms", "unloads")
    times: ClassVar[tuple[str, ...]] = ("decode_us",)

    def settings(self) -> FinalConfig | DraftConfig:
        """Return this role's part of the configuration."""
        raise NotImplementedError

    def setup(self) -> None:
        """Load the engine; a role does more."""
        self.reader: RingReader | None = None
        self.turns = Turns(self.paths.lock("decode") if self.config.stt.mode == "cascaded" else None)
        self.relief, self.level = Relief(self.paths), Level.CALM
        self.switch = Switch(self.paths, self.role, self.load, lambda level, text: self.notice(level, "model", text))
        self.start(self.switch.begin(self.settings().model))

    def start(self, model: str) -> None:
        """Begin with this model, or with the one before it where it was chosen and cannot be used.

        Raises:
            ModelError: neither can be.
        """
        try:
            self.take(model, self.load(model))
        except ModelError as error:
            before = self.switch.failed(str(error))
            if before is None:
                raise
            self.take(before, self.load(before))

    def load(self, model: str) -> Loaded:
        """Load a model; may be called in a thread.

        Raises:
            ModelError: there is no such model here, or it cannot be used.
        """
        began = time.monotonic()
        loaded = Loaded(model, self.config, self.settings(), beside=self.beside())
        self.log.info("engine", model=model, load_s=round(time.monotonic() - began, 3))
        return loaded

    def beside(self) -> tuple[str, ...]:
        """Return the models whose share of memory goes before this one's."""
        return ()

    def take(self, model: str, loaded: Loaded) -> None:
        """Decode with this model from now on."""
        self.model, self.loaded = model, loaded
        self.tell()

    def tell(self) -> None:
        """Tell the person what is to be told of the model."""
        for text in self.loaded.told():
            self.notice("warning", "model", f"{self.model}: {text}")

    def hear(self, event: Event) -> None:
        """Follow whether somebody is recording: a model that was taken out of memory is loaded meanwhile."""
        if isinstance(event.body, PipelineState):
            if event.body.state == "idle":
                self.loaded.lease.release()
            else:
                self.loaded.lease.acquire()

    def change(self) -> None:
        """Between two utterances: go on with another model if one was chosen, and give back memory that is short."""
        self.level = self.relief.turn()
        if self.loaded.lease.tick():
            self.page.add("unloads")
            self.log.info("unloaded", model=self.model)
        self.tell()
        if (ready := self.switch.turn(self.model)) is not None:
            old = self.loaded
            self.take(*ready)
            old.close()

    def sleep_ms(self) -> int:
        """Return how long the loop may sleep at most."""
        return self.switch.sleep_ms(super().sleep_ms())

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
        return self.hear_samples(reader.samples(first, end))

    def hear_samples(self, samples: NDArray[np.float32]) -> Result:
        """Run the engine that is loaded now over samples (float32, shape (n,), 16 kHz)."""
        return self.loaded.get().decode(samples)

    def decode(self, reader: RingReader, first: int, end: int) -> Result:
        """Recognise samples [first, end), measured and marked as busy.

        Raises:
            RingLapped, RingRange, RingCorrupt: they are not, or no longer, all there.
        """
        with self.busy(), self.turns.mine():
            began = time.perf_counter_ns()
            result = self.recognise(reader, first, end)
            self.page.observe("decode_us", (time.perf_counter_ns() - began) // 1000)
        self.page.add("decodes")
        self.page.add("audio_ms", (end - first) * 1000 // SAMPLE_RATE)
        return result

    def teardown(self) -> None:
        """Unload."""
        self.switch.close()
        self.turns.close()
        self.loaded.close()
        if self.reader is not None:
            self.reader.close()
