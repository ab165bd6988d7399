"""The STT stages: `stt-final` decodes closed segments, whose text is typed; `stt-draft` the open one, to be shown.

They are two processes of one program, so that a draft never waits for a final nor the reverse, and one may die alone.
Neither receives audio: a message names a range of samples, and the ring has them.
"""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from typing import ClassVar

from sottovoce.actors.agreement import stable_prefix
from sottovoce.actors.base import TICK_MS, Actor, run
from sottovoce.actors.context import ContextDecoder
from sottovoce.actors.failpoints import failpoint
from sottovoce.actors.guard import refuse
from sottovoce.models import EngineFailed, Result, Store, load_engine
from sottovoce.protocol.clocks import SAMPLE_RATE, boot_id, now_ns
from sottovoce.protocol.config import DraftConfig, FinalConfig
from sottovoce.protocol.messages import (
    Draft,
    Event,
    Final,
    SegmentClosed,
    SpeechOnset,
    SpeechPause,
    SpeechResumed,
    Suppressed,
)
from sottovoce.protocol.rows import UtteranceRow
from sottovoce.shm import RingCorrupt, RingLapped, RingMissing, RingRange, RingReader

_MIN_DRAFT_SAMPLES = SAMPLE_RATE * 3 // 10  # what is shorter has no word in it yet
_DRAFT_SHARE = 4.0
"""A draft that takes t is followed by a rest of 4 t: drafts cost a fifth of a core at most, whatever the model."""


class Recogniser(Actor):
    """What both roles share: an engine and a reader of the ring."""

    counts: ClassVar[tuple[str, ...]] = ("decodes", "audio_ms")
    times: ClassVar[tuple[str, ...]] = ("decode_us",)

    def settings(self) -> FinalConfig | DraftConfig:
        """Return this role's part of the configuration."""
        raise NotImplementedError

    def setup(self) -> None:
        """Load the engine and decode once, so that the first sentence does not pay for lazy initialisation."""
        settings = self.settings()
        began = time.monotonic()
        store = Store()
        self.engine = load_engine(store.catalogue[settings.model], store.path(settings.model), threads=settings.threads)
        self.engine.warm_up()
        self.log.info("engine", model=settings.model, load_s=round(time.monotonic() - began, 3))
        self.reader: RingReader | None = None

    def ring(self, stream: int) -> RingReader | None:
        """Return a reader of the ring that `stream` is in, or None while that ring is not there."""
        if self.reader is not None and (self.reader.stale() or self.reader.stream != stream):
            self.reader.close()
            self.reader = None
        if self.reader is None:
            try:
                self.reader = RingReader.attach(self.paths.ring)
            except RingMissing:
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


class FinalRecogniser(Recogniser):
    """Decodes what is journalled as segmented; on a pause, decodes ahead of the endpoint, on speculation."""

    name = "stt-final"
    hears = ("segment.closed", "speech.", "transcript.draft")
    counts: ClassVar[tuple[str, ...]] = (*Recogniser.counts, "speculated", "used")

    def setup(self) -> None:
        """Load; take over what a predecessor has heard, not what it speculated."""
        super().setup()
        self.context = ContextDecoder(self.engine, limit_s=self.config.stt.final.context)
        self.stream = 0
        for row in self.journal.utterances(limit=8):
            if row.boot == boot_id() and row.heard:
                self._remember(row.stream, row.first, row.end, row.heard)
        self.pause: SpeechPause | None = None
        self.speculation: tuple[tuple[int, int, int], Result, int] | None = None
        self.drafts: defaultdict[tuple[int, int], list[int]] = defaultdict(list)

    def settings(self) -> FinalConfig:
        """Return `[stt.final]`."""
        return self.config.stt.final

    def recognise(self, reader: RingReader, first: int, end: int) -> Result:
        """Decode with the context of what was said just before in the same recording."""
        if reader.stream != self.stream:
            self.context.forget()
        floor = self.journal.recording_start(reader.stream, first)
        return self.context.decode(reader.samples, first, end, floor=floor)

    def _remember(self, stream: int, first: int, end: int, text: str) -> None:
        if stream != self.stream:
            self.context.forget()
            self.stream = stream
        self.context.remember(first, end, text)

    def hear(self, event: Event) -> None:
        """Remember the last pause, and which drafts belong to which utterance."""
        body = event.body
        if isinstance(body, SpeechPause):
            self.pause = body
        elif isinstance(body, SpeechResumed | SpeechOnset):
            self.pause = None
        elif isinstance(body, Draft):
            self.drafts[body.stream, body.first].append(body.window_id)

    def work(self) -> None:
        """Decode the segments that wait; then, if nothing does, the one that may be about to close."""
        while (row := self.journal.oldest("segmented")) is not None:
            if not self._finish(row):
                return
        if self.pause is not None:
            self._speculate(self.pause)
            self.pause = None

    def _speculate(self, pause: SpeechPause) -> None:
        reader = self.ring(pause.stream)
        if reader is None:
            return
        window_id = now_ns()
        try:
            result = self.decode(reader, pause.first, pause.end)
        except (RingLapped, RingRange, RingCorrupt, EngineFailed):
            return  # it was speculation; the endpoint decides what is lost
        failpoint("stt-final.after_speculation")
        self.speculation = ((pause.stream, pause.first, pause.end), result, window_id)
        self.page.add("speculated")

    def _finish(self, row: UtteranceRow) -> bool:
        """Bring one segment to its text; False if that cannot be done yet."""
        key = (row.stream, row.first, row.end)
        window_id, speculative = now_ns(), False
        if self.speculation is not None and self.speculation[0] == key:
            _, result, window_id = self.speculation
            speculative = True
            self.page.add("used")
        else:
            reader = self.ring(row.stream)
            if reader is None:
                return self._ring_missing(row)
            try:
                result = self.decode(reader, row.first, row.end)
            except RingLapped:
                return self._suppress(row, "its audio was overwritten before it could be decoded", None)
            except (RingRange, RingCorrupt) as error:
                return self._suppress(row, f"its audio is damaged: {error}", None)
            except EngineFailed as error:  # it would fail again, and hold back all that follow
                self.notice("error", "engine", str(error))
                return self._suppress(row, "the recogniser failed on it", None)
        failpoint("stt-final.after_decode")
        self.speculation = None
        text = result.text.strip()
        reason = refuse(text, (row.end - row.first) / SAMPLE_RATE) if text else "no words"
        if reason is not None:
            return self._suppress(row, reason, text)
        model = self.config.stt.final.model
        self._remember(row.stream, row.first, row.end, text)
        if self.journal.transcribed(row.ordinal, text=text, model=model):
            failpoint("stt-final.after_commit")
            self.publish(
                Final(
                    stream=row.stream, first=row.first, end=row.end, text=text, window_id=window_id,
                    corrects_window_ids=tuple(self.drafts.pop((row.stream, row.first), ())), model=model,
                    audio_s=result.audio_s, decode_s=result.decode_s, speculative=speculative,
                )
            )  # fmt: skip
        self._forget_drafts(row)
        return True

    def _ring_missing(self, row: UtteranceRow) -> bool:
        """The ring is not there: still to come, if capture is just being restarted, or gone for good."""
        if row.boot == boot_id() and row.age_s() < self.config.inject.deliver_within and self.reader is None:
            return False
        return self._suppress(row, "its audio is gone: the ring it was in was replaced", None)

    def _suppress(self, row: UtteranceRow, reason: str, text: str | None) -> bool:
        self.context.forget()
        if self.journal.suppressed(row.ordinal, reason=reason, text=text, model=self.config.stt.final.model):
            self.publish(Suppressed(stream=row.stream, first=row.first, reason=reason))
            self.log.info("suppressed", reason=reason, trace=row.trace)
        self._forget_drafts(row)
        return True

    def _forget_drafts(self, row: UtteranceRow) -> None:
        for key in [key for key in self.drafts if key <= (row.stream, row.first)]:
            del self.drafts[key]


