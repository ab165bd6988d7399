"""The mode of the application that has the focus, and of `sottovoce mode`: spoken, typed into a window, read back."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from desktop import Window
from stages import LEAN

from sottovoce.ops.live import feed
from sottovoce.ops.private import PrivateService, private_service
from sottovoce.protocol.messages import ModeState

_SESSION = ("DISPLAY", "WAYLAND_DISPLAY", "SWAYSOCK", "XAUTHORITY", "XDG_RUNTIME_DIR")
_TERMINALS = '[transform]\ncarry = 0\n[[transform.applications]]\nmatch = "kitty|foot|xterm"\nmode = "code"\n'
PROSE, CODE = "If the count is greater than five.", "if the count > five"


@pytest.fixture
def said(tmp_path: Path, beckett: Path) -> Path:
    """A sentence that is written otherwise in code; `beckett` stands for the models."""
    if shutil.which("flite") is None:
        pytest.skip("no speech synthesiser; apt install flite")
    sound = tmp_path / "said.wav"
    subprocess.run(
        ["flite", "-voice", "slt", "-t", "if the count is greater than five", "-o", sound], check=True, timeout=30
    )
    return sound


@pytest.fixture(params=["x11_window", "wayland_window"], ids=["X11", "Wayland"])
def window(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Window:
    """Return a terminal's window; what is started now is in its session."""
    window: Window = request.getfixturevalue(request.param)
    for name in _SESSION:
        monkeypatch.delenv(name, raising=False)
        if name in window.environ:
            monkeypatch.setenv(name, window.environ[name])
    return window


def sottovoce(service: PrivateService, *arguments: str) -> str:
    """Run a command for this service and return what it prints."""
    done = subprocess.run(
        [Path(sys.executable).with_name("sottovoce"), *arguments],
        env={**os.environ, **service.paths.environment(), "COLUMNS": "100"},
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return done.stdout


def test_code_in_a_terminal(window: Window, said: Path) -> None:
    """In a terminal code is written; prose once `sottovoce mode` has said so, and code again when it is taken back."""
    with private_service(root=Path("/dev/shm"), backends=("auto",), config=_TERMINALS + LEAN) as service:
        bodies = [event.body for event in feed(service.paths, said, pace=0)]
        assert window.wait_for(CODE) == CODE
        states = [body for body in bodies if isinstance(body, ModeState)]
        assert (states[-1].mode, states[-1].by) == ("code", "application")
        assert states[-1].application.lower() in ("foot", "xterm")
        assert sottovoce(service, "mode", "dictation") == "dictation: chosen with `sottovoce mode`\n"
        assert json.loads(sottovoce(service, "status", "--json"))["mode"]["by"] == "command"
        window.clear()
        assert list(feed(service.paths, said, pace=0))
        assert window.wait_for(PROSE) == PROSE
        # "application" where the stage was faster to take it up than the command to look.
        assert json.loads(sottovoce(service, "mode", "--default", "--json"))["by"] in ("default", "application")
        window.clear()
        assert list(feed(service.paths, said, pace=0))
        assert window.wait_for(CODE) == CODE
        names = json.loads(sottovoce(service, "mode", "--focused", "--json"))["names"]
        assert names[0].lower() in ("foot", "xterm")
        runtime = service.paths.runtime
    assert not runtime.exists()
