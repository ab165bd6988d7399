"""The STT stages: `stt-final` decodes closed segments, whose text is typed; `stt-draft` the open one, to be shown.

They are two processes of one program, so that a draft never waits for a final nor the reverse, and one may die alone.
Neither receives audio: a message names a range of samples, and the ring has them.
"""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from typing import ClassVar

import msgspec

from sottovoce.actors.base import run
from sottovoce.actors.context import GAP_S, ContextDecoder, Decoded, unstopped
from sottovoce.actors.draft import DraftRecogniser
from sottovoce.actors.endpoint import ending, unmarked
from sottovoce.actors.failpoints import failpoint
from sottovoce.actors.fallback import Fallback
from sottovoce.actors.guard import refuse
from sottovoce.actors.recogniser import Recogniser
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
_KILLED = f"the recogniser died {_ATTEMPTS} times while it decoded this"


class FinalRecogniser(Recogniser):
    """Decodes what is journalled as segmented; on a pause, decodes ahead of the endpoint, on speculation.

    An utterance that kills the engine must not hold up for ever what follows. Each decode of a segment is counted in
    the journal before it begins, and `_ATTEMPTS` are made. A decode on speculation has no row to be counted in: a file
    names its utterance as long as it lasts, and a successor that finds it speculates on that one no more. So one such
    utterance costs one death more than the attempts, which is within the warden's five.
    """

    name = "stt-final"
    hears = ("segment.closed", "speech.", "transcript.draft")
    counts: ClassVar[tuple[str, ...]] = (*Recogniser.counts, "speculated", "used")

    def setup(self) -> None:
        """Load; take over what a predecessor has heard, not what it speculated."""
        self.fallback = Fallback(self.paths, self.config.stt.final)
        super().setup()
        self.context = ContextDecoder(self.engine, limit_s=self.config.stt.final.context)
        self.speculating = self.paths.runtime / f"{self.name}.speculating"
        self.shunned = self.speculating.read_text() if self.speculating.exists() else ""
        self.heard_at = time.monotonic() + _HEARD_AFTER_S
        self.stream = 0
        for row in self.journal.utterances(limit=8):
            if row.boot == boot_id() and row.heard:
                self._remember(row, row.heard)
        self.pause: SpeechPause | None = None
        self.speculation: tuple[tuple[int, int, int], Result, int] | None = None
        self.drafts: defaultdict[tuple[int, int], list[int]] = defaultdict(list)

    def settings(self) -> FinalConfig:
        """Return `[stt.final]`."""
        return self.config.stt.final

    def load(self, model: str) -> None:
        """Load a model, or the fallback where it is known, or found out now, that this one cannot be used."""
        spare = self.config.stt.final.fallback
        if self.fallback.taken:
            super().load(spare)
            return
        try:
            super().load(model)
        except ModelError as error:
            if not self.fallback.exists:
                raise
            try:
                super().load(spare)
            except ModelError as second:
                raise ModelError(f"{error}; and its fallback: {second}") from error
            self.notice("warning", "fallback", self.fallback.take(f"which cannot be used ({error})"))

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
        """Remember the last pause, and which drafts belong to which utterance."""
        body = event.body
        if isinstance(body, SpeechPause):
            self.pause = body
        elif isinstance(body, SpeechResumed | SpeechOnset | SegmentClosed):
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
        if reader is None or pause.trace == self.shunned:
            return
        window_id = now_ns()
        try:
            self.speculating.write_text(pause.trace)
        except OSError:  # no room for the name: then the decode that is counted is the only one
            self.speculating.unlink(missing_ok=True)
            return
        try:
            result = self.decode(reader, pause.first, pause.end)
        except (RingLapped, RingRange, RingCorrupt, EngineFailed):
            return  # it was speculation; the endpoint decides what is lost
        finally:
            self.speculating.unlink()
        failpoint("stt-final.after_speculation")
        self.speculation = ((pause.stream, pause.first, pause.end), result, window_id)
        self.page.add("speculated")
        text = result.text.strip()
        if refuse(text, (pause.end - pause.first) / SAMPLE_RATE) is None:
            how = ending(text, self.config.transform.language, marks=self.marks)
            self.publish(Reading(stream=pause.stream, first=pause.first, end=pause.end, ending=how))

    def _finish(self, row: UtteranceRow) -> bool:
        """Bring one segment to its text; False if that cannot be done yet."""
        key = (row.stream, row.first, row.end)
        if self.pause is not None and self.pause.first == row.first:
            self.pause = None  # over
        window_id, speculative = now_ns(), False
        if self.speculation is not None and self.speculation[0] == key:
            _, result, window_id = self.speculation
            speculative = True
            self.page.add("used")
        else:
            reader = self.ring(row.stream)
            if reader is None:
                return self._ring_missing(row)
            decoded = self._attempt(reader, row)
            if decoded is None:
                return False
            if isinstance(decoded, str):
                return self._suppress(row, decoded, None)
            result = decoded
        failpoint("stt-final.after_decode")
        self.speculation = None
        text = result.text.strip()
        reason = refuse(text, (row.end - row.first) / SAMPLE_RATE) if text else "no words"
        if reason is not None:
            return self._suppress(row, reason, text)
        whole = unmarked(text, self.config.transform.language)
        text = whole if self._last(row) else unstopped(whole, self.config.transform.language)
        self._remember(row, text, withheld=text != whole)
        continues, mend = (result.continues, result.mend) if isinstance(result, Decoded) else (False, None)
        if self.journal.transcribed(row.ordinal, text=text, model=self.model, mend=mend):
            failpoint("stt-final.after_commit")
            self.publish(
                Final(
                    stream=row.stream, first=row.first, end=row.end, text=text, window_id=window_id,
                    corrects_window_ids=tuple(self.drafts.pop((row.stream, row.first), ())), model=self.model,
                    audio_s=result.audio_s, decode_s=result.decode_s, speculative=speculative,
                    continues=continues, mend=mend,
                )
            )  # fmt: skip
        self._forget_drafts(row)
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
        self._forget_drafts(row)
        return True

    def _forget_drafts(self, row: UtteranceRow) -> None:
        for key in [key for key in self.drafts if key <= (row.stream, row.first)]:
            del self.drafts[key]


ROLES = {"final": FinalRecogniser, "draft": DraftRecogniser}

if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] != "--role" or sys.argv[2] not in ROLES:
        sys.exit(f"usage: python -m sottovoce.actors.stt --role {'|'.join(ROLES)}")
    run(ROLES[sys.argv[2]])
