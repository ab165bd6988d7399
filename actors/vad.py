"""The VAD stage: reads every frame of a recording, and journals a row for each stretch of speech."""

from __future__ import annotations

import time
from typing import ClassVar

import zmq

from sottovoce.actors.base import Actor, run
from sottovoce.actors.detector import Detector
from sottovoce.actors.failpoints import failpoint
from sottovoce.actors.segmenter import Action, Closed, Onset, Pause, Resumed
from sottovoce.actors.turn import TurnJudge
from sottovoce.models import EngineFailed
from sottovoce.models.runtime import check_onnxruntime
from sottovoce.protocol.bus import BATCH, REST_S
from sottovoce.protocol.clocks import SAMPLE_RATE, now_ns, suspended_ns
from sottovoce.protocol.messages import (
    MAX_BYTES,
    Event,
    Final,
    Reading,
    SegmentClosed,
    SegmentsDrained,
    SpeechOnset,
    SpeechPause,
    SpeechResumed,
)
from sottovoce.protocol.reopen import Reopener
from sottovoce.protocol.rows import Recording
from sottovoce.shm import FRAME_SAMPLES, Frame, RingCorrupt, RingMissing, RingReader, RingStale

_FRAMES_A_TURN = 64  # some 10 ms of work between two heartbeats while it catches up


