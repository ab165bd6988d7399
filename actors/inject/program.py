"""The program behind a window: whether it has looked at the keys that it was sent.

X tells nobody when a client has taken an event, so the kernel is asked: a program that waits for events sleeps, and one
that has some before it does not. A stopped one (state T), one that waits for a disk (D) and one that is kept from the
processor (R) have not looked yet. One that asks the server something meanwhile, such as the keymap, sleeps, too, with
the events read and not looked at; so it must sleep through while the server answers us, who asked after it. What this
cannot see is a program that waits for somebody else, such as an input method, before it goes back to its events.

Measured with an xterm that was stopped for 0.05 to 1.5 s while 60 Chinese characters were typed: 40 of 40 texts right,
with a wait of 0.25 s alone 6 of 20. With the xterm niced to 15 beside 4 busy loops on 2 cores: 12 of 12, and 0 of 12.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from sottovoce.actors.inject import tool

_ROUNDS: Final = 2  # a thread that reads the events may wake another that looks at them
_FIELD: Final = re.compile(r"^(State|voluntary_ctxt_switches):\s+(\w+)", re.MULTILINE)
_TIMEOUT_S: Final = 5.0  # xdotool takes 3 ms here


def behind_focus(environ: Mapping[str, str]) -> int | None:
    """Return the process of the window that has the focus; None if it does not tell (_NET_WM_PID) or is another user's.

    One in a container tells a number of its own, which here is nobody's or another user's, as a rule the kernel's.
    """
    done = tool.run(["xdotool", "getwindowfocus", "getwindowpid"], environ=environ, timeout=_TIMEOUT_S)
    if done.why or not done.output.strip().isdigit():
        return None
    pid = int(done.output)
    try:
        return pid if pid and Path(f"/proc/{pid}").stat().st_uid == os.geteuid() else None
    except OSError:
        return None


def caught_up(pid: int, environ: Mapping[str, str], limit_s: float) -> bool:
    """Wait until each thread of a process has slept while the X server answered, twice over.

    Return False if the first thread, the window's, never did: of the others one may well compute all the time. A
    process that has ended has nothing to look at.
    """
    until = time.monotonic() + limit_s
    slept = False
    for _ in range(_ROUNDS):
        left = set(_naps(pid))
        while left:
            before = _naps(pid)
            tool.run(["xdotool", "getwindowfocus", "-f"], environ=environ, timeout=_TIMEOUT_S)  # some ten answers
            after = _naps(pid)
            left = {
                thread for thread in left & after.keys() if not after[thread] or after[thread] != before.get(thread)
            }
            if left and time.monotonic() >= until:
                return slept or pid not in left
        slept = True
    return True


def _naps(pid: int) -> dict[int, int]:
    """Return for each thread of a process how often it has gone to sleep, 0 if it is awake."""
    naps = {}
    with contextlib.suppress(OSError):  # it has ended
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):  # this one has
                found = dict(_FIELD.findall((thread / "status").read_text()))
                asleep = found.get("State", "X") in "SIZX"  # proc_pid_stat(5): until something wakes it, or at its end
                naps[int(thread.name)] = 1 + int(found.get("voluntary_ctxt_switches", 0)) if asleep else 0
    return naps
