"""Which boot, which process: identities that survive the reuse of a process id."""

from __future__ import annotations

import uuid
from pathlib import Path

_WORD = 0xFFFF_FFFF_FFFF_FFFF


def boot_id() -> tuple[int, int]:
    """Return the kernel's random boot id as its high and its low 64 bits (random(4))."""
    number = uuid.UUID(Path("/proc/sys/kernel/random/boot_id").read_text().strip()).int
    return number >> 64, number & _WORD


def start_time(pid: int) -> int | None:
    """Return when `pid` started, in clock ticks since boot, or None where no such process runs.

    Field 22 of /proc/PID/stat (proc_pid_stat(5)). A zombie has stopped running, whoever has yet to reap it, so it
    is None too.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The command name stands in parentheses and may itself hold blanks and parentheses.
    state, *fields = text.rpartition(")")[2].split()
    return None if state in "ZXx" else int(fields[18])


def is_alive(pid: int, start: int) -> bool:
    """Whether the process that had `pid` and started at `start` still runs."""
    return pid > 0 and start_time(pid) == start
