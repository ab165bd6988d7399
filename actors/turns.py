"""Taking turns: in cascaded mode the draft and the final recogniser never decode at the same time.

On a machine with one core to spare, two decodes at once make both late, and the final is the one that is waited for. So
whoever decodes holds a flock; the final waits for it, which is one short decode at most, and the draft goes without.
The kernel frees the lock of a process that dies.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Turns:
    """The turn to decode.

    Args:
        path: the lock's file; None where nobody needs to wait for anybody.
    """

    def __init__(self, path: Path | None) -> None:
        self._fd = None
        if path is not None:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)

    @contextmanager
    def mine(self) -> Iterator[None]:
        """Wait for the turn and hold it."""
        if self._fd is None:
            yield
            return
        fcntl.flock(self._fd, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._fd, fcntl.LOCK_UN)

    @property
    def taken(self) -> bool:
        """Whether the other one is decoding now."""
        if self._fd is None:
            return False
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        fcntl.flock(self._fd, fcntl.LOCK_UN)
        return False

    def close(self) -> None:
        """Let the file go."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
