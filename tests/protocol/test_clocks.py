"""Clocks: the same for all processes of a boot."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any

from sottovoce.protocol.clocks import boot_id, now_ns, suspended_ns


def test_one_clock_for_all_processes(child: Callable[..., Any]) -> None:
    """A time taken in another process lies between two taken here around it, and the boot id is the same there."""
    asked = child(
        "from sottovoce.protocol.clocks import *\nprint(boot_id(), flush=True)\n"
        "while input() == 'time': print(now_ns(), flush=True)"
    )
    assert asked.line() == boot_id()
    before = now_ns()
    asked.say("time")
    there = int(asked.line())
    assert before < there < now_ns()


def test_boot_id_is_a_uuid() -> None:
    """The boot id is the kernel's UUID, without a line end."""
    assert str(uuid.UUID(boot_id())) == boot_id()


def test_suspension() -> None:
    """Time in suspension is what CLOCK_BOOTTIME has over CLOCK_MONOTONIC; it stands while the machine is awake."""
    first = suspended_ns()
    expected = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    assert abs(first - expected) < 50_000_000
    assert abs(suspended_ns() - first) < 50_000_000
