"""How much memory there is and how much of it is free: of the machine, or of the control group that this runs in.

A container's limit is not in /proc/meminfo, so a model of 2 GB "fits" into a container of 1 GB until the kernel kills
it. The control group of this process and each above it may have a limit; the one with the least left counts.

Free is what can be had without swapping: the kernel's own estimate (MemAvailable) for the machine, and for a group
what is left below its limit plus the pages of files that it may drop (active and inactive; a model's file is among
them).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

_KB = 1024


class Ram(msgspec.Struct, frozen=True):
    """Memory, in bytes."""

    total: int
    free: int
    limited_by: str = ""
    """The control group whose limit this is; "" for the machine itself."""
    stalled_percent: float | None = None
    """Share of the last 10 s in which some process waited for memory (PSI, `some avg10`); None where nobody tells."""

    @property
    def used_percent(self) -> float:
        """Return how full it is."""
        return 100.0 * (1.0 - self.free / self.total) if self.total else 100.0


class _Group(msgspec.Struct, frozen=True):
    """Names of a version of control groups."""

    mount: str
    limits: tuple[str, ...]
    used: str
    droppable: tuple[str, ...]


# docs.kernel.org/admin-guide/cgroup-v2, "Memory Interface Files"; cgroup-v1/memory, "Stat File". Beyond memory.high a
# group is not killed but slowed down until it is of no use.
_V2 = _Group(
    "sys/fs/cgroup", ("memory.max", "memory.high"), "memory.current", ("active_file", "inactive_file")
)  # fmt: skip
_V1 = _Group(
    "sys/fs/cgroup/memory", ("memory.limit_in_bytes",), "memory.usage_in_bytes",
    ("total_active_file", "total_inactive_file"),
)  # fmt: skip


def read_ram(root: Path = Path("/")) -> Ram:
    """Measure. Takes 0.4 ms on two busy cores.

    Args:
        root: where `proc` and `sys` are.

    Raises:
        OSError: there is no /proc.
    """
    total, free = meminfo((root / "proc/meminfo").read_text())
    stalled = None
    with contextlib.suppress(OSError):  # a kernel without PSI, or with it switched off
        stalled = stall((root / "proc/pressure/memory").read_text())
    found = Ram(total, free, "", stalled)
    for ram in _groups(root, total):
        if ram.free < found.free:
            found = msgspec.structs.replace(ram, stalled_percent=stalled)
    return found


def meminfo(text: str) -> tuple[int, int]:
    """Return total and available bytes of a /proc/meminfo (proc(5): its kB are KiB)."""
    fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    total, free = (int(fields[name].split()[0]) * _KB for name in ("MemTotal", "MemAvailable"))
    return total, free


def stall(text: str) -> float | None:
    """Return `some avg10` of a pressure file, in percent; None where that line is missing."""
    for line in text.splitlines():
        if line.startswith("some "):
            return float(dict(field.split("=") for field in line.split()[1:])["avg10"])
    return None


def _groups(root: Path, total: int) -> Iterator[Ram]:
    """Yield what is left in each control group of this process that has a limit below the machine's memory."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        number, controllers, path = line.split(":", 2)
        if number != "0" and "memory" not in controllers.split(","):
            continue
        names = _V2 if number == "0" else _V1
        mount = root / names.mount
        directory = mount / path.strip("/")
        if not directory.is_dir():  # seen from within a container: the path is the host's, the mount is the container's
            directory = mount
        while True:
            ram = _left(directory, names, total, f"/{directory.relative_to(mount)}".replace("/.", "/"))
            if ram is not None:
                yield ram
            if directory == mount:
                break
            directory = directory.parent


def _left(directory: Path, names: _Group, total: int, title: str) -> Ram | None:
    limits = []
    for name in names.limits:
        with contextlib.suppress(OSError, ValueError):  # not there, or "max"
            limits.append(int((directory / name).read_text()))
    try:
        used = int((directory / names.used).read_text())
        stat = dict(line.split() for line in (directory / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):
        return None
    if not limits or (limit := min(limits)) >= total:  # version 1 says "none" as 2 ** 63, rounded down to a page
        return None
    droppable = sum(int(stat.get(name, 0)) for name in names.droppable)
    return Ram(limit, max(0, min(limit, limit - used + droppable)), title)
