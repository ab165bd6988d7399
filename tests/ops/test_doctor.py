"""`sottovoce doctor` without a service: what each check finds, and what it advises."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from soundserver import sound_server

from sottovoce.actors.capture.device import portaudio
from sottovoce.models import Store
from sottovoce.ops import doctor, hearing, vitals
from sottovoce.ops.exceptions import EXIT_FAILED
from sottovoce.ops.finding import Finding, as_lines, ok, problem
from sottovoce.protocol.config import CaptureConfig, Config, load_config
from sottovoce.protocol.exceptions import ConfigError
from sottovoce.protocol.paths import Paths
from sottovoce.shm import CountersPage, Histogram
from sottovoce.shm.histogram import BUCKETS, bucket_of

Sottovoce = Callable[..., subprocess.CompletedProcess[str]]


def found(result: subprocess.CompletedProcess[str]) -> dict[str, Finding]:
    """Return what `doctor --json` printed, by the name of the check."""
    return {finding["name"]: Finding(**finding) for finding in json.loads(result.stdout)}


def test_without_a_service(sottovoce: Sottovoce, paths: Paths) -> None:
    """That it does not run is a problem, and told; everything else is looked at, and nothing is made or started."""
    paths.runtime.rmdir()
    result = sottovoce("doctor", "--json")
    findings = found(result)
    assert result.returncode == EXIT_FAILED
    assert result.stderr.startswith("sottovoce: ")
    assert findings["service"].verdict == "problem"
    assert "sottovoce up" in findings["service"].advice
    assert {findings[name].verdict for name in ("python", "onnxruntime", "configuration", "state directory")} == {"ok"}
    assert findings["beginnings"].verdict == findings["gaps"].verdict == "not-applicable"
    assert not paths.runtime.exists()
    for finding in findings.values():
        assert finding.advice or finding.verdict != "problem"
        assert "\n" not in finding.found + finding.advice


def test_for_people(sottovoce: Sottovoce) -> None:
    """A paragraph a check, its advice after an arrow, the number of problems last."""
    result = sottovoce("doctor")
    assert result.returncode == EXIT_FAILED
    lines = result.stdout.splitlines()
    assert any(line.startswith("ok       python ") for line in lines)
    at = next(number for number, line in enumerate(lines) if line.startswith("PROBLEM  service "))
    assert lines[at + 1].strip() == "-> sottovoce up --detach"
    assert all(len(line) <= 100 or max(map(len, line.split())) > 60 for line in lines)  # no path is broken
    assert result.stderr.strip().endswith("problems" if lines and result.stdout.count("PROBLEM") > 1 else "problem")


def test_long_findings_are_wrapped() -> None:
    """Within the width, under one another, and without breaking a path."""
    path = "/a" * 40
    text = as_lines([ok("a", f"{path} " + "word " * 30), problem("longer name", "broken", "mend it")], width=80)
    lines = text.splitlines()
    assert path in text
    assert lines[-1] == " " * 22 + "-> mend it"
    assert {line[:22].strip() for line in lines[1:-2]} == {""}


# -- what is installed -------------------------------------------------------------------------------------------------


def test_an_old_python() -> None:
    """One below 3.11 is named, with what is needed."""
    assert doctor.python((3, 10, 4)).verdict == "problem"
    assert "3.11" in doctor.python((3, 10, 4)).advice
    assert doctor.python((3, 11, 0)).verdict == doctor.python((3, 14, 0)).verdict == "ok"


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("[log]\nlevel = 'info'\n\n[capture]\nstandby = 'hot'\n", 5, "hot"),
        ("[capture]\n# standy = 1\nstandy = 'warm'\n", 3, "standy"),
        ("[stt.final]\nthreads = 1\nmodell = 'x'\n", 3, "modell"),
        ("[stt]\nfinal.threads = 99\n", 2, "64"),
        ("[caputre]\n", 1, "caputre"),
        ("[vad]\nthreshold = 0.2\nrelease = 0.5\n", 1, "vad.release"),
        ("[inject]\nbackends = ['auto', 'telepathy']\n", 2, "telepathy"),
    ],
)
def test_a_wrong_key_is_found(paths: Paths, text: str, line: int, says: str) -> None:
    """The line of the file is named where the error names the key, and so is what is wrong with it."""
    paths.config.write_text(text)
    with pytest.raises(ConfigError) as error:
        load_config(paths.config)
    assert doctor.where(paths.config, str(error.value)) == line
    finding, config = doctor.configuration(paths)
    assert config is None
    assert finding.verdict == "problem"
    assert finding.found.startswith(f"line {line}: ")
    assert says in finding.found
    assert "config show" in finding.advice


def test_a_file_that_is_no_toml(paths: Paths, sottovoce: Sottovoce) -> None:
    """The line is in the text; what depends on the configuration is not looked at, all else is.

    A runtime directory that others may look into is a problem, and the command that closes it is named.
    """
    paths.config.write_text("[capture]\nstandby warm\n")
    paths.runtime.chmod(0o755)
    findings = found(sottovoce("doctor", "--json"))
    assert "line 2" in findings["configuration"].found
    assert findings["models"].verdict == findings["microphone"].verdict == "not-applicable"
    assert findings["runtime directory"].verdict == "problem"
    assert f"chmod 700 {paths.runtime}" in findings["runtime directory"].found + findings["runtime directory"].advice
    assert findings["state directory"].verdict == "ok"


def test_models_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is not here and one of which a single byte differs are problems, each with the command that mends it."""
    store = Store()
    if not store.installed("silero-v6"):
        pytest.skip("run: sottovoce models pull silero-v6")
    copy = tmp_path / "sottovoce" / "models" / "silero-v6"
    copy.mkdir(parents=True)
    for file in store.path("silero-v6").iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    findings = {finding.name: finding for finding in doctor.models(Config())}
    assert findings["model silero-v6"].verdict == "ok"
    assert findings["model moonshine-tiny-en"].verdict == "problem"
    changed = next(copy.glob("*.onnx"))
    data = bytearray(changed.read_bytes())
    data[1000] ^= 1
    changed.write_bytes(data)
    finding = next(found for found in doctor.models(Config()) if found.name == "model silero-v6")
    assert finding.verdict == "problem"
    assert changed.name in finding.found
    assert "sottovoce models pull silero-v6" in finding.advice


