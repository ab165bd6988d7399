"""Dictating into real windows: the whole service types, the window is read back.

One service for each kind of session. The window is a terminal, for which the configuration asks for code.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile
from desktop import Window

from sottovoce.actors.audiofile import decode_file
from sottovoce.ops.live import feed
from sottovoce.ops.private import PrivateService, private_service
from sottovoce.protocol.clocks import SAMPLE_RATE
from sottovoce.protocol.messages import ModeState, Typed

_SESSION = ("DISPLAY", "WAYLAND_DISPLAY", "SWAYSOCK", "XAUTHORITY", "XDG_RUNTIME_DIR")
_CONFIG = """
[stt.draft]
enabled = false
[vad]
turn = ""
endpoint = 0.5
[transform]
carry = 0
[[transform.applications]]
match = "kitty|foot|xterm"
mode = "code"
"""
PROSE, CODE = "If the count is greater than five.", "if the count > 5"


@dataclass
class Session:
    """A window, and a service that was started in its session."""

    window: Window
    backend: str
    """What types there."""
    service: PrivateService

    def sottovoce(self, *arguments: str) -> str:
        """Run a command for this service and return what it prints."""
        done = subprocess.run(
            [Path(sys.executable).with_name("sottovoce"), *arguments],
            env={**os.environ, **self.service.paths.environment(), "COLUMNS": "100"},
            capture_output=True, text=True, timeout=120, check=True,
        )  # fmt: skip
        return done.stdout

    def dictate(self, recording: Path) -> tuple[list[Typed], str]:
        """Feed a recording into an empty window; return what is said to be typed, and what then has to stand there."""
        self.window.clear()
        typed = [event.body for event in feed(self.service.paths, recording, pace=0) if isinstance(event.body, Typed)]
        text = ""
        for body in typed:
            text = (text[:-1] if body.mended else text) + body.text
        return typed, text


@pytest.fixture(scope="module", params=[("_x11", "xdotool"), ("_wayland", "wtype")], ids=["X11", "Wayland"])
def session(request: pytest.FixtureRequest, beckett: Path) -> Iterator[Session]:
    """A session of either kind; what the module starts meanwhile is in it. `beckett` stands for the models."""
    window: Window = request.getfixturevalue(request.param[0])
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name in _SESSION:
            monkeypatch.delenv(name, raising=False)
            if name in window.environ:
                monkeypatch.setenv(name, window.environ[name])
        with private_service(root=Path("/dev/shm"), backends=("auto",), config=_CONFIG) as service:
            yield Session(window, request.param[1], service)
        assert not service.paths.runtime.exists()


@pytest.fixture
def prose(session: Session) -> Session:
    """The same, with prose chosen for it."""
    session.sottovoce("mode", "dictation")
    return session


@pytest.fixture
def said(tmp_path: Path) -> Path:
    """A sentence that is written otherwise in code."""
    if shutil.which("flite") is None:
        pytest.skip("no speech synthesiser; apt install flite")
    sound = tmp_path / "said.wav"
    subprocess.run(
        ["flite", "-voice", "slt", "-t", "if the count is greater than five", "-o", sound], check=True, timeout=120
    )
    return sound


def test_code_in_a_terminal(session: Session, said: Path) -> None:
    """In a terminal code is written; prose once `sottovoce mode` has said so, and code again when it is taken back."""
    window, paths = session.window, session.service.paths
    window.clear()
    bodies = [event.body for event in feed(paths, said, pace=0)]
    assert window.wait_for(CODE) == CODE
    states = [body for body in bodies if isinstance(body, ModeState)]
    assert (states[-1].mode, states[-1].by) == ("code", "application")
    assert states[-1].application.lower() in ("foot", "xterm")
    assert session.sottovoce("mode", "dictation") == "dictation: chosen with `sottovoce mode`\n"
    assert json.loads(session.sottovoce("status", "--json"))["mode"]["by"] == "command"
    session.dictate(said)
    assert window.wait_for(PROSE) == PROSE
    # "application" where the stage was faster to take it up than the command to look.
    assert json.loads(session.sottovoce("mode", "--default", "--json"))["by"] in ("default", "application")
    session.dictate(said)
    assert window.wait_for(CODE) == CODE
    names = json.loads(session.sottovoce("mode", "--focused", "--json"))["names"]
    assert names[0].lower() in ("foot", "xterm")


def test_speech_appears_in_the_window(prose: Session, opening: Path) -> None:
    """A recording fed to a service in the window's session comes to stand in the focused window, once."""
    typed, expected = prose.dictate(opening)
    assert {body.backend for body in typed} == {prose.backend}
    assert prose.window.wait_for(expected) == expected
    assert len(re.findall(r"\w+", expected)) == 4


def test_a_full_stop_in_mid_sentence_is_taken_back(prose: Session, speech: Path, tmp_path: Path) -> None:
    """Who pauses in "He might even have ... been made" finds a full stop there, and none when the sentence goes on."""
    samples = decode_file(speech / "clips" / "librivox-0930.wav")
    quiet = np.convolve(np.square(samples), np.ones(800) / 800, "same")
    at = SAMPLE_RATE + int(np.argmin(quiet[SAMPLE_RATE : SAMPLE_RATE * 3 // 2]))
    hush = (np.random.default_rng(5).standard_normal(2 * SAMPLE_RATE) * 3e-4).astype(np.float32)
    recording = tmp_path / "reader.wav"
    soundfile.write(recording, np.concatenate([samples[:at], hush[:12_800], samples[at:], hush]), SAMPLE_RATE)
    first, second = prose.dictate(recording)[0]
    assert (first.text, second.mended) == ("He might even have.", True)
    expected = "He might even have been made amiable himself."
    assert prose.window.wait_for(expected).endswith(" have been made amiable himself.")
