"""What a process asks of the kernel before it does anything: to die with its parent, and to keep its output."""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import os
import signal
from pathlib import Path
from typing import TextIO

from sottovoce.actors.exceptions import Unmendable

ROTATE_BYTES = 4 << 20
"""A log file that is larger, some 20,000 lines, becomes the one older file that is kept beside."""
_PR_SET_PDEATHSIG = 1  # prctl(2)
STACKS_SIGNAL = signal.SIGUSR2
"""A stage that receives it writes the stacks of all its threads to its native log; the warden asks before it kills."""


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent dies, so that a killed supervisord leaves no orphan.

    SIGKILL, since a stage may be inside a native call where no Python signal handler runs; the journal is made for it.

    Raises:
        Unmendable: the parent is gone already, before the kernel could be asked.
    """
    end_with_parent(signal.SIGKILL)
    if os.environ.get("SUPERVISOR_ENABLED") and b"supervisord" not in _command(os.getppid()):
        raise Unmendable("the supervisor that started this process is gone")


def end_with_parent(number: signal.Signals, parent: int | None = None) -> None:
    """Have the kernel send this process a signal when its parent dies; for `preexec_fn`, and for ourselves.

    Args:
        number: the signal.
        parent: the parent's process id, where it is known: if it has died before this call, the signal is sent now.

    Raises:
        OSError: the kernel refuses.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if parent is not None and os.getppid() != parent:
        os.kill(os.getpid(), number)


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:
        return b""


def keep_output(path: Path) -> int:
    """Send the standard streams, tracebacks and stack dumps to `path` (0600); return a copy of the real stdout.

    A file that has grown large over many starts becomes `<path>.1`, in the place of the one before.
    A terminal's standard error stays a terminal: somebody is running the stage by hand and wants to see.
    """
    with contextlib.suppress(FileNotFoundError):
        if path.stat().st_size > ROTATE_BYTES:
            path.replace(path.with_name(f"{path.name}.1"))
    stdout = os.dup(1)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    os.dup2(fd, 1)
    if not os.isatty(2):
        os.dup2(fd, 2)
    stream: TextIO = os.fdopen(fd, "w")
    faulthandler.enable(stream)
    faulthandler.register(STACKS_SIGNAL, stream, all_threads=True)
    return stdout


def frozen(pid: int) -> bool:
    """Tell whether a process is stopped, by SIGSTOP or a debugger."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in {"T", "t"}
    except (FileNotFoundError, ProcessLookupError):
        return False
