"""The microphone: PortAudio through ALSA's pulse plugin, to the monitor of a sound server of the test's own."""

from __future__ import annotations

import ctypes.util
import json
import os
import select
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from soundserver import ALSA, PipeWire, SoundServer, sound_server
from stages import Stages

from sottovoce.actors.capture import microphone
from sottovoce.actors.capture.device import MicrophoneUnavailable, Wanted, close_input, open_input, portaudio
from sottovoce.actors.capture.level import FLOOR_DBFS
from sottovoce.actors.capture.tap import Tap
from sottovoce.actors.sources import Microphone, dump_source
from sottovoce.protocol.bus import Subscriber
from sottovoce.protocol.clocks import SAMPLE_RATE
from sottovoce.protocol.config import CaptureConfig
from sottovoce.protocol.journal import Journal
from sottovoce.protocol.messages import AudioLevel, Event, Notice
from sottovoce.protocol.paths import Paths
from sottovoce.protocol.rows import Recording
from sottovoce.shm import CountersView, RingReader

BACK_S = 2.0 + 2.0
"""Within which an input is opened again: docs/operations.md promises the first, a busy machine may add the other."""


@pytest.fixture(autouse=True)
def small_ring(paths: Paths) -> None:
    """Spare memory: thirty seconds of ring do. And require PortAudio."""
    if ctypes.util.find_library("portaudio") is None:
        pytest.skip("PortAudio is not here; run: apt install libportaudio2")
    paths.config.write_text("[capture]\nring_seconds = 30\n")


@pytest.fixture
def server() -> Iterator[SoundServer]:
    """Run a sound server whose default source is the monitor of its speaker."""
    with sound_server() as running:
        yield running


@pytest.fixture(params=[SoundServer, PipeWire])
def plugged(request: pytest.FixtureRequest) -> Iterator[SoundServer]:
    """Run a sound server with two microphones, of which `desk` is the default."""
    with sound_server("desk", "head", kind=request.param) as running:
        yield running


@pytest.fixture
def chirp(tmp_path: Path) -> tuple[Path, NDArray[np.float32]]:
    """Return a file of one second from 300 to 3,000 Hz, of which no moment looks like another, and its samples."""
    t = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    samples = (0.5 * np.sin(2 * np.pi * (300 * t + 1350 * t**2))).astype(np.float32)
    path = tmp_path / "chirp.wav"
    soundfile.write(path, samples, SAMPLE_RATE)
    return path, samples


def newest(journal: Journal) -> Recording:
    """Return the newest recording."""
    recording = journal.recording()
    assert recording is not None
    return recording


def likeness(heard: NDArray[np.float32], played: NDArray[np.float32]) -> float:
    """Return the largest normalised correlation of `played` with a stretch of `heard`: 1 where it is in there."""
    size = 1 << (len(heard) + len(played)).bit_length()
    products = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(played, size)), size)
    at = int(np.argmax(products[: len(heard) - len(played) + 1]))
    stretch = heard[at : at + len(played)]
    return float(products[at] / max(1e-9, float(np.linalg.norm(stretch) * np.linalg.norm(played))))


def test_what_is_played_is_in_the_ring(
    stages: Stages, paths: Paths, journal: Journal, server: SoundServer, chirp: tuple[Path, NDArray[np.float32]]
) -> None:
    """From the wish for a recording to its end: what sounds meanwhile is in the ring, unharmed, in real time.

    Its level is published meanwhile, some ten times a second: -120 dBFS in silence. With standby = "closed" the time
    from each wish to the first sample is counted, and the device is closed in the end.
    """
    process = stages.start("capture", server.environ)
    subscriber = Subscriber(paths, ("audio.level",), stages=("capture",))
    levels: list[Event] = []

    def loudest() -> float:
        levels.extend(subscriber.drain())
        return loudest_of(levels)

    try:
        generation = journal.begin_recording(dump_source(Microphone()))
        stages.wait_until(lambda: loudest() == FLOOR_DBFS, process)
        began, position = time.monotonic(), stages.counters("capture", process)["position"]
        server.play(chirp[0])
        stages.wait_until(
            lambda: stages.counters("capture", process)["position"] > position + 1.5 * SAMPLE_RATE, process
        )
        assert time.monotonic() - began > 1.0
        stages.wait_until(lambda: loudest() > -7, process)
    finally:
        subscriber.close()
    end(stages, journal, generation, process)
    recording = newest(journal)
    with RingReader.attach(paths.ring) as reader:
        heard = reader.samples(recording.first or 0, recording.end or 0)
        turns = stages.counters("capture", process)["turns"]
        stages.wait_until(lambda: stages.counters("capture", process)["turns"] >= turns + 2, process)
        assert reader.head == recording.end, "the device was not closed"
    assert recording.end_reason == "stop"
    assert likeness(heard, chirp[1]) > 0.99
    assert np.abs(heard).max() == pytest.approx(0.5, abs=0.02)
    assert loudest_of(levels) == pytest.approx(-6.0, abs=0.3)  # the chirp's amplitude is 0.5
    bodies = [event.body for event in levels if isinstance(event.body, AudioLevel)]
    assert all(body.generation == generation and body.rms_dbfs <= body.peak_dbfs for body in bodies)
    assert not any(body.clipped for body in bodies)
    apart_s = [(two.t_ns - one.t_ns) / 1e9 for one, two in pairwise(levels)]
    assert min(apart_s) > 0.09

    generation = journal.begin_recording(dump_source(Microphone()))
    frames = stages.counters("capture", process)["frames"]
    stages.wait_until(lambda: stages.counters("capture", process)["frames"] > frames, process)
    end(stages, journal, generation, process)
    with CountersView.attach(paths.counters("capture")) as view:
        assert view.histograms()["clipped"].count == 2
        assert 0 < view.counters()["clipped_ms"] < 10_000
    stages.wait_until(lambda: not server.pactl("list", "short", "source-outputs"), process)


