"""Backends that write bytes: `stdout` (an inherited descriptor) and `file` (a path)."""

from __future__ import annotations

import fcntl
import os
import select
import stat
import time
from dataclasses import replace
from pathlib import Path
from typing import Final

from sottovoce.actors.inject.base import Delivery, Outcome, typeable

# A reader at the other end of a pipe that takes nothing for this long is taken to be hung. Bytes per second is far
# below what any reader does (a terminal takes megabytes), so that a long text is not cut short by a slow one.
_PATIENCE_S: Final = 5.0
_SLOWEST_BYTES_PER_S: Final = 10_000
_KEYS: Final = {"Return": "\n", "Tab": "\t", "space": " "}


class StdoutBackend:
    """Writes to a descriptor that somebody else opened and will close, by default standard output."""

    name: Final = "stdout"

    def __init__(self, fd: int = 1) -> None:
        self._fd = fd

    def available(self) -> str | None:
        """Return None if the descriptor is open, else what is wrong with it."""
        try:
            os.fstat(self._fd)
        except OSError as error:
            return f"descriptor {self._fd} cannot be written to ({error.strerror}): start with it open"
        return None

    def type(self, text: str, *, mended: str = "") -> Delivery:  # noqa: ARG002 - nothing is taken back from a pipe
        """Write the text in UTF-8."""
        return _write(self._fd, typeable(text), self.name)

    def elsewhere(self, place: str) -> str | None:  # noqa: ARG002 - there is one
        """Return None if the descriptor is open, else what is wrong with it."""
        return self.available()

    def take_back(self, text: str, place: str) -> Delivery:  # noqa: ARG002 - as above
        """Tell that this cannot be done."""
        return Delivery(Outcome.NOTHING_TYPED, self.name, "what went to stdout cannot be taken back")

    def press(self, keys: str) -> Delivery:
        """Write what the key writes, if it writes something."""
        return _written(keys, self.name) or _write(self._fd, _KEYS[keys], self.name)

    def close(self) -> None:
        """Leave the descriptor to its owner."""


class FileBackend:
    """Appends to a file that only its owner can read, creating it if need be.

    The file is opened anew for each text: whoever rotates or removes it between two texts loses nothing.
    """

    name: Final = "file"

    def __init__(self, path: Path | str | None) -> None:
        self._path = Path(path) if path else None
        self._end = (0, 0, 0)
        """Device, inode and size of the file once the text before stood in it."""

    def available(self) -> str | None:
        """Return None if the path can be appended to, else why not. Creates the file."""
        fd = self._open()
        if isinstance(fd, str):
            return fd
        os.close(fd)
        return None

    def type(self, text: str, *, mended: str = "") -> Delivery:
        """Append the text in UTF-8, or put it over the last byte where nobody else has written since."""
        fd = self._open()
        if isinstance(fd, str):
            return Delivery(Outcome.NOTHING_TYPED, self.name, fd)
        try:
            mend = bool(mended) and self._end == _end(fd)
            if mend:
                fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) & ~os.O_APPEND)
                os.lseek(fd, -1, os.SEEK_END)
            delivery = _write(fd, typeable(mended if mend else text), self.name)
            self._end = _end(fd)
            return replace(delivery, mended=mend and delivery.outcome is Outcome.TYPED, place=_place(fd))
        finally:
            os.close(fd)

    def elsewhere(self, place: str) -> str | None:
        """Return None if the file is the one of `place`."""
        fd = self._open()
        if isinstance(fd, str):
            return fd
        try:
            return None if _place(fd) == place else f"{self._path} is another file by now"
        finally:
            os.close(fd)

    def take_back(self, text: str, place: str) -> Delivery:
        """Cut the text off the end of the file, if that is what stands there."""
        data = typeable(text).encode()
        fd = self._open(os.O_RDWR)
        if isinstance(fd, str):
            return Delivery(Outcome.NOTHING_TYPED, self.name, fd)
        try:
            start = os.fstat(fd).st_size - len(data)
            why = "" if _place(fd) == place else f"{self._path} is another file by now"
            if not why and (start < 0 or os.pread(fd, len(data), start) != data):
                why = f"something else was written into {self._path} since"
            if not why:
                os.ftruncate(fd, start)
        except OSError as error:
            why = f"{self._path} cannot be shortened ({error.strerror})"
        finally:
            os.close(fd)
        self._end = (0, 0, 0)
        return Delivery(Outcome.NOTHING_TYPED if why else Outcome.TYPED, self.name, why, place="" if why else place)

    def press(self, keys: str) -> Delivery:
        """Append what the key writes, if it writes something."""
        return _written(keys, self.name) or self.type(_KEYS[keys])

    def close(self) -> None:
        """Nothing is held between two texts."""

    def _open(self, access: int = os.O_WRONLY | os.O_APPEND) -> int | str:
        """Return a descriptor, by default to append to, or why there is none.

        The path may lie where others can write, so a link is not followed and what was opened is checked, not the name.
        O_NONBLOCK keeps a FIFO without a reader from hanging the open; on a regular file it means nothing.
        """
        if self._path is None:
            return "no path is set: name the file to append to"
        flags = access | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        try:
            fd = os.open(self._path, flags, 0o600)
        except OSError as error:
            if self._path.is_symlink():
                return f"{self._path} is a symbolic link, which is not followed: name the file itself"
            return f"{self._path} cannot be opened ({error.strerror}): make its folder exist and be writable"
        found = os.fstat(fd)
        wrong = ""
        if not stat.S_ISREG(found.st_mode):
            wrong = f"{self._path} is not a regular file: name one, or a path that does not exist yet"
        elif found.st_uid != os.geteuid():
            wrong = f"{self._path} belongs to user {found.st_uid}: name a file of your own"
        elif found.st_nlink > 1:
            wrong = f"{self._path} has {found.st_nlink} names (hard links): name a file that has one"
        if wrong:
            os.close(fd)
            return wrong
        return fd


def _place(fd: int) -> str:
    found = os.fstat(fd)
    return f"{found.st_dev}:{found.st_ino}"


def _written(keys: str, backend: str) -> Delivery | None:
    """Return None if a key writes something, else that it cannot be pressed here."""
    if keys in _KEYS:
        return None
    return Delivery(Outcome.NOTHING_TYPED, backend, f"{backend} has no key {keys}")


def _end(fd: int) -> tuple[int, int, int]:
    found = os.fstat(fd)
    return found.st_dev, found.st_ino, found.st_size


def _write(fd: int, text: str, backend: str) -> Delivery:
    """Write all of `text` to `fd`."""
    data = memoryview(text.encode())
    deadline = time.monotonic() + _PATIENCE_S + len(data) / _SLOWEST_BYTES_PER_S
    written, why = 0, ""
    try:
        # A regular file takes all in one append, which no other writer can split. A pipe that is ready promises room
        # for PIPE_BUF bytes only; more would block past the deadline if its reader hangs.
        at_once = len(data) if stat.S_ISREG(os.fstat(fd).st_mode) else select.PIPE_BUF
        ready = select.poll()
        ready.register(fd, select.POLLOUT)
        while written < len(data):
            if not ready.poll(max(0.0, deadline - time.monotonic()) * 1000):
                why = "the reader at the other end takes nothing"
                break
            written += os.write(fd, data[written : written + at_once])
    except OSError as error:
        why = error.strerror or str(error)
    if written == len(data):
        return Delivery(Outcome.TYPED, backend)
    outcome = Outcome.UNKNOWN if written else Outcome.NOTHING_TYPED
    return Delivery(outcome, backend, f"{written} of {len(data)} bytes written: {why}")
