"""Dictating into real windows: the whole service types, the window is read back."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from desktop import Window

from sottovoce.ops.live import feed
from sottovoce.ops.private import private_service


@pytest.mark.parametrize(("fixture", "backend"), [("x11_window", "xdotool"), ("wayland_window", "wtype")])
def test_speech_appears_in_the_window(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, beckett: Path, fixture: str, backend: str
) -> None:
    """A recording fed to a service in the window's session comes to stand in the focused window, once."""
    window: Window = request.getfixturevalue(fixture)
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in window.environ.items():
        if name in ("DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "XDG_RUNTIME_DIR"):
            monkeypatch.setenv(name, value)
    with private_service(root=Path("/dev/shm"), backends=("auto",)) as service:
        typed = [event.body for event in feed(service.paths, beckett, pace=0) if event.topic == "inject.typed"]
        assert {body.backend for body in typed} == {backend}
        expected = "".join(body.text for body in typed)
        window.wait_for(expected)
        assert window.text() == expected
    assert len(re.findall(r"\w+", expected)) == 12
