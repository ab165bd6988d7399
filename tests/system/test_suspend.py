"""A service that is stopped as a whole, sound server and all, and goes on, as after a suspend or in a freezer.

No machine can be suspended here, but what it does to processes can be had: all of them are stopped by their ids and
continued. To them time then seems to have passed (CLOCK_MONOTONIC), as with a freezer. With a suspend it does not, and
CLOCK_BOOTTIME moves; a `sitecustomize` shows that clock with what a file says added.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest
from clips import beginning
from soundserver import PipeWire, SoundServer, sound_server
from stages import LEAN, wait_idle, wait_until

from sottovoce.actors.supervisor import Supervisor
from sottovoce.ops.private import PrivateService, private_service
from sottovoce.protocol.bus import Subscriber
from sottovoce.protocol.clocks import SAMPLE_RATE
from sottovoce.protocol.control import request
from sottovoce.protocol.journal import Journal
from sottovoce.protocol.messages import Notice, SpeechPause
from sottovoce.protocol.paths import Paths
from sottovoce.protocol.rows import Recording, UtteranceRow
from sottovoce.shm import CountersView, RingReader

SAID = ["ever", "tried", "ever", "failed", "no", "matter", "try", "again"]
SPOKEN_S = 5.9
"""So long it takes to say that."""
MIDDLE = 2
"""Behind so many pauses of the speaker it happens: after "Ever failed", and 0.7 s before "No matter"."""
STOPPED_S = 6.0
"""More than the warden allows any stage, and more of a backlog than capture holds back."""
BACK_S = 2.0 + 2.0
"""Within which a recording goes on again: docs/operations.md promises the first, a busy machine may add the other."""
HOUR = 3600
SITE = """
import time
from pathlib import Path

_slept, _true = Path(__file__).with_name("slept"), time.clock_gettime_ns

def clock_gettime_ns(clock):
    now = _true(clock)
    return now + int(_slept.read_text()) * 10**9 if clock == time.CLOCK_BOOTTIME and _slept.exists() else now

time.clock_gettime_ns = clock_gettime_ns
"""


def go_on(*pids: int) -> None:
    """Let processes go on that were stopped."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):  # replaced, which the test will find
            os.kill(pid, signal.SIGCONT)


def counted(paths: Paths, name: str, stage: str) -> int:
    """Return a counter of a stage."""
    with CountersView.attach(paths.counters(stage)) as view:
        return view.counters()[name]


def words(text: str) -> list[str]:
    """Return the words of a text, without case and punctuation."""
    return re.findall(r"[\w']+", text.lower())