# -- what a service left -----------------------------------------------------------------------------------------------


def test_what_a_killed_service_left(paths: Paths) -> None:
    """Sockets and the ring are told apart from nothing, and from stages that live on without their supervisord."""
    assert vitals.left_behind(paths).verdict == "ok"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(paths.runtime / "control"))
        assert vitals.left_behind(paths).verdict == "warning"
    paths.ring.touch()
    assert "audio ring" in vitals.left_behind(paths).found
    page = CountersPage.create(paths.counters("vad"), counters=("turns", "state"), histograms=())
    try:
        assert f"{os.getpid()} (vad)" in vitals.left_behind(paths).found
        assert vitals.left_behind(paths).verdict == "problem"
    finally:
        page.close(unlink=True)


@pytest.mark.parametrize(
    ("state", "code", "verdict"),
    [("EXITED", 78, "problem"), ("STOPPED", 0, "problem"), ("FATAL", 1, "problem"), ("BACKOFF", 1, "warning")],
)
def test_a_stage_that_does_not_run(paths: Paths, state: str, code: int, verdict: str) -> None:
    """What supervisord says of it decides whether somebody has to do something."""
    finding = vitals.stage(paths, "vad", {"pid": 0, "statename": state, "exitstatus": code})
    assert (finding.name, finding.verdict) == ("stage vad", verdict)
    assert ("sottovoce restart vad" in finding.advice) == (verdict == "problem")


# -- the microphone ----------------------------------------------------------------------------------------------------


def histogram(*values_ms: float) -> Histogram:
    """Return a histogram of these, in microseconds, as a stage's page gives it."""
    values = [round(value * 1000) for value in values_ms]
    buckets = Counter(bucket_of(value) for value in values)
    return Histogram(len(values), sum(values), max(values, default=0), tuple(buckets[n] for n in range(BUCKETS)))


@pytest.mark.parametrize(
    ("values", "median"),
    [((280,), 280), ((280, 290, 330), 300), ((0, 0, 0), 0), ((0, 0, 300, 310, 320), 310), ((270, 280, 290, 2000), 280)],
)
def test_the_median(values: tuple[float, ...], median: float) -> None:
    """It is within a tenth of the true one where most are alike, whatever the others are."""
    assert hearing.median_us(histogram(*values)) / 1000 == pytest.approx(median, rel=0.1)


