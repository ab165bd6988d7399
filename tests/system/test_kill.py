"""Killing stages while somebody speaks."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from stages import wait_until

from sottovoce.actors.supervisor import Supervisor
from sottovoce.ops.live import feed
from sottovoce.ops.private import PrivateService
from sottovoce.protocol.messages import Notice, SpeechOnset, Typed
from sottovoce.protocol.rows import UtteranceRow

Rows = Callable[[], list[UtteranceRow]]


def signal_stage(service: PrivateService, stage: str, number: signal.Signals) -> int:
    """Send a signal to the process that is a stage now, and return its process id."""
    pid = int(Supervisor(service.paths.supervisor_socket).processes()[stage]["pid"])
    os.kill(pid, number)
    return pid


def words(text: str) -> list[str]:
    """Return the words alone: which marks are between them depends on what the recogniser had read in time."""
    return re.findall(r"[\w']+", text.lower())


@pytest.fixture(scope="module")
def undisturbed(service: PrivateService, beckett: Path) -> str:
    """What the service types when nobody kills anything."""
    list(feed(service.paths, beckett, pace=3))
    return service.text()


@pytest.mark.parametrize(
    "stage", ["capture", "vad", "stt-final", "stt-draft", "transform", "inject", "conductor", "warden"]
)
def test_the_utterance_still_arrives(
    service: PrivateService, beckett: Path, undisturbed: str, rows: Rows, stage: str
) -> None:
    """SIGKILL of any stage in the middle of the second utterance costs no word, and types none twice."""
    before = service.text()
    onsets, killed, typed = 0, 0, []
    for event in feed(service.paths, beckett, pace=3):
        if isinstance(event.body, SpeechOnset):
            onsets += 1
            if onsets == 2 and not killed:
                killed = signal_stage(service, stage, signal.SIGKILL)
        elif isinstance(event.body, Typed):
            typed.append((event.body.stream, event.body.first))
    assert killed
    wait_until(lambda: Supervisor(service.paths.supervisor_socket).processes()[stage]["pid"] not in (0, killed))
    assert {row.state for row in rows()} == {"typed"}
    assert len(typed) == len(set(typed))
    assert words(service.text().removeprefix(before)) == words(undisturbed)


def test_watchers_that_are_frozen_together_are_replaced(service: PrivateService) -> None:
    """SIGSTOP of warden and conductor at once, each of which would have found the other."""
    supervisor = Supervisor(service.paths.supervisor_socket)
    stopped = {stage: signal_stage(service, stage, signal.SIGSTOP) for stage in ("warden", "conductor")}
    wait_until(
        lambda: all(supervisor.processes()[stage]["pid"] not in (0, pid) for stage, pid in stopped.items()), seconds=30
    )


def test_a_frozen_stage_is_replaced(service: PrivateService, beckett: Path, undisturbed: str, rows: Rows) -> None:
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
    assert words(service.text().removeprefix(before)) == words(undisturbed)
