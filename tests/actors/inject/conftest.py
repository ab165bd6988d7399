"""The backends, each with what it types into."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sottovoce.actors.inject import Backend, FileBackend, StdoutBackend, WtypeBackend, XdotoolBackend


@dataclass
class Target:
    """A backend and what has arrived where it types."""

    backend: Backend
    arrives: Callable[[str], str]
    """Wait until this text has arrived and return what has."""


@pytest.fixture(params=["stdout", "file", "wtype", "xdotool"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Target]:
    """Return each backend in turn."""
    backend: Backend
    window: Any
    fd: int | None = None
    match request.param:
        case "stdout":
            path = tmp_path / "out"
            fd = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
            backend, arrives = StdoutBackend(fd), lambda _: path.read_bytes().decode()
        case "file":
            path = tmp_path / "out"
            backend, arrives = FileBackend(path), lambda _: path.read_bytes().decode()
        case "wtype":
            window = request.getfixturevalue("wayland_window")
            backend, arrives = WtypeBackend(window.environ), window.wait_for
        case _:
            window = request.getfixturevalue("x11_window")
            backend, arrives = XdotoolBackend(window.environ), window.wait_for
    yield Target(backend, arrives)
    backend.close()
    if fd is not None:
        os.close(fd)