@pytest.mark.parametrize(
    ("values", "standby", "verdict"),
    [
        ((), "closed", "not-applicable"),
        ((40, 50, 60), "closed", "ok"),
        ((280, 290, 330), "closed", "warning"),
        ((0, 0), "warm", "ok"),
        ((0, 300), "warm", "warning"),
    ],
)
def test_beginnings(values: tuple[float, ...], standby: str, verdict: str) -> None:
    """What is missed at the beginning is told with median and worst; "warm" is advised where it would help."""
    finding = hearing.beginnings(histogram(*values), load(f'[capture]\nstandby = "{standby}"\n'))
    assert finding.verdict == verdict
    assert ('standby = "warm"' in finding.advice) == (verdict == "warning" and standby == "closed")
    if values and any(values):
        assert f"{max(values):g} ms at worst" in finding.found
        assert finding.figures["worst_ms"] == max(values)
        assert finding.figures["recordings"] == len(values)


def load(text: str) -> CaptureConfig:
    """Return `[capture]` of a configuration."""
    return msgspec.toml.decode(text, type=Config).capture


def test_gaps() -> None:
    """Lost audio is a warning with its length, overruns alone are none."""
    nothing = {"gaps": 0, "lost_ms": 0, "reopened": 0, "xruns": 0}
    assert hearing.gaps(nothing).verdict == hearing.gaps({**nothing, "xruns": 3}).verdict == "ok"
    finding = hearing.gaps({"gaps": 2, "lost_ms": 1500, "reopened": 1, "xruns": 4})
    assert finding.verdict == "warning"
    assert "1.5 s" in finding.found


def test_a_microphone_that_cannot_be_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Muted, at zero, another than is wanted, the speaker's monitor, a server that hangs: each is told by name."""
    with sound_server("desk", "head") as server:
        for name, value in server.environ.items():
            monkeypatch.setenv(name, value)
        portaudio(anew=True)

        def look(device: str = "default") -> dict[str, Finding]:
            return {finding.name: finding for finding in hearing.microphone(CaptureConfig(device=device), 0)}

        findings = look()
        assert "The-desk (the default)" in findings["microphone"].found
        assert {findings[name].verdict for name in ("sound server", "microphone", "level")} == {"ok"}
        server.pactl("set-source-mute", "desk", "1")
        assert "The-desk is muted" in look()["level"].found
        server.pactl("set-source-mute", "desk", "0")
        server.pactl("set-source-volume", "desk", "5%")
        assert "turned down to 5 %" in look()["level"].found
        findings = look("the-head")
        assert "The-head (as [capture] device says)" in findings["microphone"].found
        assert findings["level"].verdict == "ok"
        findings = look("Boom")
        assert findings["microphone"].verdict == "problem"
        assert "The-desk" in findings["microphone"].found
        server.default("speaker.monitor")
        finding = look()["microphone"]
        assert finding.verdict == "problem"
        assert "what the computer plays" in finding.found
        server.freeze()
        try:
            findings = look()
        finally:
            server.thaw()
        assert findings["sound server"].verdict == "problem"
        assert findings["microphone"].verdict == "not-applicable"


# -- where text goes ---------------------------------------------------------------------------------------------------


def test_where_text_goes(tmp_path: Path) -> None:
    """The back end of the session is named, and what it lacks; without a session nothing can be typed."""
    for tool in ("wtype", "xdotool", "xmodmap"):
        (tmp_path / tool).touch(0o755)
    path = {"PATH": str(tmp_path)}
    assert doctor.typing(Config(), {**path, "WAYLAND_DISPLAY": "wayland-1"}).found == "Wayland session, wtype types"
    assert doctor.typing(Config(), {**path, "DISPLAY": ":1"}).found == "X11 session, xdotool types"
    assert doctor.typing(Config(), path).verdict == "problem"
    (tmp_path / "wtype").unlink()
    finding = doctor.typing(Config(), {**path, "WAYLAND_DISPLAY": "wayland-1"})
    assert finding.verdict == "problem"
    assert "apt install wtype" in finding.found


def test_a_service_started_outside_of_the_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the person has a display and the service has none, that is said."""
    monkeypatch.setenv("DISPLAY", ":7")
    assert "started without DISPLAY" in doctor.typing(Config(), {"PATH": "/nowhere"}).advice


def test_a_file_is_not_made(tmp_path: Path) -> None:
    """To look whether a file could be appended to does not make it."""
    target = tmp_path / "typed.txt"
    assert doctor.unwritable(target) is None
    assert not target.exists()
    assert doctor.unwritable(tmp_path / "no" / "typed.txt") is not None
