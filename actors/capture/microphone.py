"""The microphone: kept open while it is wanted, and opened again when it breaks off.

What breaks, and what it looks like from here (all of it seen with PulseAudio 16):

- *A source is unplugged.* The server moves the stream to another source without a word, or ends it.
- *The server dies.* The callbacks stop, without an exception; PortAudio's list of devices knows nothing of a
  new server.
- *The server hangs.* The callbacks stop, and whatever PortAudio is asked, to stop the stream for one, blocks until the
  server goes on or dies.
- *The machine sleeps.* The callbacks go on where they were; the clocks tell how long it was.

So nothing that may block is done by the stage's loop. One thread opens and closes (`device`), a second one asks the
sound server what really is recorded (`soundserver`), PortAudio's own calls the `Tap`. The loop looks at what they
found, decides, and tells the person:

    closed --wanted--> opening --> open --lost--> closing --> waiting --every 0.3 s--> opening
                          +--failed--> waiting     +--not wanted any more--> closed

What is lost is a gap in the ring, as long as it lasted. A thread that hangs although its server answers others again
is beyond help; then the whole process is replaced, and its successor goes on.
"""

from __future__ import annotations

import os
import queue
import select
import threading
from collections.abc import Callable
from typing import Any, Literal

from sottovoce.actors.capture.device import MicrophoneUnavailable, OpenInput, Wanted, close_input, open_input
from sottovoce.actors.capture.level import Level
from sottovoce.actors.capture.soundserver import PulseSource, SoundServerGone, SoundServerSilent, View, Watcher
from sottovoce.actors.capture.tap import Tap, Through
from sottovoce.protocol.clocks import now_ns
from sottovoce.protocol.config import CaptureConfig
from sottovoce.shm import RingWriter

Tell = Callable[[Literal["info", "warning", "error"], str, str], None]

_FIRST_NS = 4_000_000_000
"""A first callback may take 2 s (DESIGN section 6)."""
_SILENT_NS = 1_500_000_000
"""One comes every 32 ms; with all processors busy for others the longest wait seen was 0.2 s."""
_AGAIN_NS = 300_000_000
_PATIENT_AFTER = 30
_PATIENT_AGAIN_NS = 1_000_000_000
"""After 30 attempts, and while nobody records: each may make PortAudio look at all devices anew."""
_SHORT_NS = 1_000_000_000
"""What breaks off sooner after it was opened is not opened again at once."""
_HUNG_NS = 2_500_000_000
_STUCK_NS = 10_000_000_000
_FRESH_NS = 2_000_000_000
"""A server that answers is asked every second. One that hung for longer than `_STUCK_NS` answers the next question some
milliseconds before the call returns that it held up, so a single answer proves nothing."""

State = Literal["closed", "opening", "open", "closing", "waiting"]


class MicrophoneStuck(Exception):
    """A call into the sound system does not return although others are answered: only a new process helps."""


