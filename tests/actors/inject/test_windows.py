"""What `wtype` and `xdotool` do when something is in their way, in real sessions."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from sottovoce.actors.inject import Backend, Delivery, Outcome, WtypeBackend, XdotoolBackend

PRIVATE = "my diagnosis is correct horse battery staple "


@pytest.fixture(params=["wtype", "xdotool"])
def typist(request: pytest.FixtureRequest) -> Any:
    """Return each of the two in a session of its own kind."""
    if request.param == "wtype":
        return WtypeBackend(request.getfixturevalue("wayland_window").environ)
    return XdotoolBackend(request.getfixturevalue("x11_window").environ)


def _type_beside(backend: Backend, text: str) -> tuple[threading.Thread, list[Delivery]]:
    deliveries: list[Delivery] = []
    thread = threading.Thread(target=lambda: deliveries.append(backend.type(text)))
    thread.start()
    return thread, deliveries


def _command_line(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")[:-1]
    except OSError:
        return []


def _children(thread: threading.Thread) -> list[int]:
    try:
        return [int(pid) for pid in Path(f"/proc/self/task/{thread.native_id}/children").read_text().split()]
    except OSError:
        return []


def test_the_text_is_in_no_process_list(typist: Any) -> None:
    """What is dictated cannot be read from the arguments of the tool that types it."""
    thread, deliveries = _type_beside(typist, PRIVATE * 10)
    seen: set[tuple[str, ...]] = set()
    while thread.is_alive():
        seen |= {tuple(_command_line(pid)) for pid in _children(thread)}
    assert deliveries[0].outcome is Outcome.TYPED
    assert any(Path(line[0]).name == typist.name and line[-1] == "-" for line in seen if line)
    assert not any("diagnosis" in argument for line in seen for argument in line)


def test_a_tool_that_dies_leaves_doubt(typist: Any, request: pytest.FixtureRequest) -> None:
    """When the tool is killed while it types, the text counts as perhaps typed, and the report holds none of it."""
    thread, deliveries = _type_beside(typist, PRIVATE * 40)
    window = request.getfixturevalue("wayland_window" if typist.name == "wtype" else "x11_window")
    while thread.is_alive() and PRIVATE not in window.text():
        time.sleep(0.001)
    for pid in _children(thread):
        if Path(_command_line(pid)[0]).name == typist.name:
            os.kill(pid, signal.SIGKILL)
    thread.join()
    assert deliveries == [Delivery(Outcome.UNKNOWN, typist.name, f"{typist.name} ended with status -9")]


@pytest.mark.parametrize(
    "backend",
    [
        WtypeBackend({**os.environ, "WAYLAND_DISPLAY": "nowhere", "XDG_RUNTIME_DIR": "/nowhere"}),
        XdotoolBackend({**os.environ, "DISPLAY": ":60999", "WAYLAND_DISPLAY": ""}),
    ],
    ids=["wtype", "xdotool"],
)
def test_a_session_that_is_gone_proves_that_nothing_was_typed(backend: Backend) -> None:
    """Where the session does not answer, the next backend may try."""
    if why := backend.available():
        pytest.skip(why)
    delivery = backend.type(PRIVATE)
    assert delivery.outcome is Outcome.NOTHING_TYPED
    assert "diagnosis" not in delivery.detail


@pytest.mark.parametrize(
    ("backend", "reason"),
    [
        (WtypeBackend({"PATH": "/nowhere"}), "WAYLAND_DISPLAY is not set"),
        (WtypeBackend({"PATH": "/nowhere", "WAYLAND_DISPLAY": "w"}), "wtype is not installed: apt install wtype"),
        (XdotoolBackend({"PATH": "/nowhere"}), "DISPLAY is not set"),
        (XdotoolBackend({"PATH": "/nowhere", "DISPLAY": ":0"}), "xdotool is not installed: apt install xdotool"),
        (XdotoolBackend({"DISPLAY": ":0", "WAYLAND_DISPLAY": "w"}), "cannot reach the windows of a Wayland session"),
    ],
)
def test_what_is_missing_is_named(backend: Backend, reason: str) -> None:
    """A backend that cannot be used says why, and types nothing."""
    assert reason in (backend.available() or "")
    assert backend.type("words") == Delivery(Outcome.NOTHING_TYPED, backend.name, backend.available() or "")


def test_a_compositor_without_virtual_keyboards_is_passed_over(tmp_path: Path) -> None:
    """What wtype says under GNOME is taken as proof; any other failure of it is doubt."""
    wtype = tmp_path / "wtype"
    environ = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "WAYLAND_DISPLAY": "w"}
    for complaint, outcome in (
        ("Compositor does not support the virtual keyboard protocol", Outcome.NOTHING_TYPED),
        (PRIVATE, Outcome.UNKNOWN),
    ):
        wtype.write_text(f"#!/bin/sh\necho '{complaint}' >&2\nexit 1\n")
        wtype.chmod(0o700)
        delivery = WtypeBackend(environ).type(PRIVATE)
        assert delivery.outcome is outcome
        assert "diagnosis" not in delivery.detail
