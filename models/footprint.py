"""What a process takes, and how it gives back what it no longer needs.

A model that is closed is memory that the allocator has got back, not the machine: with `moonshine-tiny-en` a process
went from 29 MB (PSS) to 158 MB, stayed there when the model was closed, and came to 60 MB with `trim`; half of those
are the engine's code. A second and third round ended at 60 and 62 MB. `sottovoce models probe` prints such figures.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

_KB = 1024


class Footprint(msgspec.Struct, frozen=True):
    """Memory of a process, in bytes."""

    pss: int
    """Proportional set size: what is shared counts by its share."""
    peak: int
    """The most that was ever resident (VmHWM)."""


def footprint(pid: int | None = None) -> Footprint | None:
    """Return what a process takes now; None if it has ended, or is another user's.

    Args:
        pid: the process; this one if None.
    """
    pid = os.getpid() if pid is None else pid
    folder = Path(f"/proc/{pid}")
    try:
        rollup, status = (folder / "smaps_rollup").read_text(), (folder / "status").read_text()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
    pss, peak = _field(rollup, "Pss:"), _field(status, "VmHWM:")
    return None if pss is None or peak is None else Footprint(pss, peak)


def members(pid: int) -> list[int]:
    """Return a process and all that descend from it and live."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            if state != "Z":  # which has nothing left to read
                children.setdefault(int(parent), []).append(int(folder.name))
    found = [pid]
    for each in found:  # grows meanwhile
        found += children.get(each, ())
    return found


def family(pid: int | None = None) -> Footprint | None:
    """Return what a process and all that it has started take together: an engine may be a child program.

    The peaks of several processes need not have been at the same time, so their sum is an upper bound. The time that
    it takes grows with the processes of the machine: 6 ms with 114 of them.

    Args:
        pid: the process; this one if None.
    """
    pid = os.getpid() if pid is None else pid
    if (found := footprint(pid)) is None:
        return None
    for each in members(pid)[1:]:
        if (more := footprint(each)) is not None:
            found = Footprint(found.pss + more.pss, found.peak + more.peak)
    return found


def trim() -> bool:
    """Give freed memory back to the machine; False where the C library has no way to (musl does it by itself)."""
    try:
        return bool(ctypes.CDLL(None).malloc_trim(0))
    except AttributeError:
        return False


def uncache(paths: Iterable[Path]) -> int:
    """Have the kernel forget what it keeps of files in memory (posix_fadvise(2)); return how many bytes they are.

    Pages that a process has mapped stay. What cannot be opened is passed over: it is advice.
    """
    told = 0
    for path in paths:
        with contextlib.suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
                told += os.fstat(descriptor).st_size
            finally:
                os.close(descriptor)
    return told


def _field(text: str, name: str) -> int | None:
    for line in text.splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * _KB
    return None