def loudest_of(levels: list[Event]) -> float:
    """Return the highest peak that was told, in dBFS."""
    return max((event.body.peak_dbfs for event in levels if isinstance(event.body, AudioLevel)), default=-200.0)


def end(stages: Stages, journal: Journal, generation: int, process: subprocess.Popen[str]) -> None:
    """End a recording, and return once it has ended."""
    journal.stop_recording(generation)
    stages.wait_until(lambda: newest(journal).end is not None, process)


def test_a_killed_stage_leaves_a_gap(stages: Stages, paths: Paths, journal: Journal, server: SoundServer) -> None:
    """SIGKILL while somebody speaks: its successor goes on, and the time between is missing, not spliced."""
    process = stages.start("capture", server.environ)
    journal.begin_recording(dump_source(Microphone()))
    stages.wait_until(lambda: stages.counters("capture", process)["frames"] > 5, process)
    process.kill()
    process.wait()
    successor = stages.start("capture", server.environ)
    stages.wait_until(lambda: stages.counters("capture", successor).get("frames", 0) > 5, successor)
    with RingReader.attach(paths.ring) as reader:
        frames = list(iter(reader.read, None))
    jumps = [two.sample_index - one.end for one, two in pairwise(frames)]
    assert sum(jump > 0 for jump in jumps) == 1
    assert 0.1 < max(jumps) / SAMPLE_RATE < 10
    assert newest(journal).end is None


Told = Callable[[], list[str]]


@pytest.fixture
def told(paths: Paths) -> Iterator[Told]:
    """Return a function that returns the texts of all notices so far."""
    subscriber = Subscriber(paths, ("notice",), stages=("capture",))
    texts: list[str] = []

    def read() -> list[str]:
        texts.extend(event.body.text for event in subscriber.drain() if isinstance(event.body, Notice))
        return texts

    yield read
    subscriber.close()


class Recorded:
    """A capture stage that records the microphone."""

    def __init__(
        self,
        stages: Stages,
        journal: Journal,
        server: SoundServer,
        told: Told,
        process: subprocess.Popen[str] | None = None,
    ) -> None:
        self.stages, self.journal, self.told = stages, journal, told
        self.process = process or stages.start("capture", server.environ)
        self.generation = journal.begin_recording(dump_source(Microphone()))
        self.wait_for_more()

    def counted(self, name: str) -> int:
        """Return a counter."""
        return self.stages.counters("capture", self.process)[name]

    def wait_for_more(self, seconds: float = 0.2) -> None:
        """Return once so much more is in the ring."""
        position = self.counted("position")
        self.stages.wait_until(lambda: self.counted("position") > position + seconds * SAMPLE_RATE, self.process)

    def wait_for_word(self, text: str) -> None:
        """Return once a notice with these words has come."""
        self.stages.wait_until(lambda: any(text in told for told in self.told()), self.process)

    def wait_until_back(self) -> None:
        """Wait until the device is open once more: soon."""
        began, before = time.monotonic(), self.counted("reopened")
        position = self.counted("position")
        self.stages.wait_until(
            lambda: self.counted("reopened") > before and self.counted("position") > position, self.process
        )
        assert time.monotonic() - began < BACK_S

    def jumps(self, paths: Paths) -> list[float]:
        """Return the gaps in the ring, in seconds."""
        with RingReader.attach(paths.ring) as reader:
            frames = list(iter(reader.read, None))
        jumps = [two.sample_index - one.end for one, two in pairwise(frames)]
        assert min(jumps) >= 0
        return [jump / SAMPLE_RATE for jump in jumps if jump]


