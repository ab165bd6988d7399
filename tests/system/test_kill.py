"""Killing stages while somebody speaks."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from stages import wait_until

from sottovoce.actors.supervisor import Supervisor
from sottovoce.ops.live import feed
from sottovoce.ops.private import PrivateService, private_service
from sottovoce.protocol.messages import Notice, SpeechOnset, Typed
from sottovoce.protocol.rows import UtteranceRow

Rows = Callable[[], list[UtteranceRow]]
WORDS = ["ever", "tried", "ever", "failed", "no", "matter", "try", "again", "fail", "again", "fail", "better"]


@pytest.fixture(scope="module")
def service(beckett: Path) -> Iterator[PrivateService]:
    """A service whose stages may die often."""
    with private_service(config="[warden]\nrestarts = 100\n") as running:
        yield running


def pid_of(service: PrivateService, stage: str) -> int:
    """Return the process that is a stage now, 0 for none."""
    return int(Supervisor(service.paths.supervisor_socket).processes()[stage]["pid"])


def signal_stage(service: PrivateService, stage: str, number: signal.Signals) -> int:
    """Send a signal to the process that is a stage now, and return its process id."""
    pid = pid_of(service, stage)
    os.kill(pid, number)
    return pid


def words(text: str) -> list[str]:
    """Return the words alone: which marks are between them depends on what the recogniser had read in time."""
    return re.findall(r"[\w']+", text.lower())


@pytest.mark.parametrize(
    ("first", "second"),
    [("inject", "capture"), ("vad", "stt-draft"), ("stt-final", "conductor"), ("transform", "warden")],
)
def test_the_utterance_still_arrives(
    service: PrivateService, beckett: Path, rows: Rows, first: str, second: str
) -> None:
    """SIGKILL of any stage in the middle of an utterance costs no word, and types none twice.

    One stage dies in the second utterance and another one in the fourth, so that all eight do in four recordings.
    """
    before = service.text()
    onsets, typed, killed = 0, [], dict[str, int]()
    for event in feed(service.paths, beckett, pace=3):
        if isinstance(event.body, SpeechOnset):
            onsets += 1
            if stage := {2: first, 4: second}.get(onsets):
                wait_until(lambda stage=stage: pid_of(service, stage))
                killed.setdefault(stage, signal_stage(service, stage, signal.SIGKILL))
        elif isinstance(event.body, Typed):
            typed.append((event.body.stream, event.body.first))
    assert set(killed) == {first, second}
    wait_until(lambda: all(pid_of(service, stage) not in (0, pid) for stage, pid in killed.items()))
    assert {row.state for row in rows()} == {"typed"}
    assert len(typed) == len(set(typed))
    assert words(service.text().removeprefix(before)) == WORDS


def test_watchers_that_are_frozen_together_are_replaced(service: PrivateService) -> None:
    """SIGSTOP of warden and conductor at once, each of which would have found the other."""
    stopped = {stage: signal_stage(service, stage, signal.SIGSTOP) for stage in ("warden", "conductor")}
    wait_until(lambda: all(pid_of(service, stage) not in (0, pid) for stage, pid in stopped.items()))


def test_a_frozen_stage_is_replaced(service: PrivateService, beckett: Path, rows: Rows) -> None:
    """SIGSTOP of the VAD in mid-sentence: the warden finds it, says so, and every word still comes."""
    before = service.text()
    frozen, notices = 0, []
    for event in feed(service.paths, beckett, pace=3):
        if isinstance(event.body, SpeechOnset) and not frozen:
            frozen = signal_stage(service, "vad", signal.SIGSTOP)
        elif isinstance(event.body, Notice):
            notices.append(event.body.code)
    assert frozen
    assert "stalled" in notices
    assert {row.state for row in rows()} == {"typed"}
    assert words(service.text().removeprefix(before)) == WORDS
