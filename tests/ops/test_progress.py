from __future__ import annotations

import io
import os
import pty
from collections.abc import Iterable

from sottovoce.models import PullEvent
from sottovoce.ops.progress import ProgressBar

STEPS = [
    PullEvent("waiting", ("tiny",), "wheel==1"),
    PullEvent("downloading", ("tiny",), "wheel==1", 0, None),
    *(PullEvent("downloading", ("tiny",), "wheel==1", done * 10**6, 40 * 10**6) for done in range(41)),
    PullEvent("checking", ("tiny",), "wheel==1"),
    PullEvent("ready", ("tiny",), "wheel==1"),
]


def on_a_terminal(steps: Iterable[PullEvent]) -> str:
    """Return what a terminal receives."""
    master, slave = pty.openpty()
    with os.fdopen(slave, "w", encoding="utf-8") as stream:
        bar = ProgressBar(stream)
        for step in steps:
            bar(step)
        stream.write("\0")
        stream.flush()
        received = b""
        while not received.endswith(b"\0"):  # the kernel hands it on bit by bit
            received += os.read(master, 1 << 16)
    os.close(master)
    return received[:-1].decode()


def test_elsewhere_each_step_is_one_line() -> None:
    """In a log there is no bar: four steps, four lines, however often a step tells of itself."""
    stream = io.StringIO()
    bar = ProgressBar(stream)
    for step in STEPS:
        bar(step)
    assert stream.getvalue().splitlines() == ["tiny: waiting", "tiny: downloading", "tiny: checking", "tiny: ready"]


def test_on_a_terminal_one_line_is_drawn_over() -> None:
    """A bar that fills, drawn at most ten times a second and always when full; one line is left, which says ready."""
    text = on_a_terminal(STEPS)
    drawn = text.split("\r\x1b[K")
    assert text.count("\n") == 1
    assert drawn[-1] == "tiny: ready\r\n"
    bars = [line for line in drawn if "█" in line]
    assert bars[-1] == f"tiny {'█' * 28} 40 of 40 MB"
    assert len(bars) < 10


def test_what_is_here_already_is_not_mentioned() -> None:
    """A pull of models that are cached says nothing."""
    stream = io.StringIO()
    ProgressBar(stream)(PullEvent("cached", ("tiny",), "wheel==1"))
    assert stream.getvalue() == ""


def test_trouble_is_told_and_the_bar_goes_on() -> None:
    """What is amiss takes the bar's line until bytes come again; elsewhere it is a line of its own, each time anew."""
    amiss = [PullEvent("retrying", ("tiny",), "x", 5, 9, detail) for detail in ("reset", "reset", "refused")]
    events = [PullEvent("downloading", ("tiny",), "x", 1, 9), *amiss, PullEvent("downloading", ("tiny",), "x", 9, 9)]
    stream = io.StringIO()
    bar = ProgressBar(stream)
    for event in events:
        bar(event)
    lines = ["downloading", "retrying (reset)", "retrying (refused)", "downloading"]
    assert stream.getvalue().splitlines() == [f"tiny: {line}" for line in lines]
    text = on_a_terminal(events)
    assert "retrying (refused)" in text
    assert "\n" not in text
    assert text.endswith("0 of 0 MB")