class Microphone:
    """The input device.

    Args:
        config: which one, and how.
        tell: told what a person should know: level, code, text.
    """

    def __init__(self, config: CaptureConfig, tell: Tell) -> None:
        self._config, self._tell = config, tell
        self.wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        """Readable when there is something to look at. Never closed: a thread that was left behind may write to it."""
        self.state: State = "closed"
        self.failure: str | None = None
        """Why the last attempt to open it failed; None since it was first wanted, or open."""
        self._wanted = False
        self._open: OpenInput | None = None
        self._last: PulseSource | None = None
        self._title = ""
        self._began_ns = 0
        self._again_ns = 0
        self._attempts = 0
        self._hung = False
        self._answers_ns = 0
        """Since when the server has answered while the worker works; 0 where it does not."""
        self._broken: str | None = None
        self._lived_ns = 0
        self._ring: tuple[RingWriter, Through, int] | None = None
        self._watcher: Watcher | None = None
        self._jobs: queue.SimpleQueue[Callable[[], OpenInput | None]] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[OpenInput | Exception | None] = queue.SimpleQueue()
        self._worker: threading.Thread | None = None
        self.reopened = 0

    # -- what the stage wants ------------------------------------------------------------------------------------------

    def want(self, wanted: bool) -> None:
        """Have it open, or not; `turn` sees to it."""
        if wanted and (not self._wanted or self.state == "waiting"):
            self.failure, self._again_ns, self._attempts = None, 0, 0
            if self._ring is None:  # a new recording has nothing to come back to
                self._broken = None
        self._wanted = wanted

    def record(self, writer: RingWriter, through: Through, *, since_ns: int) -> None:
        """Let into the ring what it hears from now on, and what it has held since `since_ns` (CLOCK_MONOTONIC)."""
        self._ring = writer, through, since_ns
        if self._open is not None:
            self._open.tap.turn_on(writer, through, since_ns=since_ns)

    def rest(self) -> None:
        """Let nothing more into the ring."""
        self._ring = None
        if self._open is not None:
            self._open.tap.turn_off()

    def sleep_ms(self) -> int:
        """Return how long `turn` may be put off at most; `wake` ends that sooner."""
        return max(0, min(250, (self._again_ns - now_ns()) // 1_000_000)) if self.state == "waiting" else 250

    def level(self) -> Level | None:
        """Return how loud it was since the last call."""
        return None if self._open is None else self._open.tap.level()

    # -- what becomes of it --------------------------------------------------------------------------------------------

    def turn(self) -> bool:
        """Do what is due, without waiting for anything; True if something has come since the last call.

        Raises:
            MicrophoneStuck: this process can do no more for it.
        """
        try:
            came = os.eventfd_read(self.wake) > 0
        except BlockingIOError:
            came = False
        self._collect()
        if self.state == "open" and self._open is not None:
            self._watch(self._open)
        if self.state in {"closed", "waiting"} and self._wanted and now_ns() >= self._again_ns:
            self._start()
        elif self.state == "open" and not self._wanted:
            self._stop()
        elif self.state == "waiting" and not self._wanted:
            self._settle()
        if self.state in {"opening", "closing"}:
            self._time()
        return came

    def _collect(self) -> None:
        """Take what the worker has done."""
        if self.state not in {"opening", "closing"}:
            return
        try:
            done = self._done.get_nowait()
        except queue.Empty:
            return
        if self._hung:
            self._hung = False
            self._tell("info", "source", "the sound system answers again")
        if isinstance(done, OpenInput):
            self._opened(done)
        elif isinstance(done, Exception):
            self._failed(done)
        elif self._wanted:
            wait_ns = _PATIENT_AGAIN_NS if self._lived_ns < _SHORT_NS else 0
            self.state, self._again_ns, self._attempts = "waiting", now_ns() + wait_ns, 0
        else:
            self._settle()

    def _opened(self, opened: OpenInput) -> None:
        self.state, self._open, self._began_ns = "open", opened, now_ns()
        if self._broken is not None:
            self.reopened += 1
            if self._ring is not None:
                self._tell("info", "source", f"{opened.title} is recorded again")
        elif opened.source is not None and opened.source.monitor and opened.title != self._title:
            self._tell("warning", "source", f"{opened.title}: what the computer plays is recorded, no microphone")
        elif self._title not in {"", opened.title}:
            self._tell("info", "source", f"the input is {opened.title}; it was {self._title}")
        self._broken, self.failure, self._title, self._last = None, None, opened.title, opened.source
        if self._ring is not None:
            writer, through, since_ns = self._ring
            opened.tap.turn_on(writer, through, since_ns=since_ns)
        if opened.source is not None and self._watcher is None:
            self._watcher = Watcher(self._woken)
        if self._watcher is not None:
            self._watcher.follow = self._follows
            self._watcher.hold = "" if self._follows or opened.source is None else opened.source.name

    def _failed(self, error: Exception) -> None:
        if not isinstance(error, MicrophoneUnavailable | SoundServerSilent | SoundServerGone):
            raise error
        self.state, self.failure = "waiting", str(error)
        self._attempts += 1
        hurried = self._ring is not None and self._attempts < _PATIENT_AFTER
        self._again_ns = now_ns() + (_AGAIN_NS if hurried else _PATIENT_AGAIN_NS)

    @property
    def _follows(self) -> bool:
        return self._config.device == "default" and self._config.follow_default

    def _watch(self, opened: OpenInput) -> None:
        """See whether the stream still brings what it should."""
        heard_ns = opened.tap.heard_ns
        silent_ns = now_ns() - (heard_ns or self._began_ns)
        if opened.tap.finished:
            self._lost("the input has ended")
        elif silent_ns > (_SILENT_NS if heard_ns else _FIRST_NS):
            self._lost("the sound system sends nothing any more")
        elif self._watcher is not None and opened.source is not None and self._watcher.seen_ns > self._began_ns:
            self._compare(opened, opened.source, self._watcher)

    def _compare(self, opened: OpenInput, source: PulseSource, watcher: Watcher) -> None:
        """See whether the server still records the source that it should."""
        seen = watcher.seen
        if seen is None:
            if watcher.gone:
                self._lost("the sound server has ended")
        elif seen.stream is None or (seen.recorded is None and not self._follows):
            self._lost(f"{source.description} is gone")
        elif seen.recorded is None:
            return  # PipeWire is about to move it to another source; if not, no blocks come, and that is seen
        elif (now := seen.recorded).name != source.name:
            gone = seen.source(source.name) is None
            if not self._follows or (now.monitor and not source.monitor and gone):
                why = "is gone" if gone else "was taken away"
                self._lost(f"{source.description} {why}, and the sound server has put {now.description} in its place")
            else:
                self._tell("info", "source", f"the input is {now.description} now; it was {source.description}")
                opened.source, opened.title = now, now.description
                self._title, self._last = now.description, now
        elif self._ring is not None and watcher.strayed:
            self._tell("info", "source", f"the sound server had put {watcher.strayed} in its place; it is moved back")
            watcher.strayed = ""
        elif self._ring is None and self._begins_elsewhere(source, seen):
            self._lived_ns = now_ns() - self._began_ns
            self._stop()  # and open the other one

    def _begins_elsewhere(self, source: PulseSource, seen: View) -> bool:
        """Tell whether, in standby, the next recording is to begin with another input, the default by now."""
        default = seen.source(seen.default)
        if self._config.device != "default" or self._follows or default is None or default.name == source.name:
            return False
        return source.monitor or not default.monitor

    def _lost(self, why: str) -> None:
        self._broken, self._lived_ns = why, now_ns() - self._began_ns
        if self._ring is not None:
            self._tell("warning", "source", f"{why}; nothing is recorded until it is back, then the recording goes on")
        self._stop()

    def _time(self) -> None:
        """See whether the worker hangs."""
        waited_ns = now_ns() - self._began_ns
        if waited_ns > _HUNG_NS and not self._hung:
            self._hung = True
            self._tell("warning", "source", "the sound system does not answer; it goes on as soon as that does")
        watcher = self._watcher
        if watcher is None or watcher.seen is None or now_ns() - watcher.seen_ns > _FRESH_NS:
            self._answers_ns = 0
            return
        self._answers_ns = self._answers_ns or now_ns()
        if waited_ns > _STUCK_NS and now_ns() - self._answers_ns > _STUCK_NS // 2:
            raise MicrophoneStuck("a call into the sound system does not return although the sound server answers")

    # -- the worker ----------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        wanted = Wanted(config=self._config, make_tap=self._make_tap, last=self._last if self._broken else None)
        self.state = "opening"
        self._do(lambda: open_input(wanted))

    def _stop(self) -> None:
        opened, self._open, self.state = self._open, None, "closing"
        if self._watcher is not None:
            self._watcher.hold = ""  # the next stream may be at another source
        if opened is not None:
            opened.tap.close()
            self._do(lambda: close_input(opened))

    def _settle(self) -> None:
        """Be closed, watching nothing."""
        self.state, self._broken = "closed", None
        if self._watcher is not None:
            self._watcher.close()
            self._watcher = None

    def _do(self, job: Callable[[], Any]) -> None:
        self._began_ns, self._answers_ns = now_ns(), 0
        if self._worker is None:
            self._worker = threading.Thread(target=self._work, name="device", daemon=True)
            self._worker.start()
        self._jobs.put(job)

    def _work(self) -> None:
        while True:
            job = self._jobs.get()
            try:
                self._done.put(job())
            except Exception as error:  # noqa: BLE001 - the loop raises what it does not know
                self._done.put(error)
            self._woken()

    def _make_tap(self, *how: Any) -> Tap:
        return Tap(*how, preroll_s=self._config.preroll, wake=self._woken)

    def _woken(self) -> None:
        os.eventfd_write(self.wake, 1)

    def close(self) -> bool:
        """Let go of it, waiting 1 s at most; False where a thread hangs and was left behind."""
        self.want(False)
        self.rest()
        limit_ns = now_ns() + 1_000_000_000
        while self.state != "closed" and now_ns() < limit_ns:
            self.turn()
            if self.state in {"opening", "closing"}:
                select.select([self.wake], (), (), max(0.0, (limit_ns - now_ns()) / 1e9))
        return self.state == "closed"


class MicrophoneFeed:
    """One recording of the microphone.

    Args:
        microphone: open, or about to be again.
        writer: the ring.
        through: what went into the ring for this recording before.
        since_ns: CLOCK_MONOTONIC after which what was heard belongs to it.
    """

    def __init__(self, microphone: Microphone, writer: RingWriter, through: Through, *, since_ns: int) -> None:
        self.microphone, self._writer = microphone, writer
        self.through = through
        self._position = writer.position
        microphone.record(writer, through, since_ns=since_ns)

    def pump(self) -> bool:
        """Tell whether samples have gone into the ring since the last call."""
        before, self._position = self._position, self._writer.position
        return before != self._position

    def sleep_ms(self) -> int:
        """Return the longest sleep; the microphone's `wake` ends it sooner."""
        return self.microphone.sleep_ms()

    def close(self) -> None:
        """Let nothing more into the ring."""
        self.microphone.rest()
