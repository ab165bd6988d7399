"""The clocks of the service, in one place so that nobody mixes them.

The *sample index* orders audio; CLOCK_MONOTONIC nanoseconds (the same for all processes of one boot) time events; the
boot id says whether two such times may be compared at all. CLOCK_REALTIME is for people, and anybody may set it.
"""

from __future__ import annotations

import time
from functools import cache
from pathlib import Path

SAMPLE_RATE = 16_000  # Hz; what every model in the catalogue is trained on


def now_ns() -> int:
    """Return CLOCK_MONOTONIC in nanoseconds."""
    return time.monotonic_ns()


@cache
def boot_id() -> str:
    """Return the kernel's random id of this boot (proc(5), /proc/sys/kernel/random/boot_id)."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def suspended_ns() -> int:
    """Return how long this boot has been suspended, in ns: CLOCK_BOOTTIME counts sleep, CLOCK_MONOTONIC does not."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) - time.monotonic_ns()


def boottime_ns() -> int:
    """Return CLOCK_BOOTTIME in nanoseconds: `now_ns() + suspended_ns()`, time as it passes for people."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class Calendar:
    """What day it is, for deleting what is old: a clock that is set forward by mistake must not age everything at once.

    Time goes on from what the clock on the wall said at first; where that is set back, its word is taken, for then
    less is deleted. Where it is set forward, its word is taken once it has stood by it for a day.
    """

    _TRIAL_NS = 86_400 * 10**9
    _JUMP_NS = 3600 * 10**9  # less may be the hour of a time zone kept in the hardware clock, and deletes no day

    def __init__(self) -> None:
        self._offset = time.time_ns() - boottime_ns()
        self._jumped_at: int | None = None

    def now_ns(self) -> int:
        """Return CLOCK_REALTIME in nanoseconds, or an earlier time; to be called at least once a day."""
        wall, since_boot = time.time_ns(), boottime_ns()
        offset = wall - since_boot
        if offset - self._offset < self._JUMP_NS:
            self._offset, self._jumped_at = offset, None
        elif self._jumped_at is None:
            self._jumped_at = since_boot
        elif since_boot - self._jumped_at > self._TRIAL_NS:
            self._offset, self._jumped_at = offset, None
        return since_boot + self._offset
