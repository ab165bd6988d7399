"""What is asked of a real supervisord, in each state that a stage can be in."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
from stages import wait_until

from sottovoce.actors.exceptions import EXIT_UNMENDABLE
from sottovoce.actors.supervisor import Supervisor, SupervisorUnreachable

CONFIG = """
[unix_http_server]
file = {folder}/socket
[supervisord]
nodaemon = true
silent = true
logfile = {folder}/log
pidfile = {folder}/pid
childlogdir = {folder}
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
"""
STAGE = """
[program:{name}]
command = {command}
startsecs = {startsecs}
startretries = 1000
autorestart = unexpected
exitcodes = 0,{unmendable}
"""
STAGES = {
    "lives": ("sleep 600", 0),
    "is_killed": ("sleep 600", 0),
    "ends": ("true", 0),  # in order: only the warden starts it again
    "unmendable": (f"sh -c 'exit {EXIT_UNMENDABLE}'", 0),
    "crashes": ("false", 5),  # before `startsecs`: tried again and again
}


@pytest.fixture(scope="module")
def supervisor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervisor]:
    """A supervisord with a stage for each way to live or end, each of them for one test."""
    folder = tmp_path_factory.mktemp("supervisor")
    config = folder / "supervisord.conf"
    sections = [
        STAGE.format(name=name, command=command, startsecs=startsecs, unmendable=EXIT_UNMENDABLE)
        for name, (command, startsecs) in STAGES.items()
    ]
    config.write_text(CONFIG.format(folder=folder) + "".join(sections))
    with subprocess.Popen([sys.executable, "-P", "-m", "supervisor.supervisord", "-c", str(config)]) as process:
        try:
            client = Supervisor(folder / "socket")
            wait_until(lambda: answers(client))
            yield client
        finally:
            process.terminate()


def answers(client: Supervisor) -> bool:
    """Tell whether it has come up."""
    try:
        client.wake()
    except SupervisorUnreachable:
        return False
    return True


def state(client: Supervisor, stage: str) -> str:
    """Return supervisord's name for the stage's state."""
    return str(client.processes()[stage]["statename"])


def test_a_living_stage_is_parked(supervisor: Supervisor) -> None:
    """It is stopped, stays so, and to park it again is no error; it can be started again."""
    wait_until(lambda: state(supervisor, "lives") == "RUNNING")
    assert supervisor.park("lives")
    wait_until(lambda: state(supervisor, "lives") == "STOPPED")
    assert supervisor.park("lives")
    supervisor.restart("lives")
    wait_until(lambda: state(supervisor, "lives") == "RUNNING")


def test_a_dead_stage_that_was_not_reaped_is_parked(supervisor: Supervisor) -> None:
    """Killed a moment ago: supervisord takes it for running, and does not start it again."""
    wait_until(lambda: state(supervisor, "is_killed") == "RUNNING")
    os.kill(supervisor.processes()["is_killed"]["pid"], signal.SIGKILL)
    wait_until(lambda: supervisor.park("is_killed"))
    wait_until(lambda: state(supervisor, "is_killed") == "STOPPED")


def test_a_stage_between_two_lives_is_not_parked_yet(supervisor: Supervisor) -> None:
    """It has ended and may be started again at any moment: who wants it parked has to ask again."""
    wait_until(lambda: state(supervisor, "ends") == "EXITED")
    assert not supervisor.park("ends")


def test_what_cannot_be_mended_counts_as_parked(supervisor: Supervisor) -> None:
    """Nobody starts it but a person, whose wish it then is."""
    wait_until(lambda: state(supervisor, "unmendable") == "EXITED")
    assert supervisor.park("unmendable")


def test_a_stage_that_crashes_at_once(supervisor: Supervisor) -> None:
    """While supervisord waits before the next try, the stage can be parked."""
    wait_until(lambda: state(supervisor, "crashes") == "BACKOFF")
    wait_until(lambda: supervisor.park("crashes"))
    wait_until(lambda: state(supervisor, "crashes") == "STOPPED")
