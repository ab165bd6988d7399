"""The microphone: PortAudio through ALSA's pulse plugin, to the monitor of a sound server of the test's own."""

from __future__ import annotations

import ctypes.util
import select
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from soundserver import ALSA, PipeWire, SoundServer, sound_server
from stages import Stages

from sottovoce.actors.capture import microphone
from sottovoce.actors.capture.device import close_input
from sottovoce.actors.capture.level import FLOOR_DBFS
from sottovoce.actors.sources import Microphone, dump_source
from sottovoce.protocol.bus import Subscriber
from sottovoce.protocol.clocks import SAMPLE_RATE
from sottovoce.protocol.config import CaptureConfig
from sottovoce.protocol.journal import Journal
from sottovoce.protocol.messages import AudioLevel, Event, Notice
from sottovoce.protocol.paths import Paths
from sottovoce.protocol.rows import Recording
from sottovoce.shm import CountersView, RingReader


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
    """From the wish for a recording to its end: what sounds meanwhile is in the ring, unharmed, in real time."""
    process = stages.start("capture", server.environ)
    generation = journal.begin_recording(dump_source(Microphone()))
    stages.wait_until(lambda: stages.counters("capture", process)["frames"] > 0, process)
    began, position = time.monotonic(), stages.counters("capture", process)["position"]
    server.play(chirp[0])
    stages.wait_until(lambda: stages.counters("capture", process)["position"] > position + 1.5 * SAMPLE_RATE, process)
    assert time.monotonic() - began > 1.0
    journal.stop_recording(generation)
    stages.wait_until(lambda: newest(journal).end is not None, process)
    recording = newest(journal)
    with RingReader.attach(paths.ring) as reader:
        heard = reader.samples(recording.first or 0, recording.end or 0)
        turns = stages.counters("capture", process)["turns"]
        stages.wait_until(lambda: stages.counters("capture", process)["turns"] >= turns + 2, process)
        assert reader.head == recording.end, "the device was not closed"
    assert recording.end_reason == "stop"
    assert likeness(heard, chirp[1]) > 0.99
    assert np.abs(heard).max() == pytest.approx(0.5, abs=0.02)


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

    def back_after_s(self) -> float:
        """Wait until the device is open once more, and return how long that was."""
        began, before = time.monotonic(), self.counted("reopened")
        position = self.counted("position")
        self.stages.wait_until(
            lambda: self.counted("reopened") > before and self.counted("position") > position, self.process
        )
        return time.monotonic() - began

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
    plugged.unplug("desk")
    unplugged = time.monotonic()
    recorded.wait_for_word("The-desk is gone")
    position = recorded.counted("position")
    turns = recorded.counted("turns")
    stages.wait_until(lambda: recorded.counted("turns") > turns + 6, recorded.process)
    assert recorded.counted("position") == position
    plugged.plug("desk")
    away = time.monotonic() - unplugged
    assert recorded.back_after_s() < 2.0
    recorded.wait_for_more()
    assert recorded.jumps(paths) == [pytest.approx(away, abs=1.5)]
    assert recorded.counted("gaps") == 1
    assert newest(journal).end is None
    recorded.wait_for_word("The-desk is recorded again")


def test_the_default_is_followed(
    stages: Stages, paths: Paths, journal: Journal, plugged: SoundServer, told: Told
) -> None:
    """Where another microphone becomes the default, the recording goes on with that one, without a gap, and says so."""
    recorded = Recorded(stages, journal, plugged, told)
    plugged.default("head")
    recorded.wait_for_word("the input is The-head now; it was The-desk")
    recorded.wait_for_more()
    plugged.unplug("head")
    recorded.wait_for_word("the input is The-desk now; it was The-head")
    recorded.wait_for_more()
    assert recorded.counted("reopened") == 0


def test_the_default_is_not_followed_where_that_is_not_wanted(
    stages: Stages, paths: Paths, journal: Journal, plugged: SoundServer, told: Told
) -> None:
    """With follow_default = false the recording stays with the input that was the default when it began."""
    paths.config.write_text("[capture]\nring_seconds = 30\nfollow_default = false\n")
    recorded = Recorded(stages, journal, plugged, told)
    plugged.default("head")
    recorded.wait_for_more(1.0)
    desk = "Source: " + source_index(plugged, "desk")
    stages.wait_until(lambda: desk in plugged.pactl("list", "source-outputs"), recorded.process)
    # Where a busy server is slow to put it back it is opened again, which is a gap, and told.
    assert recorded.counted("gaps") <= recorded.counted("reopened") <= 1
    plugged.unplug("desk")
    recorded.wait_for_word("The-desk is gone")
    plugged.plug("desk")
    assert recorded.back_after_s() < 2.0
    recorded.wait_for_more()
    assert "Source: " + source_index(plugged, "desk") in plugged.pactl("list", "source-outputs")


