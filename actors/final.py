"""The final: closed segments decoded, with context and on speculation, into the text that is typed."""

from __future__ import annotations

import time
from typing import ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from sottovoce.actors.confidence import confidence
from sottovoce.actors.context import GAP_S, ContextDecoder, Decoded, unstopped
from sottovoce.actors.endpoint import ending, unmarked
from sottovoce.actors.failpoints import failpoint
from sottovoce.actors.fallback import Fallback
from sottovoce.actors.guard import Evidence, refuse
from sottovoce.actors.hearsay import Hearsay
from sottovoce.actors.recogniser import Recogniser
from sottovoce.actors.speculation import Peril, Speculation
from sottovoce.actors.standby import Standby
from sottovoce.models import EngineFailed, ModelError, Result
from sottovoce.protocol.clocks import SAMPLE_RATE, boot_id, now_ns
from sottovoce.protocol.config import FinalConfig
from sottovoce.protocol.messages import (
    Draft,
    Event,
    Final,
    Reading,
    SegmentClosed,
    SpeechOnset,
    SpeechPause,
    SpeechResumed,
    Suppressed,
)
from sottovoce.protocol.rows import UtteranceRow
from sottovoce.shm import FRAME_SAMPLES, RingCorrupt, RingLapped, RingRange, RingReader

_ATTEMPTS = 3
_HEARD_AFTER_S = 0.25
"""Until then subscribers have not all come back after a restart, and what is given up would be told to nobody."""
_GATE_WAIT_S = 0.25
"""So long the final waits for a draft of the whole segment; a tiny model takes 0.1 s for one of some seconds."""
_KILLED = f"the recogniser died {_ATTEMPTS} times while it decoded this"


