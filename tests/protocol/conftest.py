"""What the tests of the protocol share: a short runtime directory, real processes, and a way to wait for a fact."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import pytest

from sottovoce.protocol.bus import Publisher, Subscriber
from sottovoce.protocol.journal import Journal
from sottovoce.protocol.paths import Paths

Until = Callable[..., None]


@pytest.fixture
def paths() -> Iterator[Paths]:
    """Paths of a service of its own, in memory and short enough for unix sockets, which tmp_path need not be."""
    with tempfile.TemporaryDirectory(prefix="sv-", dir="/dev/shm") as name:
        root = Path(name)
        yield Paths(root / "run", root / "state", root / "config.toml").ensure()


@pytest.fixture
def until() -> Until:
    """Return a function that turns `step` until `condition` holds, and fails after some seconds."""

    def wait(
        condition: Callable[[], object], step: Callable[[], object] = lambda: None, *, seconds: float = 15.0
    ) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"not within {seconds} s"
            step()
            time.sleep(0.002)

    return wait


@pytest.fixture
def publisher(paths: Paths) -> Iterator[Callable[[str], Publisher]]:
    """Return a function that opens a publisher; each is closed at the end unless the test did that."""
    with ExitStack() as stack:

        def open_publisher(name: str) -> Publisher:
            opened = Publisher(paths, name)
            stack.callback(lambda: opened.socket.closed or opened.close())
            return opened

        yield open_publisher


@pytest.fixture
def subscriber(paths: Paths) -> Iterator[Callable[..., Subscriber]]:
    """Return a function that opens a subscriber; each is closed at the end."""
    with ExitStack() as stack:

        def open_subscriber(*prefixes: str, **options: Any) -> Subscriber:
            opened = Subscriber(paths, prefixes, **options)
            stack.callback(opened.close)
            return opened

        yield open_subscriber


@pytest.fixture
def journal(paths: Paths) -> Iterator[Callable[..., Journal]]:
    """Return a function that opens one more connection to the journal of this test; each is closed at the end."""
    with ExitStack() as stack:

        def open_journal(*, keep: str = "30d") -> Journal:
            opened = Journal(paths.state / "journal.db", keep=keep)
            stack.callback(opened.close)
            return opened

        yield open_journal


class Child:
    """A real Python process that runs `code` with its arguments; talks in lines."""

    def __init__(self, code: str, *args: object) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, args)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.pid = self.process.pid

    @staticmethod
    def _pipe(pipe: IO[str] | None) -> IO[str]:
        assert pipe is not None
        return pipe

    def line(self) -> str:
        """Return the next line it prints; fails where it ended instead."""
        text = self._pipe(self.process.stdout).readline()
        assert text, f"the child ended with {self.process.wait()}"
        return text.rstrip("\n")

    def say(self, text: str) -> None:
        """Send it a line."""
        pipe = self._pipe(self.process.stdin)
        pipe.write(f"{text}\n")
        pipe.flush()

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            self._pipe(pipe).close()


@pytest.fixture
def child() -> Iterator[Callable[..., Child]]:
    """Return a function that starts a child process; each is killed at the end."""
    with ExitStack() as stack:

        def start(code: str, *args: object) -> Child:
            started = Child(code, *args)
            stack.callback(started.kill)
            return started

        yield start