@pytest.mark.parametrize("follow", [True, False])
def test_the_default_changes_in_warm_standby(
    stages: Stages, paths: Paths, journal: Journal, plugged: SoundServer, told: Told, *, follow: bool
) -> None:
    """The input that is kept open is the default one by now; with follow_default = false only while nobody records."""
    paths.config.write_text(f'[capture]\nring_seconds = 30\nstandby = "warm"\nfollow_default = {str(follow).lower()}\n')

    def opened(name: str) -> bool:
        return "Source: " + source_index(plugged, name) in plugged.pactl("list", "source-outputs")

    process = stages.start("capture", plugged.environ)
    stages.wait_until(lambda: opened("desk"), process)
    plugged.default("head")
    stages.wait_until(lambda: opened("head"), process)
    recorded = Recorded(stages, journal, plugged, told, process)
    stages.wait_until(lambda: opened("head"), process)  # PipeWire moves a stream in more than one step
    plugged.default("desk")
    if follow:
        recorded.wait_for_word("the input is The-desk now; it was The-head")
    recorded.wait_for_more(1.0)
    stages.wait_until(lambda: opened("desk" if follow else "head"), process)
    journal.stop_recording(recorded.generation)
    stages.wait_until(lambda: opened("desk"), process)
    # PipeWire moves a stream back later than it is told to; on a busy machine later than that is waited for.
    slow = isinstance(plugged, PipeWire) and not follow
    assert recorded.counted("gaps") <= recorded.counted("reopened") <= slow


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
        stages.wait_until(lambda: recorded.counted("turns") > turns + 8, recorded.process)
        assert recorded.counted("position") == position
        server.plug("desk")
        server.default("desk")
        assert recorded.back_after_s() < 2.0


def test_a_sound_server_that_dies_is_waited_for(
    stages: Stages, paths: Paths, journal: Journal, plugged: SoundServer, told: Told
) -> None:
    """SIGKILL of the sound server ends no recording: it says so, and goes on when there is one again."""
    recorded = Recorded(stages, journal, plugged, told)
    plugged.kill()
    recorded.wait_for_word("then the recording goes on")
    plugged.start()
    assert recorded.back_after_s() < 2.0
    recorded.wait_for_more()
    assert len(recorded.jumps(paths)) == 1
    assert newest(journal).end is None
    journal.stop_recording(recorded.generation)
    stages.wait_until(lambda: newest(journal).end is not None, recorded.process)
    assert newest(journal).end_reason == "stop"


def test_a_sound_server_that_hangs_is_waited_for(
    stages: Stages, paths: Paths, journal: Journal, plugged: SoundServer, told: Told
) -> None:
    """A frozen sound server keeps the stage from nothing: it turns, tells, and goes on when the server does."""
    recorded = Recorded(stages, journal, plugged, told)
    plugged.freeze()
    recorded.wait_for_word("the sound system does not answer")
    turns = recorded.counted("turns")
    stages.wait_until(lambda: recorded.counted("turns") > turns + 4, recorded.process)
    plugged.thaw()
    assert recorded.back_after_s() < 2.0
    recorded.wait_for_more()
    assert len(recorded.jumps(paths)) == 1


def test_a_short_hang_is_no_splice(
    stages: Stages, paths: Paths, journal: Journal, plugged: SoundServer, told: Told
) -> None:
    """What a server that stops for a moment loses is a gap: the index keeps up with the clock, without reopening."""
    recorded = Recorded(stages, journal, plugged, told)
    recorded.wait_for_more(1.5)
    began, position, turns = time.monotonic(), recorded.counted("position"), recorded.counted("turns")
    plugged.freeze()
    stages.wait_until(lambda: recorded.counted("turns") >= turns + 2, recorded.process)
    plugged.thaw()
    recorded.wait_for_more(1.5)
    assert (recorded.counted("position") - position) / SAMPLE_RATE == pytest.approx(time.monotonic() - began, abs=0.25)
    assert recorded.counted("reopened") == 0
    assert sum(recorded.jumps(paths)) * 1000 == pytest.approx(recorded.counted("lost_ms"), abs=1)


def test_a_recording_ends_while_the_server_hangs(
    stages: Stages, journal: Journal, plugged: SoundServer, told: Told
) -> None:
    """Who says stop to a frozen sound server is heard at once, and so is who ends the service."""
    recorded = Recorded(stages, journal, plugged, told)
    plugged.freeze()
    began = time.monotonic()
    journal.stop_recording(recorded.generation)
    stages.wait_until(lambda: newest(journal).end is not None, recorded.process)
    recorded.process.terminate()
    assert recorded.process.wait(10) == 0
    assert time.monotonic() - began < 5
    plugged.thaw()


def test_a_hung_server_is_told_to_who_begins(
    stages: Stages, journal: Journal, plugged: SoundServer, told: Told
) -> None:
    """A recording cannot begin while the sound server is frozen, which is said within seconds, and the next one can."""
    process = stages.start("capture", plugged.environ)
    plugged.freeze()
    journal.begin_recording(dump_source(Microphone()))
    stages.wait_until(lambda: newest(journal).end is not None, process)
    assert "the sound server does not answer" in (newest(journal).end_reason or "")
    plugged.thaw()
    journal.begin_recording(dump_source(Microphone()))
    stages.wait_until(lambda: stages.counters("capture", process)["frames"] > 0, process)


