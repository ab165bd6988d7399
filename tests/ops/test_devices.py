"""`sottovoce devices` and `sottovoce mic`, as people run them, with a sound server of the test's own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from soundserver import PipeWire, SoundServer, sound_server

from sottovoce.actors.capture.level import Level
from sottovoce.ops.meter import Judge, Reading, bar
from sottovoce.protocol.clocks import SAMPLE_RATE
from sottovoce.protocol.paths import Paths

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(params=[SoundServer, PipeWire])
def server(request: pytest.FixtureRequest) -> Iterator[SoundServer]:
    """Run a sound server with two microphones, of which `desk` is the default."""
    with sound_server("desk", "head", kind=request.param) as running:
        yield running


@pytest.fixture
def sottovoce(paths: Paths, server: SoundServer) -> Run:
    """Return a function that runs one command beside that sound server."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [Path(sys.executable).with_name("sottovoce"), *arguments],
            env={**os.environ, **server.environ, **paths.environment(), "COLUMNS": "100"},
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    return run


def test_inputs_are_listed(sottovoce: Run, paths: Paths) -> None:
    """By name, with which is the default, which the configuration chooses, and which are no microphones."""

    def listed(config: str) -> dict[str, dict[str, object]]:
        paths.config.write_text(config)
        result = sottovoce("devices", "--json")
        assert result.returncode == 0, result.stderr
        return {str(device["name"]): device for device in json.loads(result.stdout)}

    def marked(devices: dict[str, dict[str, object]], mark: str) -> list[str]:
        return [name for name, device in devices.items() if device[mark]]

    devices = listed("")
    assert marked(devices, "default") == marked(devices, "chosen") == ["desk"]
    assert marked(devices, "monitor") == ["speaker.monitor"]
    assert devices["head"]["title"] == "The-head"
    assert devices["desk"]["api"] == "sound server"
    assert devices["default"]["api"] == "ALSA"
    assert isinstance(devices["desk"]["rate"], int)
    devices = listed('[capture]\ndevice = "the-HEAD"\n')
    assert (marked(devices, "default"), marked(devices, "chosen")) == (["desk"], ["head"])
    number = devices["default"]["index"]
    assert marked(listed(f'[capture]\ndevice = "{number}"\n'), "chosen") == ["default"]
    assert marked(listed('[capture]\ndevice = "none of these"\n'), "chosen") == []
    assert "is none of them" in sottovoce("devices").stderr


def test_inputs_for_people(sottovoce: Run) -> None:
    """A line each; a star marks the one that is recorded."""
    lines = sottovoce("devices").stdout.splitlines()
    assert [line for line in lines if line.startswith("*")] == [line for line in lines if " desk: The-desk" in line]
    assert any("speaker.monitor" in line and "(what the computer plays)" in line for line in lines)


def test_a_hung_server_is_told(sottovoce: Run, server: SoundServer) -> None:
    """Both commands end within seconds where the sound server is frozen, and say why."""
    server.freeze()
    try:
        for command in (("devices",), ("mic", "--seconds", "1")):
            result = sottovoce(*command)
            assert result.returncode == 1
            assert result.stderr == "sottovoce: the sound server does not answer\n"
    finally:
        server.thaw()


def test_the_meter_tells_silence(sottovoce: Run) -> None:
    """A microphone that gives nothing but zeros is called silent, after three seconds."""
    result = sottovoce("mic", "--seconds", "4", "--json")
    assert result.returncode == 0, result.stderr
    readings = [json.loads(line) for line in result.stdout.splitlines()]
    assert readings[-1]["verdict"] == "silent"
    assert readings[0]["verdict"] == "listening"
    assert "silent" in sottovoce("mic", "--seconds", "4").stdout


def test_the_meter_tells_clipping(sottovoce: Run, server: SoundServer, tmp_path: Path) -> None:
    """A microphone at full scale is called clipping."""
    path = tmp_path / "loud.wav"
    square = np.sign(np.sin(np.arange(6 * SAMPLE_RATE) * 0.05)).astype(np.float32)
    soundfile.write(path, square, SAMPLE_RATE, subtype="FLOAT")
    player = server.playing(path)
    readings = [json.loads(line) for line in sottovoce("mic", "--seconds", "3", "--json").stdout.splitlines()]
    player.kill()
    player.wait()
    assert readings[-1]["verdict"] == "clipping"
    assert readings[-1]["peak_dbfs"] > -0.2


def test_the_meter_names_what_cannot_be_opened(sottovoce: Run, paths: Paths) -> None:
    """One line says which input that is, and where to choose another."""
    paths.config.write_text('[capture]\ndevice = "none of these"\n')
    result = sottovoce("mic", "--seconds", "1")
    assert result.returncode == 1
    assert result.stderr.startswith("sottovoce: input device 'none of these' cannot be opened")
    assert result.stderr.count("\n") == 1


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
