"""Fail points: named places between two steps of a stage, where a test may have the process die or freeze.

A kill at a random instant seldom hits the microseconds that matter: between a commit and the message that tells of it,
between the last keystroke and the commit that says so. `failpoint("inject.after_type")` marks such a place. It does
something only in a service that was started with `SOTTOVOCE_FAILPOINTS=<folder>`, and then only if that folder has a
file of the point's name when the point is reached: the process takes the file away, notes in `fired` what it is about
to do, and sends itself the signal that the file names, `KILL` or `STOP`.

A file, not a list in the environment: a stage that died is started again with the same environment and would die at
the same point for ever, whereas a file goes once. It also lets a bench aim at a service that runs already. The idea is
FreeBSD's fail(9), whose points are armed from outside by name as well.

Without the variable, which is read once, `failpoint` is a function of one `pass`: 0.03 us.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

from sottovoce.protocol.clocks import now_ns

VARIABLE = "SOTTOVOCE_FAILPOINTS"
FIRED = "fired"
"""A line for each point that was reached armed: name, process id, signal, CLOCK_MONOTONIC ns."""
POINTS = (
    "capture.before_begin",  # the source is open, the recording's first sample not journalled
    "capture.after_begin",  # journalled, not told
    "capture.after_publish",  # frames are in the ring, the doorbell is not rung
    "capture.before_end",  # the source is closed, the last sample not journalled
    "capture.after_end",  # journalled, not told
    "vad.before_segment",  # a segment is found, not journalled
    "vad.after_segment",  # journalled, not told
    "vad.before_drained",  # all frames seen, not journalled
    "vad.after_drained",  # journalled, not told
    "stt-draft.after_decode",  # a draft is decoded, not told
    "stt-final.after_speculation",  # decoded ahead of the endpoint
    "stt-final.after_decode",  # decoded, not journalled
    "stt-final.after_commit",  # journalled, not told
    "transform.after_apply",  # transformed, not journalled
    "transform.after_commit",  # journalled, not told
    "inject.before_intent",  # its turn has come
    "inject.after_intent",  # the intent is journalled, nothing typed
    "inject.after_type",  # typed, not journalled
    "inject.after_commit",  # journalled, not told
)
"""All there are, each as `<stage>.<place>`."""


def _pass(name: str, /) -> None:
    pass


def _fire(name: str, /) -> None:
    armed = _FOLDER / name
    try:
        number = signal.Signals["SIG" + armed.read_text()]
        armed.unlink()
    except FileNotFoundError:
        return
    with (_FOLDER / FIRED).open("a") as fired:
        fired.write(f"{name} {os.getpid()} {number.name} {now_ns()}\n")
    os.kill(os.getpid(), number)


_FOLDER = Path(os.environ.get(VARIABLE, ""))
failpoint = _fire if os.environ.get(VARIABLE) else _pass
"""Mark the place `name`."""


def arm(folder: Path, name: str, number: signal.Signals) -> None:
    """Have the next process that reaches the point `name` send itself SIGKILL or SIGSTOP."""
    if name not in POINTS:
        raise ValueError(f"no fail point {name!r}; there are: {', '.join(POINTS)}")
    partly = folder / f".{name}"
    partly.write_text(number.name.removeprefix("SIG"))
    partly.rename(folder / name)  # whole or not there: the point may be reached at this instant


def disarm(folder: Path, name: str) -> bool:
    """Take a point back; False if it has been reached."""
    try:
        (folder / name).unlink()
    except FileNotFoundError:
        return False
    return True
