"""The clocks of the service, in one place so that nobody mixes them.

The *sample index* orders audio; CLOCK_MONOTONIC nanoseconds (the same for all processes of one boot) time events; the
boot id says whether two such times may be compared at all.
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
