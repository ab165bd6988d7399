"""What is looked at before anything is started, so that a fault is one line of `up` and not eight stages that die.

Each check names what is wrong, where, and what to do. None of them is the only guard: the disk may fill up a second
later, and then the stages say so themselves.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import tempfile
from pathlib import Path

from sottovoce.ops.exceptions import AlreadyRunning, NotEnough
from sottovoce.protocol.config import Config
from sottovoce.protocol.exceptions import PathError
from sottovoce.protocol.paths import Paths
from sottovoce.shm.layout import file_bytes, slots_for

DESCRIPTORS = 1024
"""supervisord refuses to start with less (its `minfds`). The hungriest stage has 60 open, and more with observers."""
_PAGES_BYTES = 1 << 20  # eight counters pages of some 5 kB, sockets, locks, the generated configuration
_JOURNAL_BYTES = 4 << 20  # an hour of dictation, with its write-ahead log
_LOCK = "service.lock"


def raise_descriptor_limit() -> None:
    """Raise this process's soft limit of open files to what the service needs; its children inherit it.

    Raises:
        NotEnough: the hard limit is lower.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < DESCRIPTORS:
        raise NotEnough(
            f"at most {hard} files may be open at once here, and the service needs {DESCRIPTORS}; raise the hard "
            "limit: `ulimit -Hn`, LimitNOFILE= in a systemd unit, or /etc/security/limits.conf"
        )
    if soft != resource.RLIM_INFINITY and soft < DESCRIPTORS:
        resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, hard))


def require_writable(paths: Paths) -> None:
    """Check that files can be made in the directories of a service, by making one in each.

    Whether there is room for the journal is seen when it is opened.

    Raises:
        PathError: one is read-only, or not ours to write in.
    """
    for path, variable in (
        (paths.runtime, "SOTTOVOCE_RUNTIME_DIR"),
        (paths.state, "SOTTOVOCE_STATE_DIR"),
        (paths.logs, "SOTTOVOCE_STATE_DIR"),
    ):
        try:
            tempfile.TemporaryFile(dir=path).close()
        except OSError as error:
            raise PathError(
                f"{path}: nothing can be written there: {error.strerror}; make it writable, or choose another place "
                f"with {variable}"
            ) from error


def require_room(paths: Paths, config: Config) -> None:
    """Check that the memory file system has room for the ring and the rest.

    Raises:
        NotEnough: it has not; the text says how much is needed and where.
    """
    shared = paths.shared
    ring = file_bytes(slots_for(config.capture.ring_seconds))
    needed = _PAGES_BYTES
    if not (paths.ring.exists() and paths.ring.stat().st_blocks * 512 >= ring):
        needed += ring
    if config.history.keep == "none" and not paths.journal(keep="none").exists():
        needed += _JOURNAL_BYTES
    file_system = os.statvfs(shared)
    free = file_system.f_bavail * file_system.f_frsize
    if file_system.f_blocks and free < needed:  # a tmpfs without a limit says 0 blocks
        raise NotEnough(
            f"{shared}: {_mib(needed)} are needed for the audio ring and counters, and {_mib(free)} are free; free "
            "some memory there, ask for a shorter ring with [capture] ring_seconds, or choose another place with "
            "SOTTOVOCE_RUNTIME_DIR"
        )
    inodes = file_system.f_favail
    if file_system.f_files and inodes < 64:
        raise NotEnough(f"{shared}: 64 more files are needed there, and {inodes} can be made; remove some")


def _mib(size: int) -> str:
    return f"{size / (1 << 20):.1f} MiB"


class StateLock:
    """One service a state directory: two on one journal would both type what is in it.

    The lock is on the open file, which supervisord inherits (`fd`) and keeps as long as it lives, so it is free once
    both this process and supervisord have ended, however they did.

    Raises:
        AlreadyRunning: another service has it; the text says which.
    """

    def __init__(self, paths: Paths) -> None:
        path = paths.state / _LOCK
        self.fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            runtime = Path(os.fsdecode(os.pread(self.fd, 4096, 0)) or "(not known)")
            os.close(self.fd)
            raise AlreadyRunning(
                f"another service works with {paths.state}, from the runtime directory {runtime}; end it with "
                f"`SOTTOVOCE_RUNTIME_DIR={runtime} sottovoce down`, or give this one a SOTTOVOCE_STATE_DIR of its own"
            ) from None
        os.ftruncate(self.fd, 0)
        with contextlib.suppress(OSError):  # no room: the lock holds all the same, and the journal tells of the disk
            os.pwrite(self.fd, os.fsencode(paths.runtime), 0)

    def close(self) -> None:
        """Let go; supervisord may hold on."""
        os.close(self.fd)