def test_the_level_is_told(
    stages: Stages, paths: Paths, journal: Journal, server: SoundServer, chirp: tuple[Path, NDArray[np.float32]]
) -> None:
    """While the microphone is recorded its level is published, some ten times a second: -120 dBFS in silence."""
    process = stages.start("capture", server.environ)
    subscriber = Subscriber(paths, ("audio.level",), stages=("capture",))
    generation = journal.begin_recording(dump_source(Microphone()))
    heard: list[Event] = []

    def loudest() -> float:
        heard.extend(subscriber.drain())
        return max((event.body.peak_dbfs for event in heard if isinstance(event.body, AudioLevel)), default=-200.0)

    try:
        stages.wait_until(lambda: loudest() == FLOOR_DBFS, process)
        server.play(chirp[0])
        stages.wait_until(lambda: loudest() > -7, process)
        assert loudest() == pytest.approx(-6.0, abs=0.3)  # the chirp's amplitude is 0.5
        bodies = [event.body for event in heard if isinstance(event.body, AudioLevel)]
        assert all(body.generation == generation and body.rms_dbfs <= body.peak_dbfs for body in bodies)
        assert not any(body.clipped for body in bodies)
        apart_s = [(two.t_ns - one.t_ns) / 1e9 for one, two in pairwise(heard)]
        assert min(apart_s) > 0.09
    finally:
        subscriber.close()


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


@pytest.mark.parametrize("device", ["boot", "0"])
def test_a_device_of_alsa(
    stages: Stages, paths: Paths, journal: Journal, server: SoundServer, told: Told, *, device: str
) -> None:
    """What the sound server does not know is PortAudio's to open, by a part of its name or by its number."""
    server.plug("desk")
    server.default("desk")
    alsa = Path(server.environ["ALSA_CONFIG_PATH"])
    alsa.write_text(ALSA + 'pcm.booth { type pulse device "speaker.monitor" hint { show on description "Booth" } }\n')
    paths.config.write_text(f'[capture]\nring_seconds = 30\ndevice = "{device}"\n')
    recorded = Recorded(stages, journal, server, told)
    recorded.wait_for_more()
    assert "Source: " + source_index(server, "speaker.monitor") in server.pactl("list", "source-outputs")


def test_one_channel_of_two(stages: Stages, paths: Paths, journal: Journal, server: SoundServer, told: Told) -> None:
    """With `channel` set the device is opened with all it has; where it has fewer, that is why it cannot be."""
    server.plug("pair", channels=2)
    paths.config.write_text('[capture]\nring_seconds = 30\ndevice = "pair"\nchannel = 2\n')
    recorded = Recorded(stages, journal, server, told)
    assert "2ch" in server.pactl("list", "short", "source-outputs")
    recorded.process.kill()
    recorded.process.wait()
    journal.stop_recording(recorded.generation)
    paths.config.write_text('[capture]\nring_seconds = 30\ndevice = "pair"\nchannel = 3\n')
    process = stages.start("capture", server.environ)
    stages.wait_until(lambda: newest(journal).end is not None, process)
    generation = journal.begin_recording(dump_source(Microphone()))
    stages.wait_until(lambda: newest(journal).end is not None, process)
    assert newest(journal).generation == generation
    assert "channel = 3, and it has 2" in (newest(journal).end_reason or "")


def test_what_is_clipped_without_standby_is_measured(
    stages: Stages, paths: Paths, journal: Journal, server: SoundServer
) -> None:
    """With standby = "closed" the time from the wish to the first sample is counted, and the device is closed."""
    process = stages.start("capture", server.environ)
    for _ in range(2):
        generation = journal.begin_recording(dump_source(Microphone()))
        frames = stages.counters("capture", process)["frames"]
        stages.wait_until(lambda: stages.counters("capture", process)["frames"] > frames, process)  # noqa: B023
        journal.stop_recording(generation)
        stages.wait_until(lambda: newest(journal).end is not None, process)
    with CountersView.attach(paths.counters("capture")) as view:
        assert view.histograms()["clipped"].count == 2
        assert 0 < view.counters()["clipped_ms"] < 10_000
    stages.wait_until(lambda: not server.pactl("list", "short", "source-outputs"), process)


def test_a_call_that_never_returns(paths: Paths, plugged: SoundServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where PortAudio hangs although the server answers, the process says that it has to be replaced.

    No sound system that can be run here does that, so the call is made to hang.
    """
    for name, value in plugged.environ.items():
        monkeypatch.setenv(name, value)
    released = threading.Event()
    monkeypatch.setattr(microphone, "close_input", lambda opened: (released.wait(30), close_input(opened)))
    monkeypatch.setattr(microphone, "_STUCK_NS", 2_000_000_000)
    texts: list[str] = []
    listening = microphone.Microphone(CaptureConfig(), lambda _level, _code, text: texts.append(text))

    def until(state: str) -> None:
        deadline = time.monotonic() + 20
        while listening.state != state:
            assert time.monotonic() < deadline
            select.select([listening.wake], (), (), 0.1)
            listening.turn()

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
