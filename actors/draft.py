"""The draft: the open segment decoded again and again while it grows, to be shown."""

from __future__ import annotations

import time
from typing import ClassVar, NamedTuple

from sottovoce.actors.agreement import stable_prefix, steady
from sottovoce.actors.base import TICK_MS
from sottovoce.actors.confidence import confidence
from sottovoce.actors.endpoint import profile
from sottovoce.actors.failpoints import failpoint
from sottovoce.actors.guard import refuse
from sottovoce.actors.pressure import Level
from sottovoce.actors.recogniser import Recogniser
from sottovoce.models import ModelError, Result, Stream, Whole
from sottovoce.protocol.choice import settled
from sottovoce.protocol.clocks import SAMPLE_RATE, now_ns
from sottovoce.protocol.config import DraftConfig
from sottovoce.protocol.messages import Draft, Event, SegmentClosed, SpeechOnset, SpeechPause, SpeechResumed
from sottovoce.shm import RingCorrupt, RingLapped, RingRange, RingReader

_FIRST_REST_S = 0.03
"""Until there is a first word to show, every tenth of a second counts, and a decode is short: 20 ms. The first decode
follows the onset at once. Waiting for 0.3 s of audio, and 0.1 s between two attempts, brought the first right word of
22 sentences a tenth of a second later, and no fewer wrong ones."""
_FIRST_LETTERS = 2  # one is what the embedded model makes of a breath
_DRAFT_SHARE = 4.0
"""A draft that takes t is followed by a rest of 4 t: drafts cost a fifth of a core at most, whatever the model."""


class Growing(NamedTuple):
    """The open segment in a streaming engine."""

    key: tuple[int, int]
    engine: Whole
    stream: Stream
    heard_to: int


class DraftRecogniser(Recogniser):
    """Re-decodes the open segment while it grows."""

    name = "stt-draft"
    role = "draft"
    hears = (*Recogniser.hears, "speech.", "segment.closed")
    counts: ClassVar[tuple[str, ...]] = (*Recogniser.counts, "late")

    def setup(self) -> None:
        """Load; whatever is being said right now goes without drafts."""
        super().setup()
        self.open: tuple[int, int] | None = None
        self.limit = round((self.config.vad.max_segment + profile(self.config.vad).hanging) * SAMPLE_RATE)
        self.gate = self.config.stt.final.gate
        self.pause: SpeechPause | None = None
        self.next_at = 0.0
        self.decoded_to = self.number = 0
        self.text = ""
        self.growing: Growing | None = None

    def beside(self) -> tuple[str, ...]:
        """The final's model has its share of memory first."""
        return (settled(self.paths, self.config).stt.final.model,)

    def settings(self) -> DraftConfig:
        """Return `[stt.draft]`."""
        return self.config.stt.draft

    def hear(self, event: Event) -> None:
        """Follow the segment that is open."""
        super().hear(event)
        body = event.body
        if isinstance(body, SpeechOnset):
            self.open, self.pause, self.decoded_to = (body.stream, body.first), None, body.first
            self.number, self.text = 0, ""
        elif isinstance(body, SpeechPause):
            self.pause = body
        elif isinstance(body, SpeechResumed):
            self.open, self.pause = (body.stream, body.first), None
        elif isinstance(body, SegmentClosed):
            self.open = None

    def recognise(self, reader: RingReader, first: int, end: int) -> Result:
        """Hear [first, end): what has come since the last time, where the engine can, else all of it again."""
        engine = self.loaded.get()
        if not isinstance(engine, Whole):
            return super().recognise(reader, first, end)
        key = reader.stream, first
        if self.growing is None or self.growing.key != key or self.growing.engine is not engine:
            self.growing = Growing(key, engine, engine.streaming.stream(), first)
        self.growing.stream.accept(reader.samples(self.growing.heard_to, end))
        self.growing = self.growing._replace(heard_to=end)
        return self.growing.stream.partial()

    @property
    def resting(self) -> bool:
        """Whether there is nothing to hear: nobody speaks, or of a pause all is heard that the final will be of."""
        if self.open is None or self.pause is None:
            return self.open is None
        return not self.gate or self.decoded_to == self.pause.end

    def sleep_ms(self) -> int:
        """Return the time until the next draft."""
        if self.resting:
            return super().sleep_ms()
        return min(TICK_MS, max(0, round((self.next_at - time.monotonic()) * 1000)))

    def work(self) -> None:
        """Decode the open segment again, if it has grown and the last time is long enough ago."""
        if self.open is None:
            self.change()
        if self.level >= Level.HIGH:  # what is typed does not need a draft
            self.open = None
            self.loaded.lease.release()
            if self.loaded.lease.unload():
                self.page.add("unloads")
        if self.open is None or self.resting or self.loaded.engine is None:
            return
        if self.pause is None and (time.monotonic() < self.next_at or self.turns.taken):
            return
        stream, first = self.open
        interval = self.config.stt.draft.interval
        reader = self.ring(stream)
        if reader is None:
            self.open = None
            return
        end = reader.head if self.pause is None else self.pause.end
        if self.pause is None and end <= self.decoded_to:
            self.next_at = time.monotonic() + interval / 4
            return
        if end - first > self.limit:  # the VAD is behind or gone; 60 s of audio took 769 MiB to decode
            self.open = None
            return
        window_id, began = now_ns(), time.monotonic()
        try:
            result = self.decode(reader, first, end)
        except (RingLapped, RingRange, RingCorrupt, ModelError):
            self.open = None
            return
        failpoint("stt-draft.after_decode")
        self.decoded_to = end
        self._show(result, stream, first, end, window_id)
        cost = time.monotonic() - began
        rest = max(interval, (1 + _DRAFT_SHARE) * cost) if self.text else _FIRST_REST_S + cost
        self.next_at = began + rest

    def _show(self, result: Result, stream: int, first: int, end: int, window_id: int) -> None:
        """Publish a hypothesis, unless there is nothing in it or its utterance is over by now."""
        text = result.text.strip()
        if not text or refuse(text, (end - first) / SAMPLE_RATE, self.loaded.evidence(result)) is not None:
            return
        if not self.text and sum(map(str.isalnum, text)) < _FIRST_LETTERS:
            return
        before, self.text = self.text, text
        self.number += 1
        self.hear_all()
        if self.open != (stream, first):
            self.page.add("late")
            return
        whole = self.pause is not None and self.pause.end == end
        self.publish(
            Draft(
                stream=stream, first=first, end=end, text=text if whole else steady(before, text),
                stable=stable_prefix(before, text), window_id=window_id, number=self.number,
                confidence=confidence(text, before, result.log_prob), model=self.model,
            )
        )  # fmt: skip