@dataclass
class Suspended:
    """A service with a microphone, all of which can be stopped at once."""

    service: PrivateService
    server: SoundServer
    subscriber: Subscriber
    notices: list[Notice] = field(default_factory=list)
    pauses: int = 0
    """Of the speaker, since the dictation began."""

    @property
    def paths(self) -> Paths:
        """The service's."""
        return self.service.paths

    def pids(self) -> dict[str, int]:
        """Return the processes of the stages."""
        return {name: info["pid"] for name, info in Supervisor(self.paths.supervisor_socket).processes().items()}

    def counted(self, name: str, stage: str = "capture") -> int:
        """Return a counter."""
        return counted(self.paths, name, stage)

    def hear(self, seconds: float) -> None:
        """Return once so much more has been heard."""
        position = self.counted("position")
        wait_until(lambda: self.counted("position") > position + seconds * SAMPLE_RATE)

    def back(self, position: int) -> None:
        """Return once it is heard again beyond this position of the ring, soon."""
        began = time.monotonic()
        wait_until(lambda: self.counted("position") > position)
        self.hear(0.3)
        assert time.monotonic() - began < BACK_S

    def told(self, text: str) -> bool:
        """Tell whether a notice with these words has come."""
        self._drain()
        return any(text in notice.text for notice in self.notices)

    def paused(self) -> bool:
        """Tell whether the speaker is where something is to happen."""
        self._drain()
        return self.pauses >= MIDDLE

    def _drain(self) -> None:
        for event in self.subscriber.drain():
            if isinstance(event.body, Notice):
                self.notices.append(event.body)
            self.pauses += isinstance(event.body, SpeechPause)

    def stop(self, *more: int) -> list[int]:
        """Stop every process, supervisord first, and return them in that order."""
        assert self.service.process is not None
        pids = [self.service.process.pid, *self.pids().values(), *(p.pid for p in self.server.processes), *more]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        return pids

    def newest(self) -> tuple[Recording, list[UtteranceRow]]:
        """Return the newest recording and its utterances."""
        journal = Journal(self.paths.journal(keep="30d"))
        try:
            recording = journal.recording()
            assert recording is not None
            return recording, journal.utterances(generation=recording.generation)
        finally:
            journal.close()

    def gaps(self) -> list[int]:
        """Return the jumps of the sample index within the newest recording, in samples."""
        first = self.newest()[0].first or 0
        with RingReader.attach(self.paths.ring) as reader:
            frames = [frame for frame in iter(reader.read, None) if frame.sample_index >= first]
        jumps = [two.sample_index - one.end for one, two in pairwise(frames)]
        assert min(jumps) >= 0
        return [jump for jump in jumps if jump]

    def dictate(self, wav: Path, during: Callable[[int], None]) -> list[str]:
        """Dictate a recording, have something happen in its midst (told who plays it), and return what was typed."""
        self._drain()
        self.notices.clear()
        self.pauses = 0
        before, frames = self.service.text(), self.counted("frames")
        request(self.paths.control, "start")
        wait_until(lambda: self.counted("frames") > frames)
        player = self.server.playing(wav)
        try:
            wait_until(self.paused)
            during(player.pid)
            player.wait(60)
        finally:
            player.kill()
            player.wait()
        self.hear(0.5)
        request(self.paths.control, "stop")
        wait_idle(self.paths)
        return words(self.service.text().removeprefix(before))


