"""What a test may leave behind, and must not: processes, files, threads, descriptors."""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path


def processes(mark: str) -> list[int]:
    """Return the ids of the processes that have this in their environment."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                if mark.encode() in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
    return found


def zombies() -> list[str]:
    """Return the processes of ours that have ended and were not waited for."""
    found = []
    for task in Path("/proc/self/task").iterdir():
        for child in (task / "children").read_text().split():
            with contextlib.suppress(OSError):
                if (status := Path(f"/proc/{child}/stat").read_text()).rpartition(")")[2].split()[0] == "Z":
                    found.append(status)
    return found


def descriptors() -> int:
    """Return how many files this process has open."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def threads(name: str) -> list[threading.Thread]:
    """Return the threads of this name."""
    return [thread for thread in threading.enumerate() if thread.name == name]
