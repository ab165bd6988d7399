"""supervisord itself is killed, stopped and ended."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from stages import LEAN, wait_idle, wait_until

from sottovoce.actors.supervisor import Supervisor
from sottovoce.ops import census, service
from sottovoce.ops.exceptions import ServiceError
from sottovoce.ops.live import feed
from sottovoce.ops.private import PrivateService, private_service
from sottovoce.protocol.bus import Subscriber
from sottovoce.protocol.journal import Journal
from sottovoce.protocol.messages import Notice, SpeechOnset


def test_supervisord_is_killed_and_stopped_and_ended(beckett: Path) -> None:
    """One service lives through a SIGKILL, a SIGSTOP and a SIGTERM of it, in this order; see below what is due."""
    with private_service(config=LEAN) as private:
        the_recording_goes_on_after_the_next_start(private, beckett)
        who_stopped_is_made_to_go_on(private)
        sigterm_is_an_orderly_end(private)


def the_recording_goes_on_after_the_next_start(private: PrivateService, beckett: Path) -> None:
    """SIGKILL in mid-sentence: no process outlives it; after `up` each is there once, and the rest is typed."""
    paths, process = private.paths, private.process
    assert process is not None
    first = census.everybody(paths)
    assert {name: len(pids) for name, pids in first.items()} == dict.fromkeys(first, 1)
    assert first.pop(census.SUPERVISORD) == [process.pid]
    assert census.children(process.pid) == {name: pids[0] for name, pids in first.items()}
    onsets = 0
    for event in feed(paths, beckett, pace=3):
        onsets += isinstance(event.body, SpeechOnset)
        if onsets == 2:
            process.kill()
            break
    wait_until(lambda: not census.everybody(paths), 10)
    private.up()
    second = census.everybody(paths)
    assert {name: len(pids) for name, pids in second.items()} == dict.fromkeys([*first, census.SUPERVISORD], 1)
    wait_idle(paths)
    journal = Journal(paths.journal(keep="30d"))
    rows = journal.utterances()
    journal.close()
    assert {row.state for row in rows} <= {"typed", "in_doubt"}
    assert private.text() == "".join(row.text or "" for row in rows if row.state == "typed")
    assert len(" ".join(row.text or "" for row in rows).split()) == 12


def who_stopped_is_made_to_go_on(private: PrivateService) -> None:
    """SIGSTOP: `up` says so, and the warden tells of it and has it go on: a stage that died meanwhile is replaced."""
    paths = private.paths
    before = census.everybody(paths)
    stopped = before[census.SUPERVISORD][0]
    subscriber = Subscriber(paths, ("notice",))
    told: list[str] = []

    def goes_on() -> bool:
        told.extend(event.body.text for event in subscriber.drain() if isinstance(event.body, Notice))
        return bool(told) and len(census.children(stopped)) == len(before) - 1

    try:
        os.kill(stopped, signal.SIGSTOP)
        with pytest.raises(ServiceError, match=f"kill -CONT {stopped}"):
            service.start(paths, detach=False)
        os.kill(before["inject"][0], signal.SIGKILL)  # whom nobody can replace before it goes on
        wait_until(goes_on)
    finally:
        subscriber.close()
    assert told[0] == f"supervisord (process {stopped}) was stopped and is made to go on"


def sigterm_is_an_orderly_end(private: PrivateService) -> None:
    """What `kill PID` or a session's end does to it ends all stages, and none is restarted meanwhile."""
    paths, process = private.paths, private.process
    assert process is not None
    assert len(Supervisor(paths.supervisor_socket).processes()) == 7
    process.send_signal(signal.SIGTERM)
    process.wait(60)
    assert census.everybody(paths) == {}
    service.sweep(paths)
    assert list(paths.runtime.iterdir()) == []
