"""Files in memory that only their owner can reach: how one is made, opened, locked and mapped.

The problem: several processes of one user share memory, any of them may be killed at any instant, and others on the
machine must not be able to read what was said or to feed us something else.

Refused: `multiprocessing.shared_memory`, whose resource tracker unlinks a live segment when a process that had merely
attached exits; memfd, which cannot be found again by a restarted process; ftruncate alone, which on a full tmpfs
lets the first store end in SIGBUS; flock, which a child forked at the wrong moment goes on holding under a descriptor
of its own and fcntl's classic locks, which any close of the file anywhere in the process drops (fcntl(2), "Open file
description locks").
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import hashlib
import mmap
import os
import stat
import struct
from pathlib import Path

from sottovoce.shm.exceptions import ShmFull, ShmInsecure, ShmNotTmpfs

_TMPFS_MAGIC = 0x0102_1994  # linux/magic.h
_FLAGS = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK  # the last so that a pipe in our way cannot hang us
_libc = ctypes.CDLL(None, use_errno=True)


class Mapping:
    """A shared mapping of the whole of an open file, whose descriptor it takes over, and with it any lock on it."""

    def __init__(self, path: Path, fd: int, *, writable: bool) -> None:
        self.path = path
        protection = mmap.PROT_READ | (mmap.PROT_WRITE if writable else 0)
        self._fd = -1
        try:
            self._identity = _identity(os.fstat(fd))
            self.memory = mmap.mmap(fd, 0, flags=mmap.MAP_SHARED, prot=protection)
            if writable:
                self._fd, fd = fd, -1  # for `restore_size`
        finally:
            if fd >= 0:
                os.close(fd)  # mmap has a duplicate: same open file, same lock, and nothing to leak
        self.size = len(self.memory)
        self.bytes = memoryview(self.memory)
        self.words = self.bytes.cast("Q")

    def is_stale(self) -> bool:
        """Whether the path now leads to another file, or to none."""
        try:
            return _identity(self.path.lstat()) != self._identity
        except FileNotFoundError:
            return True

    def resized(self) -> bool:
        """Whether the file has another size than the mapping: a load beyond its end would be a SIGBUS. 0.5 us."""
        return self.memory.size() != self.size

    def restore_size(self) -> None:
        """Give the file its size again, so that the whole mapping can be touched; what was cut off is zero now.

        Raises:
            ShmFull: there is no room for it.

        """
        os.ftruncate(self._fd, min(self.memory.size(), self.size))
        allocate(self.path, self._fd, self.size)

    def close(self) -> None:
        """Unmap and close; every view that others took of `memory` must have gone before. May be called again."""
        if not self.memory.closed:
            self.words.release()
            self.bytes.release()
            self.memory.close()
            if self._fd >= 0:
                os.close(self._fd)


def open_existing(path: Path, *, writable: bool) -> int:
    """Return a descriptor of the file at `path` after checking who can reach it.

    Raises:
        FileNotFoundError: there is none.
        ShmInsecure: it or its directory is a link, belongs to another user, or is open to others.
        ShmNotTmpfs: it lies on a disk.

    """
    directory = _open_directory(path.parent)
    try:
        fd = os.open(path.name, _FLAGS | (os.O_RDWR if writable else os.O_RDONLY), dir_fd=directory)
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.EACCES, errno.EISDIR, errno.ENXIO}:
            raise ShmInsecure(f"{path}: {os.strerror(error.errno)}; remove it, and look who put it there") from error
        raise
    finally:
        os.close(directory)
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise ShmInsecure(f"{path}: not a regular file; remove it, and look who put it there")
        if status.st_uid != os.geteuid():
            raise ShmInsecure(f"{path}: belongs to user {status.st_uid}, not to {os.geteuid()}; run as one user")
        if (mode := stat.S_IMODE(status.st_mode)) != 0o600:
            raise ShmInsecure(f"{path}: mode {mode:04o} instead of 0600; remove it, and look who changed it")
        _require_tmpfs(fd, path)
    except BaseException:
        os.close(fd)
        raise
    return fd


def create(path: Path) -> int:
    """Create an empty file at `path`, mode 0600, in a directory of mode 0700 (made where missing); return it open.

    Raises:
        FileExistsError: something is there already.
        ShmInsecure: the directory is open to others.
        ShmNotTmpfs: the directory lies on a disk.

    """
    _make_directory(path.parent)
    directory = _open_directory(path.parent)
    try:
        _require_tmpfs(directory, path)
        fd = os.open(path.name, _FLAGS | os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=directory)
    finally:
        os.close(directory)
    os.fchmod(fd, 0o600)  # whatever the umask took away
    return fd


def allocate(path: Path, fd: int, size: int) -> None:
    """Give the file `size` bytes of real memory, zeroed.

    Raises:
        ShmFull: there is not so much room.

    """
    try:
        os.posix_fallocate(fd, 0, size)
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.ENOMEM}:
            raise
        room = os.fstatvfs(fd)
        raise ShmFull(
            f"{path}: {size} bytes are needed and {room.f_bavail * room.f_frsize} are free "
            f"({os.strerror(error.errno)}); free some memory there or ask for a shorter ring"
        ) from error


def try_lock(fd: int) -> bool:
    """Take the exclusive lock of the file without waiting; False if another process has it.

    It belongs to the open file description: it goes with its last descriptor, so with the process at the latest.
    """
    request = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)  # struct flock on 64-bit Linux
    try:
        fcntl.fcntl(fd, fcntl.F_OFD_SETLK, request)
    except (BlockingIOError, PermissionError):  # EAGAIN or EACCES: both are allowed to mean "held"
        return False
    return True


def is_current(path: Path, fd: int) -> bool:
    """Whether `path` still leads to the open file `fd`, and not to one that has replaced it."""
    try:
        return _identity(path.lstat()) == _identity(os.fstat(fd))
    except FileNotFoundError:
        return False


def choose_directory(runtime_directory: Path) -> Path:
    """Return the directory for shared files of the service that runs in `runtime_directory`; it exists, mode 0700.

    That is the runtime directory itself where it is in memory (tmpfs), else one under /dev/shm that is named after
    it, so that every process of the service finds the same one.

    Raises:
        ShmInsecure: the directory exists and belongs to another user or is open to others.
        ShmNotTmpfs: not even /dev/shm is a tmpfs.

    """
    _make_directory(runtime_directory)
    directory = _open_directory(runtime_directory)
    try:
        if _is_tmpfs(directory):
            return runtime_directory
    finally:
        os.close(directory)
    digest = hashlib.sha256(os.fsencode(runtime_directory.resolve())).hexdigest()[:16]
    path = Path("/dev/shm") / f"sottovoce-{os.geteuid()}"  # noqa: S108  # its owner and mode are checked below
    for part in (path, path / digest):
        _make_directory(part)
        directory = _open_directory(part)
        try:
            _require_tmpfs(directory, part)
        finally:
            os.close(directory)
    return path / digest


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _make_directory(path: Path) -> None:
    path.mkdir(mode=0o700, parents=True, exist_ok=True)


def _open_directory(path: Path) -> int:
    """Return a descriptor of a directory that only its owner, this user, can reach."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | _FLAGS)
    except NotADirectoryError as error:  # what O_DIRECTORY|O_NOFOLLOW says of a link as well
        raise ShmInsecure(f"{path}: a link or not a directory; name the directory itself") from error
    status = os.fstat(fd)
    if status.st_uid == os.geteuid() and not stat.S_IMODE(status.st_mode) & 0o077:
        return fd
    os.close(fd)
    raise ShmInsecure(
        f"{path}: owner {status.st_uid}, mode {stat.S_IMODE(status.st_mode):04o}; shared audio needs a directory of "
        f"user {os.geteuid()} with mode 0700: chmod 700 it, or choose another"
    )


def _is_tmpfs(fd: int) -> bool:
    # os.fstatvfs does not tell the type. It is the first word of struct statfs; the rest is the kernel's to fill.
    buffer = (ctypes.c_long * 64)()
    if _libc.fstatfs(fd, buffer) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return bool(buffer[0] == _TMPFS_MAGIC)


def _require_tmpfs(fd: int, path: Path) -> None:
    if not _is_tmpfs(fd):
        raise ShmNotTmpfs(f"{path}: not on a tmpfs, so audio would reach a disk; use choose_directory(), or /dev/shm")
