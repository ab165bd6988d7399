"""The microphone: PortAudio through ALSA's pulse plugin, to the monitor of a sound server of the test's own."""

from __future__ import annotations

import ctypes.util
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from stages import Stages

from sottovoce.actors.sources import Microphone, dump_source
from sottovoce.protocol.clocks import SAMPLE_RATE
from sottovoce.protocol.journal import Journal
from sottovoce.protocol.paths import Paths
from sottovoce.protocol.rows import Recording
from sottovoce.shm import RingReader

# Alone, without the system's configuration, whose twenty devices PortAudio would try one after the other.
ALSA = """
pcm.default { type pulse hint { show on description "Default" } }
ctl.default { type pulse }
"""


@pytest.fixture(autouse=True)
def small_ring(paths: Paths) -> None:
    """Spare memory: thirty seconds of ring do. And require PortAudio."""
    if ctypes.util.find_library("portaudio") is None:
        pytest.skip("PortAudio is not here; run: apt install libportaudio2")
    paths.config.write_text("[capture]\nring_seconds = 30\n")


class SoundServer:
    """A PulseAudio that has one sink, whose monitor is the microphone."""

    def __init__(self, folder: Path) -> None:
        self.environ = {
            "HOME": str(folder),
            "XDG_RUNTIME_DIR": str(folder),
            "PULSE_SERVER": f"unix:{folder}/pulse.sock",
            "ALSA_CONFIG_PATH": str(folder / "alsa.conf"),
            "PULSE_LATENCY_MSEC": "20",
        }
        (folder / "alsa.conf").write_text(ALSA)
        self.process = subprocess.Popen(
            [
                "pulseaudio", "-n", "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1", "--disable-shm=yes",
                f"--log-target=newfile:{folder}/pulse.log",
                # A null sink that rewinds renders up to two seconds ahead: the first sound came after 1.6 s, now 0.04.
                "-L", f"module-null-sink sink_name=speaker rate={SAMPLE_RATE} channels=1 norewinds=1",
                "-L", f"module-native-protocol-unix auth-anonymous=1 socket={folder}/pulse.sock",
            ],
            env={**os.environ, **self.environ},
        )  # fmt: skip
        deadline = time.monotonic() + 10
        while self._pactl("set-default-source", "speaker.monitor"):
            assert time.monotonic() < deadline, (folder / "pulse.log").read_text()
            time.sleep(0.02)

    def _pactl(self, *arguments: str) -> int:
        command = ["pactl", *arguments]
        return subprocess.run(
            command, env={**os.environ, **self.environ}, capture_output=True, check=False, timeout=10
        ).returncode

    def play(self, path: Path) -> None:
        """Play a file to its end."""
        subprocess.run(["paplay", str(path)], env={**os.environ, **self.environ}, check=True, timeout=20)

    def close(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()


@pytest.fixture
def server() -> Iterator[SoundServer]:
    """Run a sound server; skip the test where something is missing."""
    for tool, package in {
        "pulseaudio": "pulseaudio",
        "pactl": "pulseaudio-utils",
        "paplay": "pulseaudio-utils",
    }.items():
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not here; run: apt install {package}")
    if not list(Path("/usr/lib").glob("**/alsa-lib/libasound_module_pcm_pulse.so")):
        pytest.skip("ALSA's pulse plugin is not here; run: apt install libasound2-plugins")
    with tempfile.TemporaryDirectory(prefix="sv-pulse-") as folder:
        running = SoundServer(Path(folder))
        yield running
        running.close()


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


def test_a_dead_sound_server_ends_the_recording(stages: Stages, journal: Journal, server: SoundServer) -> None:
    """It is noticed within seconds, said, and the stage is ready for another recording."""
    process = stages.start("capture", server.environ)
    journal.begin_recording(dump_source(Microphone()))
    stages.wait_until(lambda: stages.counters("capture", process)["frames"] > 0, process)
    server.close()
    stages.wait_until(lambda: newest(journal).end is not None)
    assert "sound server" in (newest(journal).end_reason or "")


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
