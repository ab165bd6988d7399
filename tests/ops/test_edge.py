"""An edge of the push-to-talk key as its process tells it; a test answers in the conductor's place."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sottovoce.protocol.control import ControlServer
from sottovoce.protocol.exceptions import ControlError
from sottovoce.protocol.paths import Paths

STATE = {"state": "recording", "generation": 1, "source": "microphone", "waiting": 0, "changed": True}
TICK_NS = 10**9 // os.sysconf("SC_CLK_TCK")
# What by itself takes longer to import than the answer takes to come.
HEAVY = {"numpy", "typer", "click", "rich", "structlog", "sqlite3", "msgspec", "dataclasses", "inspect"}
CHILD = "from sottovoce.ops.entry import main; main()"
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def server(paths: Paths) -> Iterator[ControlServer]:
    """Answer at the control socket in place of a conductor."""
    opened = ControlServer(paths.control)
    yield opened
    opened.close()


@pytest.fixture
def start(paths: Paths) -> Iterator[Start]:
    """Return a function that runs the command line in a process."""
    started: list[subprocess.Popen[str]] = []

    def run(*arguments: str, program: str = CHILD) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-P", "-X", "importtime", "-c", program, *arguments],  # a line on stderr for each module
            env={**os.environ, **paths.environment(), "PYTHONUNBUFFERED": ""},  # what is not flushed shows
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


def serve(server: ControlServer, process: subprocess.Popen[str]) -> list[dict[str, Any]]:
    """Answer until a process has ended, and return the arguments of its requests."""
    asked: list[dict[str, Any]] = []

    def answer(verb: str, args: dict[str, Any]) -> dict[str, Any]:
        assert verb == "ptt"
        asked.append(args)
        if args["edge"] == "up":
            raise ControlError("journal", "not now")
        return STATE

    while process.poll() is None:
        server.socket.poll(20)
        server.serve(answer)
    return asked


def test_an_edge_bears_the_time_of_the_fork_and_loads_nothing_heavy(server: ControlServer, start: Start) -> None:
    """Not the time at which Python was ready, which another edge's may have been before."""
    before = time.monotonic_ns()
    process = start("ptt", "down")
    after = time.monotonic_ns()
    asked = serve(server, process)
    output, errors = process.communicate()
    assert (process.returncode, output, [args["edge"] for args in asked]) == (0, "recording\n", ["down"])
    assert before - TICK_NS <= asked[0]["at_ns"] <= after
    loaded = {module.partition(".")[0] for module in errors.split()}
    assert "zmq" in loaded
    assert not loaded & HEAVY


def test_a_program_that_was_something_else_before_tells_the_present(server: ControlServer, start: Start) -> None:
    """A script may wait for long, and then call exec: when it was forked says nothing about the key."""
    program = "import os, sys, time; time.sleep(2.1); os.execv(sys.executable, [sys.executable, '-P', *sys.argv[1:]])"
    before = time.monotonic_ns()
    process = start("-m", "sottovoce.ops.entry", "ptt", "down", program=program)
    asked = serve(server, process)
    assert before + 2 * 10**9 < asked[0]["at_ns"] <= time.monotonic_ns()


def test_an_edge_that_nobody_answers_is_told_again(server: ControlServer, paths: Paths, start: Start) -> None:
    """A conductor that dies takes requests with it; its successor is told the same edge, made at the same time."""
    process = start("ptt", "down")
    assert server.socket.poll(10_000)
    first = server.socket.recv_multipart()
    again = serve(server, process)
    assert process.returncode == 0
    assert again
    assert all(f'"at_ns": {args["at_ns"]}'.encode() in first[-1] for args in again)


def test_a_refusal_is_told_at_once(server: ControlServer, start: Start) -> None:
    """With code 1 and the conductor's own words; it is not asked again."""
    process = start("ptt", "up")
    assert len(serve(server, process)) == 1
    assert process.returncode == 1
    assert "sottovoce: not now" in process.communicate()[1]


def test_a_service_that_is_not_there_is_told_at_once(start: Start) -> None:
    """With code 3, and without the patience for one that is just being restarted."""
    process = start("ptt", "up")
    assert process.wait(4) == 3


def test_the_edges_are_also_commands_with_help(server: ControlServer, start: Start) -> None:
    """What is not the plain edge goes to the command line library, which tells the conductor nothing."""
    process = start("ptt", "down", "--help")
    assert serve(server, process) == []
    assert "The key went down" in process.communicate()[0]