class Vad(Actor):
    """Finds segments."""

    name = "vad"
    hears = ("capture.", "state.pipeline", "transcript.reading", "transcript.final")
    counts: ClassVar[tuple[str, ...]] = ("frames", "position", "lost_samples", "bad_frames", "segments")
    times: ClassVar[tuple[str, ...]] = ("frame_us", "lag_us")

    def setup(self) -> None:
        """Load the detector."""
        runtime = check_onnxruntime()
        self.log.info("onnxruntime", flavour=runtime.flavour, version=runtime.version)
        self.detector = Detector(self.config.vad)
        self.turn = TurnJudge(self.config.vad)
        self.reader: RingReader | None = None
        self.recording: Recording | None = None
        self.begun = (0, 0)  # (generation, stream) that the detector is in
        self.more = False
        self.reading: Reading | None = None
        self.bad = 0  # frames that this reader found damaged
        self.doorbell: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.SUB)
        self.doorbell.set(zmq.RCVHWM, 16)
        self.doorbell.set(zmq.MAXMSGSIZE, MAX_BYTES)
        self.doorbell.set(zmq.RECONNECT_IVL, 20)
        self.doorbell.set(zmq.SUBSCRIBE, b"")
        self.reopener = Reopener(self.doorbell)
        self.doorbell.connect(self.paths.doorbell)
        self.poller.register(self.doorbell, zmq.POLLIN)
        self.frame_us = self.page.histogram("frame_us")
        self.lag_us = self.page.histogram("lag_us")

    def hear(self, event: Event) -> None:
        """Follow what the recogniser finds: how the text before a pause ends, and whether an endpoint was too early."""
        body = event.body
        if isinstance(body, Reading | Final) and self.reader is not None and body.stream == self.reader.stream:
            if isinstance(body, Final):
                self.detector.heard(body.first, body.continues)
            else:
                self.reading = body

    def sleep_ms(self) -> int:
        """Return 0 while frames wait, else 100 ms: a doorbell may be lost."""
        return 0 if self.more else 100 if self.recording is not None else super().sleep_ms()

    def work(self) -> None:
        """Look at the frames that have come."""
        self._answer_doorbell()
        if self.journal.changed() or self.recording is not None:
            self.recording = self.journal.undrained()
        self.more = False
        if self.recording is None or not self._attach(self.recording):
            return
        recording, reader = self.recording, self.reader
        assert reader is not None  # noqa: S101 - _attach returned True
        self._begin(recording, reader)
        try:
            self._read(recording, reader)
            self._tell_bad(reader)
        except RingCorrupt as error:  # found again from the journalled position, once capture has mended it
            self.log.warning("ring", error=str(error))
            reader.close()
            self.reader = None

    def _read(self, recording: Recording, reader: RingReader) -> None:
        """Look at the next frames, a turn's worth."""
        self._learn(recording, reader)
        for _ in range(_FRAMES_A_TURN):
            if recording.end is not None and self.detector.position >= recording.end:
                self._drain(recording)
                return
            frame = reader.read()
            if frame is None:
                if recording.end is not None and reader.head <= self.detector.position:
                    self._drain(recording)  # it ended in a gap
                return
            self._look(recording, reader, frame)
        self.more = True

    def _learn(self, recording: Recording, reader: RingReader) -> None:
        """Take in what has been found out about the pause that may be the end."""
        actions: list[Action] = []
        if self.reading is not None:
            actions += self.detector.read(self.reading.first, self.reading.end, self.reading.ending)
            self.reading = None
        try:
            if (judged := self.turn.answer()) is not None:
                pause, turn = judged
                actions += self.detector.judge(pause.first, pause.end, turn)
        except EngineFailed as error:
            self.notice("warning", "turn", f"{error}; until the next start, the words alone tell the end of a sentence")
        for action in actions:
            self._act(recording, reader, action)

    def _answer_doorbell(self) -> None:
        self.reopener.turn()
        for _ in range(BATCH):
            try:
                self.doorbell.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
        time.sleep(REST_S)  # somebody floods it; see `protocol.bus`

    def _attach(self, recording: Recording) -> bool:
        """Have a reader on the ring that `recording` is in; False while there is none."""
        if self.reader is not None and self.reader.stream == recording.stream and not self.reader.stale():
            return True
        if self.reader is not None:
            self.reader.close()
            self.reader = None
        try:
            reader = RingReader.attach(self.paths.ring)
        except (RingMissing, RingStale, RingCorrupt):  # capture mends or replaces it
            return False
        if reader.stream != recording.stream:
            reader.close()
            if recording.end is not None:  # its ring is gone, and nothing more of it can be found
                self.notice("warning", "ring", "a recording's audio is gone: its ring was replaced")
                self._finish(recording)
            return False
        self.reader, self.begun, self.bad = reader, (0, 0), 0
        return True

    def _begin(self, recording: Recording, reader: RingReader) -> None:
        assert recording.stream is not None  # noqa: S101 - `undrained` returns none without
        assert recording.first is not None  # noqa: S101
        if self.begun == (recording.generation, recording.stream):
            return
        self.begun = (recording.generation, recording.stream)
        position = recording.first if recording.position is None else recording.position
        floor = recording.first if recording.floor is None else recording.floor
        reader.seek(position)
        self.detector.restart(position, floor)
        # Now, not with the first frame: a file that is fed as fast as it goes waits for who seems to be far behind.
        self.page.set("position", position)

    def _tell_bad(self, reader: RingReader) -> None:
        bad = reader.statistics().bad
        if bad > self.bad:
            self.page.add("bad_frames", bad - self.bad)
            lost_s = (bad - self.bad) * FRAME_SAMPLES / SAMPLE_RATE
            self.notice("warning", "ring", f"{lost_s:.2f} s of audio were damaged in the ring, and are left out")
        self.bad = bad

    def _look(self, recording: Recording, reader: RingReader, frame: Frame) -> None:
        began = time.perf_counter_ns()
        self.turn.hear(frame.sample_index, frame.samples)
        actions = self.detector.push(frame.sample_index, frame.samples)
        self.page.add("frames")
        self.page.set("position", self.detector.position)
        for action in actions:
            self._act(recording, reader, action)
        ended = time.perf_counter_ns()
        self.frame_us.observe((ended - began) // 1000)
        self.lag_us.observe(max(0, now_ns() - frame.capture_ns) // 1000)

    def _act(self, recording: Recording, reader: RingReader, action: Action) -> None:
        stream = reader.stream
        if isinstance(action, Onset):
            self.publish(SpeechOnset(stream=stream, first=action.first))
        elif isinstance(action, Pause):
            self.publish(SpeechPause(stream=stream, first=action.first, end=action.end))
            self.turn.ask(action)
        elif isinstance(action, Resumed):
            self.publish(SpeechResumed(stream=stream, first=action.first))
        elif isinstance(action, Closed):
            self._close(recording, reader, action)
            if action.reason == "length":
                reader.seek(action.position)
        else:
            self.journal.vad_moved(recording.generation, stream=stream, position=action.position, floor=action.floor)

    def _close(self, recording: Recording, reader: RingReader, segment: Closed) -> None:
        """Journal the segment, then tell."""
        spoken_ns, asleep_ns = _spoken(reader, segment)
        failpoint("vad.before_segment")
        new = self.journal.segmented(
            generation=recording.generation, stream=reader.stream, first=segment.first, end=segment.end,
            speech_end=segment.speech_end, position=segment.position, spoken_ns=spoken_ns,
            wall_ns=time.time_ns() - (now_ns() - spoken_ns) - (suspended_ns() - asleep_ns),
            asleep_ns=asleep_ns,  # of now it would make what was said before a suspend look fresh
            turn=segment.turn,
        )  # fmt: skip
        failpoint("vad.after_segment")
        if new:
            self.page.add("segments")
            self.publish(
                SegmentClosed(
                    stream=reader.stream, first=segment.first, end=segment.end, speech_end=segment.speech_end,
                    reason=segment.reason, turn=segment.turn, speech_s=round(segment.speech / SAMPLE_RATE, 3),
                    sure=round(segment.sure, 3),
                )
            )  # fmt: skip
            self.log.info(
                "segment", seconds=round((segment.end - segment.first) / SAMPLE_RATE, 2), reason=segment.reason
            )

    def _drain(self, recording: Recording) -> None:
        """Every frame has been seen: end what is open, and say so."""
        assert self.reader is not None  # noqa: S101 - called after _attach
        for action in self.detector.flush():
            self._close(recording, self.reader, action)
        self.page.set("lost_samples", self.reader.statistics().lost_samples)
        self._finish(recording)

    def _finish(self, recording: Recording) -> None:
        self.begun = (0, 0)
        failpoint("vad.before_drained")
        if self.journal.vad_drained(recording.generation):
            failpoint("vad.after_drained")
            self.publish(SegmentsDrained(generation=recording.generation))
        self.recording = None
        self.more = True  # another recording may wait

    def teardown(self) -> None:
        """Let the ring go."""
        self.turn.close()
        self.reopener.close()
        self.doorbell.close()
        if self.reader is not None:
            self.reader.close()


def _spoken(reader: RingReader, segment: Closed) -> tuple[int, int]:
    """Return when its last speech was captured (CLOCK_MONOTONIC ns), and how long this boot had been suspended then."""
    # Not counted back from now: the machine may have slept since, or samples may be missing.
    last = reader.frame(segment.speech_end - 1)
    if last is None:  # overwritten: the stage is a whole ring behind
        return now_ns(), suspended_ns()
    return last.capture_ns - (last.end - segment.speech_end) * 10**9 // SAMPLE_RATE, last.asleep_ns


if __name__ == "__main__":
    run(Vad)