def test_a_source_that_is_unplugged_is_waited_for(
    stages: Stages, paths: Paths, journal: Journal, plugged: SoundServer, told: Told
) -> None:
    """A named microphone is pulled out and put back: nothing else is recorded, and the gap is as long as it was away.

    The sound server puts another microphone in its place at once.
    """
    paths.config.write_text('[capture]\nring_seconds = 30\ndevice = "the-desk"\n')
    recorded = Recorded(stages, journal, plugged, told)
    began = time.monotonic()
    plugged.unplug("desk")
    unplugged = time.monotonic()
    recorded.wait_for_word("The-desk is gone")
    position = recorded.counted("position")
    turns = recorded.counted("turns")
    stages.wait_until(lambda: recorded.counted("turns") > turns + 4, recorded.process)
    assert recorded.counted("position") == position
    plugged.plug("desk")
    away = time.monotonic() - unplugged
    recorded.wait_until_back()
    recorded.wait_for_more()
    (missing,) = recorded.jumps(paths)
    assert away - 0.5 < missing < time.monotonic() - began
    assert recorded.counted("gaps") == 1
    assert newest(journal).end is None
    recorded.wait_for_word("The-desk is recorded again")


def opened(server: SoundServer, name: str) -> Callable[[], bool]:
    """Return a function that tells whether somebody records this source."""
    return lambda: "Source: " + source_index(server, name) in server.pactl("list", "source-outputs")


def test_the_default_is_followed(
    stages: Stages, paths: Paths, journal: Journal, plugged: SoundServer, told: Told
) -> None:
    """Where another microphone becomes the default, the recording goes on with that one, without a gap, and says so.

    And in warm standby the input that is kept open is the default one by now.
    """
    paths.config.write_text('[capture]\nring_seconds = 30\nstandby = "warm"\n')
    process = stages.start("capture", plugged.environ)
    stages.wait_until(opened(plugged, "desk"), process)
    plugged.default("head")
    stages.wait_until(opened(plugged, "head"), process)
    recorded = Recorded(stages, journal, plugged, told, process)
    stages.wait_until(opened(plugged, "head"), process)  # PipeWire moves a stream in more than one step
    plugged.default("desk")
    recorded.wait_for_word("the input is The-desk now; it was The-head")
    recorded.wait_for_more()
    assert opened(plugged, "desk")()
    plugged.unplug("desk")
    recorded.wait_for_word("the input is The-head now; it was The-desk")
    recorded.wait_for_more()
    assert recorded.counted("reopened") == recorded.counted("gaps") == 0


def test_the_default_is_not_followed_where_that_is_not_wanted(
    stages: Stages, paths: Paths, journal: Journal, plugged: SoundServer, told: Told
) -> None:
    """With follow_default = false the recording stays with the input that was the default when it began.

    In warm standby the default is followed until then, and again after its end.
    """
    paths.config.write_text('[capture]\nring_seconds = 30\nstandby = "warm"\nfollow_default = false\n')
    process = stages.start("capture", plugged.environ)
    stages.wait_until(opened(plugged, "desk"), process)
    plugged.default("head")
    stages.wait_until(opened(plugged, "head"), process)
    recorded = Recorded(stages, journal, plugged, told, process)
    stages.wait_until(opened(plugged, "head"), process)
    plugged.default("desk")
    recorded.wait_for_more(1.0)
    stages.wait_until(opened(plugged, "head"), process)
    # Where a busy server is slow to put it back it is opened again, which is a gap, and told.
    assert recorded.counted("gaps") <= recorded.counted("reopened") <= 1
    plugged.unplug("head")
    recorded.wait_for_word("The-head is gone")
    plugged.plug("head")
    recorded.wait_until_back()
    recorded.wait_for_more()
    assert opened(plugged, "head")()
    end(stages, journal, recorded.generation, process)
    stages.wait_until(opened(plugged, "desk"), process)


def source_index(server: SoundServer, name: str) -> str:
    """Return the number that the server gives a source."""
    lines = [line.split() for line in server.pactl("list", "short", "sources").splitlines()]
    return next(line[0] for line in lines if line[1] == name)