class FinalRecogniser(Recogniser):
    """Decodes what is journalled as segmented; on a pause, decodes ahead of the endpoint, on speculation.

    An utterance that kills the engine must not hold up for ever what follows. Each decode of a segment is counted in
    the journal before it begins, and `_ATTEMPTS` are made; a decode on speculation is made once (`Peril`). So one such
    utterance costs one death more than the attempts, which is within the warden's five.
    """

    name = "stt-final"
    role = "final"
    hears = (*Recogniser.hears, "segment.closed", "speech.", "transcript.draft")
    counts: ClassVar[tuple[str, ...]] = (*Recogniser.counts, "speculated", "used", "gated")

    def setup(self) -> None:
        """Load; take over what a predecessor has heard, not what it speculated."""
        self.standby = Standby(self.config, lambda text: self.notice("warning", "engine", text))
        super().setup()
        self.context = ContextDecoder(self.hear_samples, limit_s=self.config.stt.final.context)
        self.peril = Peril(self.paths.runtime / f"{self.name}.speculating")
        self.heard_at = time.monotonic() + _HEARD_AFTER_S
        self.stream = 0
        for row in self.journal.utterances(limit=8):
            if row.boot == boot_id() and row.heard:
                self._remember(row, row.heard)
        self.pause: SpeechPause | None = None
        self.gate = self.config.stt.final.gate
        self.gate_until, self.asleep = 0.0, False
        self.speculation: Speculation | None = None
        self.hearsay = Hearsay()

    def hear_samples(self, samples: NDArray[np.float32]) -> Result:
        """Decode, by the fallback where the engine is broken for a while.

        Raises:
            EngineFailed: there is no other model, or that one breaks as well.
            ModelError: it cannot be loaded now.
        """
        return self.standby.decode(self.loaded, samples)

    def change(self) -> None:
        """Between two utterances: as every recogniser, and let the fallback go if it is not needed any more."""
        super().change()
        self.standby.rest()

    def teardown(self) -> None:
        """Unload."""
        super().teardown()
        self.standby.close()

    def sleep_ms(self) -> int:
        """Return how long the loop may sleep: not over the time at which a draft of the whole segment is too late."""
        if self.pause is None:
            return super().sleep_ms()
        return min(super().sleep_ms(), max(0, round((self.gate_until - time.monotonic()) * 1000)))

    def settings(self) -> FinalConfig:
        """Return `[stt.final]`."""
        return self.config.stt.final

    def start(self, model: str) -> None:
        """Begin with this model, or the fallback where it is known, or found out now, that it cannot be used."""
        spare = self.config.stt.final.fallback
        fallback = Fallback(self.paths, msgspec.structs.replace(self.config.stt.final, model=model))
        if fallback.taken:
            self.take(spare, self.load(spare))
            return
        try:
            super().start(model)
        except ModelError as error:
            if not fallback.exists:
                raise
            try:
                self.take(spare, self.load(spare))
            except ModelError as second:
                raise ModelError(f"{error}; and its fallback: {second}") from error
            self.notice("warning", "fallback", fallback.take(f"which cannot be used ({error})"))

    def recognise(self, reader: RingReader, first: int, end: int) -> Result:
        """Decode with the context of what was said just before in the same recording; less of it behind a stop."""
        if reader.stream != self.stream:
            self.context.forget()
        floor, over = self.journal.recording_range(reader.stream, first)
        hasty = over is not None and over - end < GAP_S * SAMPLE_RATE
        return self.context.decode(reader.samples, first, end, floor=floor, hasty=hasty)

    def _remember(self, row: UtteranceRow, text: str, *, withheld: bool = False) -> None:
        if row.stream != self.stream:
            self.context.forget()
            self.stream = row.stream
        self.context.remember(row.first, row.end, text, cut=self._cut(row), withheld=withheld, turn=row.turn)

    def _last(self, row: UtteranceRow) -> bool:
        """Whether nothing of the recording can go on in this segment's sentence."""
        recording = self.journal.recording(row.generation)
        end = None if recording is None else recording.end
        return end is not None and end - row.end < GAP_S * SAMPLE_RATE

    def _cut(self, row: UtteranceRow) -> bool:
        """Whether a segment was closed for its length: it ends in speech, and in the last third of what it may be."""
        longest = self.config.vad.max_segment * SAMPLE_RATE
        return row.speech_end == row.end and row.end - row.first >= longest * 2 / 3 - FRAME_SAMPLES

    def _marked(self, reader: RingReader, row: UtteranceRow, result: Result) -> Result:
        """Return the text of a segment that was cut for its length with the mark that belongs at the cut."""
        recording = self.journal.recording(row.generation)
        beyond = min(reader.head, row.first + round(self.config.vad.max_segment * SAMPLE_RATE))
        if recording is not None and recording.end is not None:
            beyond = min(beyond, recording.end)  # what comes after that was not dictated
        try:
            if beyond <= row.end or reader.gaps(row.end, beyond):
                return result
            with self.busy():
                text = self.context.ahead(reader.samples, row.first, row.end, beyond, result.text.strip())
        except (RingLapped, RingRange, RingCorrupt, EngineFailed):
            return result  # a mark is not worth the words
        return msgspec.structs.replace(result, text=text)

    def hear(self, event: Event) -> None:
        """Remember the last pause, and what is told of utterances."""
        super().hear(event)
        body = event.body
        self.hearsay.hear(body)
        if isinstance(body, SpeechPause):
            self.pause = body
            self.gate_until = time.monotonic() + _GATE_WAIT_S if self.gate else 0.0
        elif isinstance(body, SpeechResumed | SpeechOnset | SegmentClosed):
            self.pause = None

    def work(self) -> None:
        """Decode the segments that wait; then, if nothing does, the one that may be about to close."""
        while (row := self.journal.oldest("segmented")) is not None:
            if not self._finish(row):
                return
        if self.pause is not None:
            if time.monotonic() < self.gate_until and self._whole_draft(self.pause) is None:
                return  # the lighter model may be sure of it
            self._speculate(self.pause)
            self.pause = None
        elif self.speculation is None:
            self.change()

    def _speculate(self, pause: SpeechPause) -> None:
        reader = self.ring(pause.stream)
        if reader is None or pause.trace == self.peril.shunned:
            return
        key = pause.stream, pause.first, pause.end
        draft = self._whole_draft(pause)
        if draft is not None and draft.confidence == "high":
            result = Result(draft.text, audio_s=(pause.end - pause.first) / SAMPLE_RATE)
            self.page.add("gated")
            self._read_ahead(Speculation(key, result, draft.window_id, draft.model))
            return
        window_id = now_ns()
        with self.peril.of(pause.trace) as named:
            if not named:
                return  # the decode that is counted is the only one
            try:
                result = self.decode(reader, pause.first, pause.end)
            except (RingLapped, RingRange, RingCorrupt, ModelError):
                return  # it was speculation; the endpoint decides what is lost
        failpoint("stt-final.after_speculation")
        self.page.add("speculated")
        self._read_ahead(Speculation(key, result, window_id, self.standby.model))

    def _read_ahead(self, speculation: Speculation) -> None:
        """Keep what was heard ahead of the endpoint, and tell how it ends."""
        self.speculation = speculation
        stream, first, end = speculation.key
        text = speculation.result.text.strip()
        if refuse(text, (end - first) / SAMPLE_RATE, self.loaded.evidence(speculation.result)) is None:
            how = ending(text, self.config.transform.language, marks=self.loaded.marks)
            self.publish(Reading(stream=stream, first=first, end=end, ending=how))

    def _whole_draft(self, pause: SpeechPause) -> Draft | None:
        """Return the draft of all that the final of this pause would be of, None where there is none or no gate."""
        return self.hearsay.whole_draft(pause) if self.gate else None

    def _finish(self, row: UtteranceRow) -> bool:
        """Bring one segment to its text; False if that cannot be done yet."""
        key = (row.stream, row.first, row.end)
        if self.pause is not None and self.pause.first == row.first:
            self.pause = None  # over
        window_id, model, speculative = now_ns(), "", False
        if self.speculation is not None and self.speculation.key == key:
            _, result, window_id, model = self.speculation
            speculative = True
            self.page.add("used")
        else:
            reader = self.ring(row.stream)
            if reader is None:
                return self._ring_missing(row)
            if not self._awake():
                return False
            decoded = self._attempt(reader, row)
            if decoded is None:
                return False
            if isinstance(decoded, str):
                return self._suppress(row, decoded, None)
            result, model = decoded, self.standby.model
        failpoint("stt-final.after_decode")
        self.speculation = None
        text = result.text.strip()
        evidence = self._evidence(key, result)
        reason = refuse(text, (row.end - row.first) / SAMPLE_RATE, evidence) if text else "no words"
        if reason is not None:
            return self._suppress(row, reason, text)
        whole = unmarked(text, self.config.transform.language)
        text = whole if self._last(row) else unstopped(whole, self.config.transform.language)
        self._remember(row, text, withheld=text != whole)
        continues, mend = (result.continues, result.mend) if isinstance(result, Decoded) else (False, None)
        drafts = self.hearsay.drafts(row.stream, row.first)
        if self.journal.transcribed(row.ordinal, text=text, model=model, mend=mend):
            failpoint("stt-final.after_commit")
            self.publish(
                Final(
                    stream=row.stream, first=row.first, end=row.end, text=text, window_id=window_id,
                    corrects_window_ids=tuple(draft.window_id for draft in drafts), model=model,
                    audio_s=result.audio_s, decode_s=result.decode_s, speculative=speculative,
                    continues=continues, mend=mend,
                    confidence=confidence(text, drafts[-1].text if drafts else None, result.log_prob),
                )
            )  # fmt: skip
        self.hearsay.forget(row.stream, row.first)
        return True

    def _awake(self) -> bool:
        """Whether the model is in memory; it is waited for where that is being seen to."""
        try:
            with self.busy():
                self.loaded.get()
        except ModelError as error:  # memory is short, say; what was said waits, and may come to be late
            if not self.asleep:
                self.notice("error", "model", f"nothing can be recognised: {error}; it is tried again")
            self.asleep = True
            return False
        self.asleep = False
        return True

    def _attempt(self, reader: RingReader, row: UtteranceRow) -> Result | str | None:
        """Decode one segment; return what was heard, or why it never will be, or None if that is not to be told yet."""
        attempt = self.journal.attempted(row.ordinal)
        if attempt > _ATTEMPTS:
            if time.monotonic() < self.heard_at:
                return None
            self.notice("error", "poison", f"an utterance is not typed: {_KILLED}; `sottovoce history list` shows when")
            return _KILLED
        if attempt > 1:
            self.context.forget()  # it may be the joint decode that kills
        try:
            result = self.decode(reader, row.first, row.end)
            return self._marked(reader, row, result) if attempt == 1 and self._cut(row) else result
        except RingLapped:
            return "its audio was overwritten before it could be decoded"
        except (RingRange, RingCorrupt) as error:
            return f"its audio is damaged: {error}"
        except EngineFailed as error:  # it would fail again, and hold back all that follow
            self.notice("error", "engine", str(error))
            return "the recogniser failed on it"

    def _ring_missing(self, row: UtteranceRow) -> bool:
        """The ring is not there: still to come, if capture is just being restarted, or gone for good."""
        if row.boot == boot_id() and row.age_s() < self.config.inject.deliver_within and self.reader is None:
            return False
        return self._suppress(row, "its audio is gone: the ring it was in was replaced", None)

    def _suppress(self, row: UtteranceRow, reason: str, text: str | None) -> bool:
        self.context.forget()
        if self.journal.suppressed(row.ordinal, reason=reason, text=text, model=self.model):
            self.publish(Suppressed(stream=row.stream, first=row.first, reason=reason))
            self.log.info("suppressed", reason=reason, trace=row.trace)
        self.hearsay.forget(row.stream, row.first)
        return True

    def _evidence(self, key: tuple[int, int, int], result: Result) -> Evidence:
        """Return what is known of a segment besides its text; after a restart, not what the VAD told."""
        stream, first, end = key
        closed = self.hearsay.closed(stream, first)
        reader = self.ring(stream)
        try:
            samples = None if reader is None else reader.samples(first, end)
        except (RingLapped, RingRange, RingCorrupt):
            samples = None
        if closed is None:
            return self.loaded.evidence(result, samples)
        return self.loaded.evidence(result, samples, speech_s=closed.speech_s, sure=closed.sure)
