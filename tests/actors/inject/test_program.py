"""Whether a program has looked at its events, with real processes."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from sottovoce.actors.inject.program import caught_up

WAITS = "input()"
COMPUTES = "while True: pass"
COMPUTES_BESIDE = "import threading\nthreading.Thread(target=exec, args=('while True: pass',)).start()\ninput()"


@contextlib.contextmanager
def _program(code: str) -> Iterator[int]:
    """Run Python code that reads one line at most."""
    ready = "import os; os.write(1, b'.')\n"
    with subprocess.Popen([sys.executable, "-c", ready + code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        try:
            assert child.stdout is not None
            child.stdout.read(1)
            yield child.pid
        finally:
            child.kill()


@pytest.mark.parametrize(
    ("code", "limit_s", "expected"),
    # In the last the thread that waits has to get past the other one first.
    [(WAITS, 10.0, True), (COMPUTES, 0.2, False), (COMPUTES_BESIDE, 3.0, True)],
)
def test_a_program_has_looked_once_its_window_sleeps(
    x11_window: Any, code: str, limit_s: float, expected: bool
) -> None:  # fmt: skip
    """One that waits has; one that computes has not, unless a thread does that beside the one of the window."""
    with _program(code) as pid:
        assert caught_up(pid, x11_window.environ, limit_s) is expected


def test_a_stopped_program_has_not_looked(x11_window: Any) -> None:
    """One that was stopped while it waited has not looked, and has soon after it goes on."""
    with _program(WAITS) as pid:
        os.kill(pid, signal.SIGSTOP)
        assert not caught_up(pid, x11_window.environ, 0.05)
        os.kill(pid, signal.SIGCONT)
        assert caught_up(pid, x11_window.environ, 10.0)


def test_a_program_that_has_ended_has_nothing_to_look_at() -> None:
    """Nothing is waited for where there is no such process any more."""
    with _program(WAITS) as pid:
        pass
    assert caught_up(pid, {}, 0.0)
