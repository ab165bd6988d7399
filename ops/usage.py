"""What a process and all that it started take: processor time between two instants, and memory."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

from sottovoce.models.footprint import members as family
from sottovoce.ops.sample import process

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Usage:
    """The kernel's figures."""

    cpu_s: float
    """Processor seconds of all the processes together."""
    wall_s: float
    pss_mib: float
    """At the end, all together; a page that several processes map is divided by their number."""
    processes: int
    replaced: int
    """Processes that ended in between; what they took is not in `cpu_s`."""
    others_cores: float
    """How many cores all else on the machine kept busy meanwhile: above some tenths, times are not to be trusted."""


class Meter:
    """Counts from its creation on.

    Args:
        pid: the process; what it started, and what that started, counts too.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._began, self._busy_s = time.monotonic(), _busy_s()
        self._cpu_s = {each: taken["cpu_s"] for each, taken in _taken(pid).items()}

    def read(self) -> Usage:
        """Return what was taken since."""
        now = _taken(self._pid)
        wall_s, busy_s = time.monotonic() - self._began, _busy_s() - self._busy_s
        cpu_s = sum(taken["cpu_s"] - self._cpu_s.get(each, 0.0) for each, taken in now.items())
        return Usage(
            cpu_s=round(cpu_s, 2), wall_s=round(wall_s, 2),
            pss_mib=round(sum(taken["pss_kib"] for taken in now.values()) / 1024, 1),
            processes=len(now), replaced=len(self._cpu_s.keys() - now.keys()),
            others_cores=round(max(0.0, busy_s - cpu_s) / wall_s, 2),
        )  # fmt: skip


def _taken(pid: int) -> dict[int, dict[str, float]]:
    found = {}
    for each in family(pid):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
            found[each] = process(each)
    return found


def _busy_s() -> float:
    """Return the processor seconds that the machine has been busy (proc_stat(5): without idle and iowait)."""
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / _TICKS
