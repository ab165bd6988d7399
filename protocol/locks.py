"""One living owner a name.

zmq lets a second process bind a live ipc path without a word and takes the first one's new subscribers away; a flock
beside the socket is what refuses it. The lock is on the open file, so the kernel frees it however the owner dies.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

from sottovoce.protocol.exceptions import EndpointBusy, PathError


class NameLock:
    """An exclusive flock on a file that holds the owner's process id.

    Raises:
        EndpointBusy: another process holds it; the message names its pid.
        PathError: it cannot be opened, or is a link.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise PathError(
                f"{path}: cannot be locked: {error.strerror}; remove it, and look who put it there"
            ) from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(self._fd, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(self._fd)
            raise EndpointBusy(
                f"{path.stem} is running already (pid {owner}); stop it first with `sottovoce down`"
            ) from None
        os.ftruncate(self._fd, 0)
        with contextlib.suppress(OSError):  # no room: the lock holds all the same, and who is refused reads "unknown"
            os.pwrite(self._fd, str(os.getpid()).encode(), 0)

    def release(self) -> None:
        """Free the name. The file stays: unlinking a lock file lets two processes hold "the" lock."""
        os.close(self._fd)
