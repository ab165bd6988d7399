"""The draft: the open segment decoded again and again while it grows, to be shown."""

from __future__ import annotations

import time

from sottovoce.actors.agreement import stable_prefix, steady
from sottovoce.actors.base import TICK_MS
from sottovoce.actors.endpoint import profile
from sottovoce.actors.failpoints import failpoint
from sottovoce.actors.guard import refuse
from sottovoce.actors.recogniser import Recogniser
from sottovoce.models import EngineFailed
from sottovoce.protocol.clocks import SAMPLE_RATE, now_ns
from sottovoce.protocol.config import DraftConfig
from sottovoce.protocol.messages import Draft, Event, SegmentClosed, SpeechOnset, SpeechPause, SpeechResumed
from sottovoce.shm import RingCorrupt, RingLapped, RingRange

_FIRST_REST_S = 0.03
"""Until there is a first word to show, every tenth of a second counts, and a decode is short: 20 ms. The first decode
follows the onset at once. Waiting for 0.3 s of audio, and 0.1 s between two attempts, brought the first right word of
22 sentences a tenth of a second later, and no fewer wrong ones."""
_FIRST_LETTERS = 2  # one is what the embedded model makes of a breath
_DRAFT_SHARE = 4.0
"""A draft that takes t is followed by a rest of 4 t: drafts cost a fifth of a core at most, whatever the model."""


class DraftRecogniser(Recogniser):
    """Re-decodes the open segment while it grows."""

    name = "stt-draft"
    hears = ("speech.", "segment.closed")

    def setup(self) -> None:
        """Load; whatever is being said right now goes without drafts."""
        super().setup()
        self.open: tuple[int, int] | None = None
        self.limit = round((self.config.vad.max_segment + profile(self.config.vad).hanging) * SAMPLE_RATE)
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
            return super().sleep_ms()
        return min(TICK_MS, max(0, round((self.next_at - time.monotonic()) * 1000)))

    def work(self) -> None:
        """Decode the open segment again, if it has grown and the last time is long enough ago."""
        if self.open is None or self.paused or time.monotonic() < self.next_at:
            return
        stream, first = self.open
        interval = self.config.stt.draft.interval
        reader = self.ring(stream)
        if reader is None:
            self.open = None
            return
        end = reader.head
        if end <= self.decoded_to:
            self.next_at = time.monotonic() + interval / 4
            return
        if end - first > self.limit:  # the VAD is behind or gone; 60 s of audio took 769 MiB to decode
            self.open = None
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
        shown = bool(text) and refuse(text, (end - first) / SAMPLE_RATE) is None
        shown = shown and (bool(self.text) or sum(map(str.isalnum, text)) >= _FIRST_LETTERS)
        if shown:
            self.publish(
                Draft(
                    stream=stream, first=first, end=end, text=steady(self.text, text),
                    stable=stable_prefix(self.text, text),
                    window_id=window_id,
                )
            )  # fmt: skip
            self.text = text
        cost = time.monotonic() - began
        rest = max(interval, (1 + _DRAFT_SHARE) * cost) if self.text else _FIRST_REST_S + cost
        self.next_at = began + rest
