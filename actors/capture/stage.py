"""The capture stage: reconciles what is recorded with what the conductor wants."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import zmq

from sottovoce.actors.audiofile import AudioFileError
from sottovoce.actors.base import Actor
from sottovoce.actors.capture.feed import Feed, FeedEnded
from sottovoce.actors.capture.file import FileFeed
from sottovoce.actors.capture.microphone import Microphone, MicrophoneFeed, MicrophoneStuck
from sottovoce.actors.capture.tap import Through
from sottovoce.actors.failpoints import failpoint
from sottovoce.actors.lossy import rung
from sottovoce.actors.sources import AudioFile, parse_source
from sottovoce.protocol.clocks import SAMPLE_RATE, boot_id, now_ns, suspended_ns
from sottovoce.protocol.exceptions import JournalUnavailable
from sottovoce.protocol.messages import AudioLevel, CaptureEnded, CaptureStarted, Frames, encode
from sottovoce.protocol.rows import Recording
from sottovoce.shm import CountersView, RingReader, RingWriter, ShmError, ShmFull

_DOORBELL_HWM = 16
_HEARD_AFTER_S = 0.25  # until then after a start, a notice finds no subscribers
_SLEPT_NS = 1_000_000_000
_STOPPED_S = 1.5  # a turn takes 0.5 s at most; longer, the sound system is taken for silent (`microphone`)
_LEVEL_EVERY_S = 0.1
_KNOWN_SAMPLES = SAMPLE_RATE // 2  # the first block of a stream may come late; until then one came that does not
_AHEAD_SAMPLES = 10 * SAMPLE_RATE  # how far a file at pace 0 runs ahead of the slowest stage


class Capture(Actor):
    """Writes the ring."""

    name = "capture"
    hears = ("state.pipeline",)
    counts = ("frames", "xruns", "position", "gaps", "lost_ms", "reopened", "clipped_ms")
    times = ("clipped",)

    def setup(self) -> None:
        """Take the ring, going on after the last valid frame of a predecessor."""
        self._ring: RingWriter | None = None
        self.full = False
        self.untold = ""
        self.tell_at = time.monotonic() + _HEARD_AFTER_S
        self.asleep_ns = suspended_ns()
        self.turned_at = time.monotonic()
        self.doorbell: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.PUB)
        self.doorbell.set(zmq.SNDHWM, _DOORBELL_HWM)
        self.doorbell.set(zmq.LINGER, 0)
        self.doorbell.set(zmq.MAXMSGSIZE, 256)  # of subscriptions; see `protocol.bus`
        self.doorbell.bind(self.paths.doorbell)
        self.feed: Feed | None = None
        self.generation = 0
        self.microphone: Microphone | None = None
        self.opening = 0
        """Generation of the recording for which the microphone is being opened; 0 for none."""
        self.clipped_of: int | None = None
        """CLOCK_MONOTONIC of the wish, until it is known what was said between it and the first sample."""
        self.level_at = 0.0
        self.told_failure: str | None = None
        self.counted = Through()
        self.stale = True
        self._take_ring()

    @property
    def ring(self) -> RingWriter:
        """The ring, once there is room for it."""
        assert self._ring is not None  # noqa: S101 - work() goes no further without it
        return self._ring

    def work(self) -> None:
        """Open, pump or close the source."""
        if self.untold and time.monotonic() >= self.tell_at:
            self.notice("warning", "ring", self.untold)
            self.untold = ""
        if not self._take_ring():
            return
        self._tell_sleep()
        self._turn_microphone()
        if self.journal.changed() or self.stale or self.opening:
            self.stale = False
            self._reconcile()
        if self.feed is not None:
            self._pump(self.feed)
        self.ring.beat()

    def _take_ring(self) -> bool:
        """Have a ring that is as it should be; False while there is no room for it."""
        try:
            if self._ring is None:
                self._ring = RingWriter.open(self.paths.ring, seconds=self.config.capture.ring_seconds)
                if self._ring.replaced:
                    self.untold = (
                        f"a new ring was begun, and what was only in the old one is lost: {self.ring.replaced}"
                    )
            elif (wrong := self._ring.mend()) is not None:
                self.notice("warning", "ring", f"the audio ring was damaged by somebody else and is mended: {wrong}")
        except ShmFull as error:
            if not self.full:
                self.full = True
                self.notice("error", "full", f"nothing can be recorded: {error}; goes on by itself once there is room")
            if self._ring is not None:  # cut short, and to touch it could end in SIGBUS
                self._close_feed()
                self._ring.close()
                self._ring, self.stale = None, True
            return False
        if self.full:
            self.full = False
            self.notice("info", "full", "there is room for the audio ring again")
        return True

    def _tell_sleep(self) -> None:
        slept, self.asleep_ns = suspended_ns() - self.asleep_ns, suspended_ns()
        if slept > _SLEPT_NS and self.feed is not None:
            self.notice("info", "slept", f"the machine slept for {slept / 1e9:.0f} s; the recording goes on")
        away, self.turned_at = time.monotonic() - self.turned_at, time.monotonic()
        if away > _STOPPED_S and isinstance(self.feed, MicrophoneFeed):
            self.notice("warning", "slept", f"the service did not run for {away:.0f} s; the recording goes on")

    def endure(self, error: JournalUnavailable) -> bool:
        """Wait for the journal, and do not take that for a stop of this process."""
        goes_on = super().endure(error)
        self.turned_at = time.monotonic()
        return goes_on

    def sleep_ms(self) -> int:
        """Return the time until the feed's next block."""
        limits = [super().sleep_ms()]
        if self.feed is not None:
            limits.append(self.feed.sleep_ms())
        if self.microphone is not None:
            limits.append(self.microphone.sleep_ms())
        return min(limits)

    # -- the microphone ------------------------------------------------------------------------------------------------

    def _turn_microphone(self) -> None:
        """Let it do what is due, and tell what came of it."""
        if self.microphone is None:
            if self.config.capture.standby == "closed":
                return
            self._have_microphone().want(True)
        microphone = self._have_microphone()
        try:
            microphone.turn()
        except MicrophoneStuck as error:
            self.notice("warning", "source", f"{error}; capture is replaced and goes on")
            self.stopping = True  # the warden starts it again
            return
        self.page.set("reopened", microphone.reopened)
        if not self.opening and self.feed is None and microphone.failure != self.told_failure:
            self.told_failure = microphone.failure
            if microphone.failure is not None:
                self.notice("warning", "source", f"{microphone.failure}; it is tried again and again")

    def _have_microphone(self) -> Microphone:
        if self.microphone is None:
            self.microphone = Microphone(self.config.capture, self.notice)
            self.poller.register(self.microphone.wake, zmq.POLLIN)
        return self.microphone

    def _is_open(self, recording: Recording) -> bool:
        """Have the microphone opened, which takes its time; a new recording for which it cannot be is given up."""
        microphone = self._have_microphone()
        if self.opening != recording.generation:
            self.opening = recording.generation
            microphone.want(True)
        if microphone.state != "open" and microphone.failure is not None and recording.stream is None:
            self.told_failure = microphone.failure
            self.journal.capture_failed(recording.generation, reason=microphone.failure)
            self.notice("error", "source", microphone.failure)
            self._stand_by()
        return microphone.state == "open"

    def _stand_by(self) -> None:
        self.opening = 0
        if self.microphone is not None:
            self.microphone.want(self.config.capture.standby == "warm")

    def _listen(self, recording: Recording, *, same_ring: bool) -> MicrophoneFeed:
        """Let the open microphone into the ring, from the wish on, or from where it broke off."""
        capture = self.config.capture
        preroll_ns = int(capture.preroll * 1e9) if capture.standby == "warm" else 0
        self.clipped_of = recording.requested_ns if recording.stream is None else None
        self.opening, self.counted = 0, Through()
        through = self._before() if same_ring else Through()
        return MicrophoneFeed(self._have_microphone(), self.ring, through, since_ns=recording.requested_ns - preroll_ns)

    def _before(self) -> Through:
        """Return where a predecessor left off: the index jumps over what is lost, a gap is never spliced silently."""
        with RingReader.attach(self.paths.ring) as reader:
            last = reader.frame(max(0, reader.head - 1))
        if last is None:
            return Through()
        return Through(until_ns=last.capture_ns + last.asleep_ns, ahead=self.ring.position - last.end)

    def _tell_heard(self, feed: MicrophoneFeed) -> None:
        """Publish the level, and tell what was lost."""
        through = feed.through
        if through.passed > _KNOWN_SAMPLES:
            self._tell_clipped(through)
        if (gaps := through.gaps - self.counted.gaps) > 0:
            lost = through.lost - self.counted.lost
            self.page.add("gaps", gaps)
            self.page.add("lost_ms", lost * 1000 // SAMPLE_RATE)
            self.counted = Through(gaps=through.gaps, lost=through.lost)
            self.notice("warning", "gap", f"{lost / SAMPLE_RATE:.1f} s of audio were not captured")
        if time.monotonic() >= self.level_at and (level := feed.microphone.level()) is not None:
            self.level_at = time.monotonic() + _LEVEL_EVERY_S
            self.publish(
                AudioLevel(
                    generation=self.generation,
                    peak_dbfs=level.peak_dbfs, rms_dbfs=level.rms_dbfs, clipped=level.clipped,
                )
            )  # fmt: skip

    def _tell_clipped(self, through: Through) -> None:
        """Tell, once, what was said between the wish and the first sample."""
        if self.clipped_of is not None and through.began_ns is not None:
            clipped_ns = max(0, through.began_ns - suspended_ns() - self.clipped_of)
            self.clipped_of = None
            self.page.observe("clipped", clipped_ns // 1000)
            self.page.set("clipped_ms", clipped_ns // 1_000_000)
            self.log.info("listening", clipped_ms=clipped_ns // 1_000_000)

    # -- recordings ----------------------------------------------------------------------------------------------------

    def _reconcile(self) -> None:
        if self.opening and not self._still_wanted(self.opening):
            self._stand_by()
        for recording in self.journal.open_recordings():
            if recording.wanted and recording.generation != self.generation:
                self._begin(recording)
            elif not recording.wanted and recording.stream is not None and recording.end is None:
                self._end(recording, "stop")

    def _still_wanted(self, generation: int) -> bool:
        recording = self.journal.recording(generation)
        return recording is not None and recording.wanted

    def _begin(self, recording: Recording) -> None:
        source = parse_source(recording.source)
        if not isinstance(source, AudioFile) and not self._is_open(recording):
            return
        if recording.stream == self.ring.stream and recording.first is not None:
            # This process is the successor of one that died in the midst of it.
            done = recording.source_offset + self.ring.position - recording.first
        else:
            # A new recording; or its ring had to be replaced, and what the VAD had not journalled is fed once more.
            done = recording.source_offset + max(0, (recording.position or 0) - (recording.first or 0))
        feed: Feed | None = None
        if isinstance(source, AudioFile):
            try:
                feed = FileFeed(self.ring, Path(source.path), pace=source.pace, offset=done, room=self._room)
            except AudioFileError as error:
                if recording.stream is None:
                    self.journal.capture_failed(recording.generation, reason=str(error))
                else:
                    self._end(recording, str(error))
                self.notice("error", "source", str(error))
                return
        failpoint("capture.before_begin")
        if recording.stream != self.ring.stream and not self.journal.capture_began(
            recording.generation,
            stream=self.ring.stream, first=self.ring.position, source_offset=done, position=recording.position,
        ):  # fmt: skip
            if feed is not None:
                feed.close()
            self.stale = True  # stopped meanwhile, or the VAD has entered one more segment of the old ring: look again
            return
        failpoint("capture.after_begin")
        first = self.ring.position
        self.feed = feed or self._listen(recording, same_ring=recording.stream == self.ring.stream)
        self.generation = recording.generation
        self.publish(
            CaptureStarted(generation=recording.generation, stream=self.ring.stream, first=first, source=str(source))
        )

    def _pump(self, feed: Feed) -> None:
        try:
            if feed.pump():
                failpoint("capture.after_publish")
                self._ring_doorbell()
                if isinstance(feed, MicrophoneFeed):
                    self._tell_heard(feed)
        except FeedEnded as end:
            recording = self.journal.recording(self.generation)
            if end.reason != "eof":
                self.notice("error", "source", end.reason)
            if recording is not None:
                self._end(recording, end.reason)

    def _ring_doorbell(self) -> None:
        statistics = self.ring.statistics()
        self.page.set("frames", statistics.frames)
        self.page.set("xruns", statistics.xruns)
        self.page.set("position", self.ring.position)
        body = Frames(stream=self.ring.stream, seq=statistics.seq, head=self.ring.position)
        for frames in rung([encode(body, src=self.name, boot=boot_id(), seq=statistics.seq, t_ns=now_ns())]):
            self.doorbell.send_multipart(frames)

    def _end(self, recording: Recording, reason: str) -> None:
        """Close the source, then say where its samples end: nothing is published for it after that."""
        if recording.generation == self.generation:
            self._close_feed()
        end = self.ring.position if recording.stream == self.ring.stream else (recording.position or recording.first)
        assert end is not None  # noqa: S101 - capture_began sets first with stream
        failpoint("capture.before_end")
        if self.journal.capture_ended(recording.generation, end=end, reason=reason):
            failpoint("capture.after_end")
            self.publish(CaptureEnded(generation=recording.generation, stream=self.ring.stream, end=end, reason=reason))

    def _close_feed(self) -> None:
        if self.feed is None:
            return
        self.feed.close()
        if isinstance(self.feed, MicrophoneFeed):
            self._tell_clipped(self.feed.through)  # of a short one
            self._stand_by()
        self.feed, self.generation = None, 0

    def _room(self) -> int:
        """How many samples may be added before the slowest stage would be left behind by more than 10 s."""
        waiting = self.journal.oldest("segmented")
        reached = self.ring.position if waiting is None else waiting.first
        with contextlib.suppress(ShmError):
            view = CountersView.attach(self.paths.counters("vad"))
            reached = min(reached, view.counters()["position"])
            view.close()
        return _AHEAD_SAMPLES - (self.ring.position - reached)

    def teardown(self) -> None:
        """Leave the ring for a successor; the recording goes on there."""
        self._close_feed()
        if self.microphone is not None:
            self.microphone.close()
        self.doorbell.close()
        if self._ring is not None:
            self._ring.close()
