"""`sottovoce devices` and `sottovoce mic`, as people run them, with a sound server of the test's own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
import soundfile
from soundserver import PipeWire, SoundServer, sound_server

from sottovoce.actors.capture.device import portaudio
from sottovoce.actors.capture.level import Level
from sottovoce.ops.devices import Input, inputs
from sottovoce.ops.meter import Judge, Reading, bar
from sottovoce.protocol.clocks import SAMPLE_RATE
from sottovoce.protocol.config import CaptureConfig
from sottovoce.protocol.paths import Paths

Begin = Callable[..., subprocess.Popen[str]]
only_pulseaudio = pytest.mark.parametrize("server", [SoundServer], indirect=True)
"""For what is our own and does not depend on the server."""


@pytest.fixture(params=[SoundServer, PipeWire])
def server(request: pytest.FixtureRequest) -> Iterator[SoundServer]:
    """Run a sound server with two microphones, of which `desk` is the default."""
    with sound_server("desk", "head", kind=request.param) as running:
        yield running


@pytest.fixture
def begin(paths: Paths, server: SoundServer) -> Iterator[Begin]:
    """Return a function that begins one command beside that sound server."""
    begun: list[subprocess.Popen[str]] = []

    def run(*arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [Path(sys.executable).with_name("sottovoce"), *arguments],
            env={**os.environ, **server.environ, **paths.environment(), "COLUMNS": "100"},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        begun.append(process)
        return process

    yield run
    for process in begun:
        process.kill()
        process.communicate()


def marked(devices: list[Input], mark: str) -> list[str]:
    """Return the names of the inputs of which this is true."""
    return [device.name for device in devices if getattr(device, mark)]


def test_inputs_are_listed(begin: Begin) -> None:
    """By name, with which is the default, and which are no microphones.

    For people it is a line each; a star marks the one that is recorded.
    """
    for_programs, for_people = begin("devices", "--json"), begin("devices")
    output, errors = for_programs.communicate()
    assert for_programs.returncode == 0, errors
    found = msgspec.json.decode(output, type=list[Input])
    devices = {device.name: device for device in found}
    assert marked(found, "default") == marked(found, "chosen") == ["desk"]
    assert marked(found, "monitor") == ["speaker.monitor"]
    assert devices["head"].title == "The-head"
    assert devices["desk"].api == "sound server"
    assert devices["default"].api == "ALSA"
    assert devices["desk"].rate > 0
    lines = for_people.communicate()[0].splitlines()
    assert [line for line in lines if line.startswith("*")] == [line for line in lines if " desk: The-desk" in line]
    assert any("speaker.monitor" in line and "(what the computer plays)" in line for line in lines)


@only_pulseaudio
def test_an_input_is_chosen(begin: Begin, paths: Paths, server: SoundServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the configuration names is marked, a source by a part of its name, a device of ALSA by its number.

    Where it names none of them the list says so, and the meter, in one line that tells where to choose another.
    """
    paths.config.write_text('[capture]\ndevice = "none of these"\n')
    listed, metered = begin("devices", "--json"), begin("mic", "--seconds", "1")
    for name, value in server.environ.items():
        monkeypatch.setenv(name, value)
    portaudio(anew=True)
    found = inputs(CaptureConfig(device="the-HEAD"))
    assert (marked(found, "default"), marked(found, "chosen")) == (["desk"], ["head"])
    number = next(device.index for device in found if device.name == "default")
    assert marked(inputs(CaptureConfig(device=str(number))), "chosen") == ["default"]
    output, errors = listed.communicate()
    assert listed.returncode == 0
    assert marked(msgspec.json.decode(output, type=list[Input]), "chosen") == []
    assert "is none of them" in errors
    errors = metered.communicate()[1]
    assert metered.returncode == 1
    assert errors.startswith("sottovoce: input device 'none of these' cannot be opened")
    assert errors.count("\n") == 1


@only_pulseaudio
def test_a_hung_server_is_told(begin: Begin, server: SoundServer) -> None:
    """Both commands end within seconds where the sound server is frozen, and say why."""
    server.freeze()
    try:
        for process in (begin("devices"), begin("mic", "--seconds", "1")):
            assert process.communicate(timeout=60)[1] == "sottovoce: the sound server does not answer\n"
            assert process.returncode == 1
    finally:
        server.thaw()


def test_the_meter_tells_silence_and_clipping(begin: Begin, server: SoundServer, tmp_path: Path) -> None:
    """A microphone that gives nothing but zeros is called silent, after three seconds; one at full scale, clipping.

    It is so for programs, and for people; ^C ends it.
    """
    path = tmp_path / "loud.wav"
    square = np.sign(np.sin(np.arange(60 * SAMPLE_RATE) * 0.05)).astype(np.float32)
    soundfile.write(path, square, SAMPLE_RATE, subtype="FLOAT")
    for_programs, for_people = begin("mic", "--json"), begin("mic")

    def first(process: subprocess.Popen[str], word: str) -> str:
        """Return the first line that it prints with this word."""
        assert process.stdout is not None
        return next((line for line in process.stdout if word in line), "")

    readings = [msgspec.json.decode(first(for_programs, word), type=Reading) for word in ("verdict", "silent")]
    assert readings[0].verdict == "listening"
    assert readings[1].t >= 3
    assert "is it muted" in first(for_people, "silent")
    player = server.playing(path)
    try:
        reading = msgspec.json.decode(first(for_programs, "clipping"), type=Reading)
        assert reading.peak_dbfs > -0.2
        assert reading.clipped > 0
        assert "lower its level" in first(for_people, "clipping")
    finally:
        player.kill()
        player.wait()
    for process in (for_programs, for_people):
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0


@pytest.mark.parametrize(
    ("peaks", "clipped", "verdict"),
    [
        ([-20], 0, "good"),
        ([-45], 0, "quiet"),
        ([-70], 0, "silent"),
        ([-1], 3, "clipping"),
        ([-20, *[-70] * 20], 0, "good"),
    ],
)
def test_verdicts(peaks: list[float], clipped: int, verdict: str) -> None:
    """The loudest of the last three seconds decides, and one clipped sample goes before all."""
    judge = Judge()
    for n in range(40):
        judge(n / 10, Level(-70.0 if verdict == "silent" else peaks[0], -80.0, 0))
    reading = None
    for n, peak in enumerate(peaks):
        reading = judge(4 + n / 10, Level(peak, peak - 10, clipped))
    assert reading is not None
    assert reading.verdict == verdict


def test_the_bar() -> None:
    """It is filled to the mean power from -60 dBFS up, with a stroke at the peak."""
    reading = Reading(t=0, peak_dbfs=0.0, rms_dbfs=-30.0, clipped=0, verdict="good")
    assert bar(reading, 10) == "█████····┃"
    nothing = Reading(t=0, peak_dbfs=-120.0, rms_dbfs=-120.0, clipped=0, verdict="silent")
    assert bar(nothing, 10) == "·" * 10