@pytest.fixture(scope="module")
def said(beckett: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a recording of eight words."""
    return beginning(beckett, SPOKEN_S, tmp_path_factory.mktemp("speech"))


WARM = ('standby = "warm"', "", SoundServer)
CLOSED = ('standby = "closed"', f"[warden]\nstalled_after = {STOPPED_S - 1}\n", PipeWire)
"""A part of `[capture]`, another section, and the sound server of a service.

To the warden two turns are enough to kill; the second's leaves room for several of its own, each of half a second.
"""


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder in which a file `slept` tells by how many seconds CLOCK_BOOTTIME is ahead."""
    folder = tmp_path_factory.mktemp("clock")
    (folder / "sitecustomize.py").write_text(SITE)
    return folder


@pytest.fixture(scope="module", params=[WARM, CLOSED], ids=["warm-SoundServer", "closed-PipeWire"])
def running(request: pytest.FixtureRequest, said: Path, clock: Path) -> Iterator[Suspended]:
    """Run a service at a sound server with a microphone of its own."""
    standby, config, kind = request.param
    with sound_server("desk", kind=kind) as server, pytest.MonkeyPatch.context() as patch:
        for name in ("PULSE_SERVER", "ALSA_CONFIG_PATH", "PULSE_LATENCY_MSEC"):
            patch.setenv(name, server.environ[name])
        patch.setenv("PYTHONPATH", str(clock))
        with private_service(config=f"[capture]\n{standby}\n{config}{LEAN}") as service:
            subscriber = Subscriber(service.paths, ("notice", "speech."))
            try:
                yield Suspended(service, server, subscriber)
            finally:
                subscriber.close()


def test_all_are_stopped_for_seconds(running: Suspended, said: Path) -> None:
    """In mid-recording: nobody is replaced, the index keeps up with the clock, the person is told, and all is typed."""
    before, replaced = running.pids(), running.counted("kills", "warden")
    told_gaps, lost_ms = running.counted("gaps"), running.counted("lost_ms")

    def stop(player: int) -> None:
        position, began = running.counted("position"), time.monotonic()
        pids = running.stop(player)
        try:
            time.sleep(STOPPED_S)  # what is tested is the passing of time
        finally:
            go_on(*pids)
        running.back(position)
        running.hear(1.0)  # a server that has lost nothing has caught up by now
        index_s = (running.counted("position") - position) / SAMPLE_RATE
        assert index_s == pytest.approx(time.monotonic() - began, abs=0.5)
        assert running.told("the service did not run for 6 s; the recording goes on")

    typed = running.dictate(said, stop)
    assert running.pids() == before
    assert running.counted("kills", "warden") == replaced
    running.told("")
    assert [notice.text for notice in running.notices if notice.code == "stalled"] == []
    # What the sound server lost meanwhile is a gap, and told; what it kept is in the ring.
    gaps = running.gaps()
    assert len(gaps) == running.counted("gaps") - told_gaps
    assert sum(gaps) * 1000 // SAMPLE_RATE == pytest.approx(running.counted("lost_ms") - lost_ms, abs=1)
    assert running.told("s of audio were not captured") == bool(gaps)
    assert typed[:4] == SAID[:4]
    assert typed[-1] == SAID[-1]
    assert len(typed) <= len(SAID) + 1  # a word that the gap halves may be heard as two


@pytest.mark.parametrize("running", [CLOSED], indirect=True, ids=["closed-PipeWire"])
def test_the_warden_goes_on_before_the_others(running: Suspended) -> None:
    """Whoever was stopped with all the others and is the first to go on does not take them for hung."""
    _the_warden_goes_on(running.service)


def _the_warden_goes_on(service: PrivateService) -> None:
    processes = {name: info["pid"] for name, info in Supervisor(service.paths.supervisor_socket).processes().items()}
    turns = CountersView.attach(service.paths.counters("warden"))
    try:
        for pid in processes.values():
            os.kill(pid, signal.SIGSTOP)
        time.sleep(STOPPED_S)  # what is tested is the passing of time
        began = turns.counters()["turns"]
        os.kill(processes["warden"], signal.SIGCONT)
        wait_until(lambda: turns.counters()["turns"] >= began + 3)
        assert turns.counters()["kills"] == 0
    finally:
        turns.close()
        go_on(*processes.values())
    turned = counted(service.paths, "turns", "warden")
    wait_until(lambda: counted(service.paths, "turns", "warden") >= turned + 4)
    assert counted(service.paths, "kills", "warden") == 0, (service.paths.logs / "warden.jsonl").read_text()
    found = Supervisor(service.paths.supervisor_socket).processes()
    assert {name: info["pid"] for name, info in found.items()} == processes


@pytest.mark.parametrize("running", [WARM], indirect=True, ids=["warm-SoundServer"])
def test_the_machine_sleeps_for_an_hour(running: Suspended, said: Path, clock: Path) -> None:
    """In mid-recording: it is told, the index jumps by that hour, nobody is replaced, and what is said next is typed.

    What was said before and had not been typed is offered, not typed an hour later.
    """
    before = running.pids()

    def sleep(player: int) -> None:
        position = running.counted("position")
        pids = running.stop(player)
        partly = clock / "slept.partly"
        partly.write_text(str(HOUR))
        partly.replace(clock / "slept")
        go_on(*pids)
        running.back(position + HOUR * SAMPLE_RATE)

    typed = running.dictate(said, sleep)
    assert running.told(f"the machine slept for {HOUR} s; the recording goes on")
    assert running.pids() == before
    assert [notice.text for notice in running.notices if notice.code == "stalled"] == []
    (gap,) = running.gaps()
    assert gap == pytest.approx(HOUR * SAMPLE_RATE, abs=SAMPLE_RATE)
    assert typed[-1] == SAID[-1]
    # All that was said is somewhere: typed, or late.
    rows = running.newest()[1]
    assert {row.state for row in rows} <= {"typed", "late"}
    assert words(" ".join(row.text or "" for row in rows))[:4] == SAID[:4]
    (clock / "slept").unlink()
