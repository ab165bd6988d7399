"""Which application has the focus: asked of real desktops where they run here, and of what answers amiss."""

from __future__ import annotations

import os
import socket
import struct
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from desktop import Window as Desktop

from sottovoce.actors.focus import Focus, FocusUnknown, focused


@pytest.fixture
def answering() -> Iterator[Callable[[bytes | None], dict[str, str]]]:
    """Return a function that has a socket answer with some bytes (None: with nothing, for ever), and its session."""
    servers: list[socket.socket] = []
    with tempfile.TemporaryDirectory(prefix="sv-", dir="/dev/shm") as folder:

        def answer(data: bytes | None) -> dict[str, str]:
            place = Path(folder, "hypr", "sig")
            place.mkdir(parents=True)
            server = socket.socket(socket.AF_UNIX)
            server.bind(str(place / ".socket.sock"))
            server.listen()
            servers.append(server)

            def serve() -> None:
                connection, _ = server.accept()
                with connection:
                    connection.recv(100)
                    if data is None:
                        connection.recv(100)  # until the other one goes
                    else:
                        connection.sendall(data)

            threading.Thread(target=serve, daemon=True).start()
            return {"XDG_RUNTIME_DIR": folder, "WAYLAND_DISPLAY": "wayland-9", "SWAYSOCK": str(place / ".socket.sock")}

        yield answer
        for server in servers:
            server.close()


def as_hyprland(session: dict[str, str]) -> dict[str, str]:
    """Return a session as Hyprland's."""
    return {name: value for name, value in session.items() if name != "SWAYSOCK"} | {
        "HYPRLAND_INSTANCE_SIGNATURE": "sig"
    }


def test_x11(x11_window: Desktop) -> None:
    """Under X11 it is the window's class, then its instance, also where no window manager is."""
    window = focused(x11_window.environ)
    assert window is not None
    assert window.names == ("XTerm", "xterm")
    assert window.title


def test_sway(wayland_window: Desktop) -> None:
    """Under sway it is the app_id."""
    window = focused(wayland_window.environ)
    assert window is not None
    assert window.names == ("foot",)


def test_an_answer_in_advance(x11_window: Desktop) -> None:
    """Who has asked in advance need not wait, and asking again meanwhile starts nothing new."""
    focus = Focus(x11_window.environ)
    try:
        focus.ask()
        focus.ask()
        first = focus.answer(5.0)
        assert first is not None
        assert first.names[0] == "XTerm"
        assert focus.answer(0.0) is first
    finally:
        focus.close()


def test_an_x_server_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A desktop that never answers costs the time limit and no more, and its programs are ended."""
    hangs = tmp_path / "xprop"
    hangs.write_text(f"#!/bin/sh\necho $$ >{tmp_path}/pid\nexec sleep 60\n")
    hangs.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    focus = Focus({"DISPLAY": ":99", "PATH": os.environ["PATH"]})
    began = time.monotonic()
    with pytest.raises(FocusUnknown, match="did not tell within 20 ms"):
        focus.answer(0.02)
    assert time.monotonic() - began < 0.4
    with pytest.raises(FocusUnknown, match="xprop did not end in time"):
        focus.answer(10.0)
    focus.close()
    assert not Path("/proc", (tmp_path / "pid").read_text().strip()).exists()


def test_nothing_there() -> None:
    """Without a desktop, without the program, and with a server that is not there, it is said what is amiss."""
    path = {"PATH": os.environ["PATH"]}
    with pytest.raises(FocusUnknown, match="neither DISPLAY nor WAYLAND_DISPLAY"):
        focused(path)
    with pytest.raises(FocusUnknown, match="is DISPLAY that of a running session"):
        focused({**path, "DISPLAY": ":4711"}, 5.0)
    with pytest.raises(FocusUnknown, match="bind keys to `sottovoce mode NAME`"):
        focused({**path, "DISPLAY": ":4711", "WAYLAND_DISPLAY": "wayland-0"})
    with pytest.raises(FocusUnknown, match="sway does not answer at /nowhere: No such file"):
        focused({**path, "WAYLAND_DISPLAY": "wayland-0", "SWAYSOCK": "/nowhere"})


def test_no_xprop(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where xprop is missing, the package that has it is named."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FocusUnknown, match="apt install x11-utils"):
        focused({"DISPLAY": ":0", "PATH": str(tmp_path)})


def test_hyprland(answering: Callable[[bytes | None], dict[str, str]]) -> None:
    """Of Hyprland's answer class, first class and title are taken, whatever else it holds."""
    session = answering(b'{"address": "0x55", "class": "kitty", "initialClass": "Kitty", "title": "vi", "pid": 7}')
    window = focused(as_hyprland(session))
    assert window == (("kitty", "Kitty"), "vi", "0x55")


def test_hyprland_without_a_window(answering: Callable[[bytes | None], dict[str, str]]) -> None:
    """An empty workspace has no application."""
    assert focused(as_hyprland(answering(b"{}"))) is None


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"no json at all", "not understood"),
        (b'["a list"]', "not understood"),
        (b"[" * 100_000, "not understood"),
        (None, "does not answer"),
    ],
    ids=["no JSON", "a list", "nested", "nothing"],
)
def test_hyprland_answers_amiss(
    answering: Callable[[bytes | None], dict[str, str]], answer: bytes | None, why: str
) -> None:
    """What is no answer is told as such, within the limit."""
    with pytest.raises(FocusUnknown, match=why):
        focused(as_hyprland(answering(answer)), 0.3)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"HTTP/1.0 400 Bad", "is not sway"),
        (struct.pack("=6sII", b"i3-ipc", 1 << 30, 4), "is not sway"),
        (struct.pack("=6sII", b"i3-ipc", 100, 4) + b"{", "broke off"),
        (struct.pack("=6sII", b"i3-ipc", 13, 4) + b'{"nodes": 42}', "not understood"),
        (None, "does not answer"),
    ],
    ids=["no i3-ipc", "too long", "cut short", "wrong type", "nothing"],
)
def test_sway_answers_amiss(
    answering: Callable[[bytes | None], dict[str, str]], answer: bytes | None, why: str
) -> None:
    """What is no tree of windows is told as such, within the limit."""
    with pytest.raises(FocusUnknown, match=why):
        focused(answering(answer), 0.3)