class DraftRecogniser(Recogniser):
    """Re-decodes the open segment while it grows."""

    name = "stt-draft"
    hears = ("speech.", "segment.closed")

    def setup(self) -> None:
        """Load; whatever is being said right now goes without drafts."""
        super().setup()
        self.open: tuple[int, int] | None = None
        self.paused = False
        self.next_at = 0.0
        self.decoded_to = 0
        self.text = ""

    def settings(self) -> DraftConfig:
        """Return `[stt.draft]`."""
        return self.config.stt.draft

    def hear(self, event: Event) -> None:
        """Follow the segment that is open."""
        body = event.body
        if isinstance(body, SpeechOnset):
            self.open, self.paused, self.decoded_to, self.text = (body.stream, body.first), False, body.first, ""
        elif isinstance(body, SpeechPause):
            self.paused = True
        elif isinstance(body, SpeechResumed):
            self.open, self.paused = (body.stream, body.first), False
        elif isinstance(body, SegmentClosed):
            self.open = None

    def sleep_ms(self) -> int:
        """Return the time until the next draft."""
        if self.open is None or self.paused:
            return TICK_MS
        return min(TICK_MS, max(0, round((self.next_at - time.monotonic()) * 1000)))

    def work(self) -> None:
        """Decode the open segment again, if it has grown and the last time is long enough ago."""
        if self.open is None or self.paused or time.monotonic() < self.next_at:
            return
        stream, first = self.open
        interval = self.config.stt.draft.interval
        self.next_at = time.monotonic() + interval / 4  # unless there is something to decode, below
        reader = self.ring(stream)
        if reader is None:
            self.open = None
            return
        end = reader.head
        if end - first < _MIN_DRAFT_SAMPLES or end <= self.decoded_to:
            return
        window_id, began = now_ns(), time.monotonic()
        try:
            result = self.decode(reader, first, end)
        except (RingLapped, RingRange, RingCorrupt, EngineFailed):
            self.open = None
            return
        failpoint("stt-draft.after_decode")
        self.decoded_to = end
        text = result.text.strip()
        if text and refuse(text, (end - first) / SAMPLE_RATE) is None:
            self.publish(
                Draft(
                    stream=stream, first=first, end=end, text=text, stable=stable_prefix(self.text, text),
                    window_id=window_id,
                )
            )  # fmt: skip
        self.text = text
        cost = time.monotonic() - began
        self.next_at = began + max(interval, (1 + _DRAFT_SHARE) * cost)


ROLES = {"final": FinalRecogniser, "draft": DraftRecogniser}

if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] != "--role" or sys.argv[2] not in ROLES:
        sys.exit(f"usage: python -m sottovoce.actors.stt --role {'|'.join(ROLES)}")
    run(ROLES[sys.argv[2]])
