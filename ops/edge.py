"""An edge of the push-to-talk key, sent as soon as may be: no more is loaded for it than for `toggle`.

It bears the time at which the key moved, as near as a process can know that: when it was forked, which is before Python
has begun to load (60 ms here, and twice that on a busy machine). So edges that overtake one another are put in order.
"""

from __future__ import annotations

import os
import time
from typing import Any

PATIENCE_S = 5.0
_TRY_S = 1.0
_STARTING_NS = 2_000_000_000
"""A process that is older was something else before, a script that waited and then called exec, say."""


def forked_ns() -> int:
    """Return when this process was forked, as CLOCK_MONOTONIC ns, in steps of 10 ms; the present where that is unclear.

    From field 22 of /proc/self/stat (proc_pid_stat(5)), which counts CLOCK_BOOTTIME in clock ticks.
    """
    now, since_boot = time.monotonic_ns(), time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    try:
        with open("/proc/self/stat", "rb") as file:  # noqa: PTH123 - pathlib costs this hot start 3 ms
            ticks = int(file.read().rpartition(b")")[2].split()[19])
    except (OSError, ValueError, IndexError):  # /proc may be hidden; then the order is that of the loaded programs
        return now
    age = since_boot - ticks * 10**9 // os.sysconf("SC_CLK_TCK")
    return now - age if 0 <= age <= _STARTING_NS else now


def send(edge: str, **args: Any) -> dict[str, Any]:
    """Tell the conductor that the key went `"down"` or `"up"`, and return the state that it answers with.

    An edge may be told any number of times, so one that a conductor took with it when it died is told to its successor.

    Raises:
        ControlError: as of `protocol.control.request`; "unreachable" after 5 s where it is there and silent.
    """
    args = {"edge": edge, "at_ns": forked_ns(), **args}
    from sottovoce.protocol.control import request
    from sottovoce.protocol.exceptions import ControlError
    from sottovoce.protocol.runtime import control_address

    address = control_address()
    until = time.monotonic() + PATIENCE_S
    while True:
        asked = time.monotonic()
        try:
            return request(address, "ptt", args, timeout=_TRY_S)
        except ControlError as error:
            silent = error.code == "unreachable" and time.monotonic() - asked >= _TRY_S
            if not silent or time.monotonic() >= until:
                raise