@pytest.mark.parametrize("kind", [SoundServer, PipeWire])
def test_what_the_computer_plays_is_no_microphone(
    stages: Stages, paths: Paths, journal: Journal, told: Told, kind: type[SoundServer]
) -> None:
    """The only microphone is unplugged, and the server offers the speaker's monitor: it is not recorded."""
    with sound_server("desk", kind=kind) as server:
        recorded = Recorded(stages, journal, server, told)
        server.unplug("desk")
        recorded.wait_for_word("The-desk is gone")
        turns = recorded.counted("turns")
        stages.wait_until(
            lambda: recorded.counted("turns") > turns + 2, recorded.process
        )  # what was on its way is there
        position, turns = recorded.counted("position"), recorded.counted("turns")
        stages.wait_until(lambda: recorded.counted("turns") > turns + 4, recorded.process)
        assert recorded.counted("position") == position
        server.plug("desk")
        server.default("desk")
        recorded.wait_until_back()


def test_a_sound_server_that_dies_is_waited_for(
    stages: Stages, paths: Paths, journal: Journal, plugged: SoundServer, told: Told
) -> None:
    """SIGKILL of the sound server ends no recording: it says so, and goes on when there is one again.

    Who then says stop to a frozen one is heard at once, and so is who ends the service.
    """
    recorded = Recorded(stages, journal, plugged, told)
    plugged.kill()
    recorded.wait_for_word("then the recording goes on")
    plugged.start()
    recorded.wait_until_back()
    recorded.wait_for_more()
    assert len(recorded.jumps(paths)) == 1
    assert newest(journal).end is None
    plugged.freeze()
    began = time.monotonic()
    try:
        end(stages, journal, recorded.generation, recorded.process)
        assert newest(journal).end_reason == "stop"
        recorded.process.terminate()
        assert recorded.process.wait(60) == 0
        assert time.monotonic() - began < 15  # 1.3 s here; libpulse itself gives up after 30 s
    finally:
        plugged.thaw()


def test_a_sound_server_that_hangs_is_waited_for(
    stages: Stages, paths: Paths, journal: Journal, plugged: SoundServer, told: Told
) -> None:
    """A recording cannot begin at a frozen sound server, which is said within seconds, and the next one can.

    What a server loses that stops for a moment is a gap: the index keeps up with the clock, without reopening. One that
    is frozen for longer keeps the stage from nothing: it turns, tells, and goes on when the server does.
    """
    process = stages.start("capture", plugged.environ)
    plugged.freeze()
    journal.begin_recording(dump_source(Microphone()))
    stages.wait_until(lambda: newest(journal).end is not None, process)
    assert "the sound server does not answer" in (newest(journal).end_reason or "")
    plugged.thaw()

    recorded = Recorded(stages, journal, plugged, told, process)
    recorded.wait_for_more(1.0)
    began, position, turns = time.monotonic(), recorded.counted("position"), recorded.counted("turns")
    plugged.freeze()
    stages.wait_until(lambda: recorded.counted("turns") >= turns + 2, process)
    plugged.thaw()
    recorded.wait_for_more(1.5)
    assert (recorded.counted("position") - position) / SAMPLE_RATE == pytest.approx(time.monotonic() - began, abs=0.25)
    assert recorded.counted("reopened") == 0
    jumps = recorded.jumps(paths)
    assert sum(jumps) * 1000 == pytest.approx(recorded.counted("lost_ms"), abs=1)

    plugged.freeze()
    recorded.wait_for_word("the sound system does not answer")
    turns = recorded.counted("turns")
    stages.wait_until(lambda: recorded.counted("turns") > turns + 2, process)
    plugged.thaw()
    recorded.wait_until_back()
    recorded.wait_for_more()
    assert len(recorded.jumps(paths)) == len(jumps) + 1


def test_the_first_word_is_whole_in_warm_standby(
    stages: Stages, paths: Paths, journal: Journal, server: SoundServer, chirp: tuple[Path, NDArray[np.float32]]
) -> None:
    """With standby = "warm" a recording begins with what was heard up to `preroll` before the wish for it.

    And none of what was heard while nobody wanted a recording is in the ring.
    """
    paths.config.write_text('[capture]\nring_seconds = 30\nstandby = "warm"\npreroll = 2.0\n')
    process = stages.start("capture", server.environ)
    stages.wait_until(lambda: "capture" in server.pactl("list", "source-outputs").casefold(), process)
    server.play(chirp[0])
    with RingReader.attach(paths.ring) as reader:
        assert reader.head == 0
    generation = journal.begin_recording(dump_source(Microphone()))
    stages.wait_until(lambda: stages.counters("capture", process)["position"] > 2.5 * SAMPLE_RATE, process)
    journal.stop_recording(generation)
    stages.wait_until(lambda: newest(journal).end is not None, process)
    end = newest(journal).end or 0
    with RingReader.attach(paths.ring) as reader:
        heard = reader.samples(0, end)
        turns = stages.counters("capture", process)["turns"]
        stages.wait_until(lambda: stages.counters("capture", process)["turns"] >= turns + 3, process)
        assert reader.head == end
    assert likeness(heard, chirp[1]) > 0.99
    assert stages.counters("capture", process)["clipped_ms"] == 0
    assert server.pactl("list", "short", "source-outputs"), "the device is kept open"


