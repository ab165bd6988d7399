"""Who may change a model and who uses it, as flocks: the kernel gives them back for a process that dies.

<root>/locks/<name>.lock    held, alone, by whoever installs or removes the model
<root>/locks/<name>.use     held, together, by processes that have it loaded
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sottovoce.shm.closing import Closing


@contextmanager
def alone(root: Path, name: str, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the right to change a model; `waiting` is called where another process has it."""
    descriptor = _open(root, f"{name}.lock")
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


class Hold(Closing):
    """A note that this process has a model loaded; until `close`, or the end of the process."""

    def __init__(self, root: Path, name: str) -> None:
        self._descriptor = -1
        with contextlib.suppress(OSError):  # a cache that cannot be written is not collected either
            self._descriptor = _open(root, f"{name}.use")
            fcntl.flock(self._descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)

    def close(self) -> None:
        """Take it back."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


@contextmanager
def unused(root: Path, name: str) -> Iterator[bool]:
    """Tell whether no process has a model loaded, and keep it so meanwhile."""
    with _tried(root, f"{name}.use") as got:
        yield got


@contextmanager
def free_to_change(root: Path, name: str) -> Iterator[bool]:
    """Tell whether no process installs or removes a model, and keep others from it meanwhile."""
    with _tried(root, f"{name}.lock") as got:
        yield got


@contextmanager
def _tried(root: Path, name: str) -> Iterator[bool]:
    descriptor = _open(root, name)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)


def _open(root: Path, name: str) -> int:
    return os.open(root / "locks" / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