def test_which_device_is_opened(server: SoundServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the sound server does not know is PortAudio's to open, by a part of its name or by its number.

    With `channel` set the device is opened with all it has; where it has fewer, that is why it cannot be.
    """
    server.plug("desk")
    server.plug("pair", channels=2)
    server.default("desk")
    alsa = Path(server.environ["ALSA_CONFIG_PATH"])
    alsa.write_text(ALSA + 'pcm.booth { type pulse device "speaker.monitor" hint { show on description "Booth" } }\n')
    for name, value in server.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PULSE_SOURCE", "")
    monkeypatch.delenv("PULSE_SOURCE")  # which `open_input` sets, is unset in the end
    portaudio(anew=True)

    def given(**config: object) -> tuple[str, str]:
        """Open that input; return which source the server gives us, and in which format."""
        listening = open_input(Wanted(CaptureConfig(**config), make_tap))  # type: ignore[arg-type]
        try:
            streams = json.loads(server.pactl("--format=json", "list", "source-outputs"))
        finally:
            close_input(listening)
        ours = {"application.process.id": str(os.getpid())}
        (stream,) = [stream for stream in streams if ours.items() <= stream["properties"].items()]
        return str(stream["source"]), stream["sample_specification"]

    def make_tap(*how: Any) -> Tap:
        return Tap(*how, preroll_s=0, wake=lambda: None)

    for device in ("boot", "0"):
        assert given(device=device)[0] == source_index(server, "speaker.monitor")
    assert given(device="The-desk")[0] == source_index(server, "desk")
    assert " 1ch " in given(device="pair")[1]
    assert " 2ch " in given(device="pair", channel=2)[1]
    with pytest.raises(MicrophoneUnavailable, match="channel = 3, and it has 2"):
        given(device="pair", channel=3)


def test_a_call_that_never_returns(paths: Paths, server: SoundServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where PortAudio hangs although the server answers, the process says that it has to be replaced.

    No sound system that can be run here does that, so the call is made to hang. But where it was the server that hung,
    however long, the call has some seconds to return once that answers.
    """
    for name, value in server.environ.items():
        monkeypatch.setenv(name, value)
    released = threading.Event()
    monkeypatch.setattr(microphone, "close_input", lambda opened: (released.wait(60), close_input(opened)))
    monkeypatch.setattr(microphone, "_STUCK_NS", 3_000_000_000)
    texts: list[str] = []
    listening = microphone.Microphone(CaptureConfig(), lambda _level, _code, text: texts.append(text))

    def turn() -> bool:
        select.select([listening.wake], (), (), 0.1)
        return listening.turn()

    def until(state: str) -> None:
        deadline = time.monotonic() + 60
        while listening.state != state:
            assert time.monotonic() < deadline
            turn()

    listening.want(True)
    until("open")
    server.freeze()
    listening.want(False)
    until("closing")
    stuck = time.monotonic() + 3.2
    while time.monotonic() < stuck:
        turn()
    assert texts[-1] == "the sound system does not answer; it goes on as soon as that does"
    server.thaw()
    while not turn():
        pass
    released.set()
    until("closed")

    monkeypatch.setattr(microphone, "_STUCK_NS", 1_000_000_000)
    released.clear()
    listening.want(True)
    until("open")
    listening.want(False)
    until("closing")
    with pytest.raises(microphone.MicrophoneStuck):
        until("closed")
    monkeypatch.undo()
    released.set()
    until("closed")


def test_no_sound_server_is_told(stages: Stages, journal: Journal, tmp_path: Path) -> None:
    """Where no device can be opened the recording is over, and the reason says what can be done."""
    config = tmp_path / "alsa.conf"
    config.write_text(ALSA)
    process = stages.start("capture", {"PULSE_SERVER": f"unix:{tmp_path}/none", "ALSA_CONFIG_PATH": str(config)})
    journal.begin_recording(dump_source(Microphone()))
    stages.wait_until(lambda: newest(journal).end is not None, process)
    reason = newest(journal).end_reason or ""
    assert "input device 'default' cannot be opened" in reason
    assert "[capture] device" in reason
    assert "\n" not in reason
    assert process.poll() is None
