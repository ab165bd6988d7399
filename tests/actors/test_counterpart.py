from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zmq

from sottovoce.actors.counterpart import Counterpart
from sottovoce.protocol.paths import Paths

OWNER = """
import sys
from pathlib import Path
from sottovoce.shm import CountersPage
page = CountersPage.create(Path(sys.argv[1]), counters=("turns",), histograms=())
print("there", flush=True)
sys.stdin.read()
"""
Owner = subprocess.Popen[str]


@pytest.fixture
def page(paths: Paths) -> Path:
    """The path of a counters page."""
    return paths.counters("warden")


@pytest.fixture
def own(page: Path) -> Iterator[Callable[[], Owner]]:
    """Return a function that starts a process which owns the page."""
    started: list[Owner] = []

    def start() -> Owner:
        process = subprocess.Popen(
            [sys.executable, "-c", OWNER, str(page)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "there\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def look_until(counterpart: Counterpart, news: str) -> None:
    """Look until it has `news`, for 5 s at most."""
    deadline = time.monotonic() + 5
    while (heard := counterpart.look()) != news:
        assert heard == "well"
        assert time.monotonic() < deadline


def test_a_death_is_noticed_once(page: Path, own: Callable[[], Owner]) -> None:
    """A death wakes the poller and is told once; the page that is left is nobody's; a successor is followed."""
    poller = zmq.Poller()
    counterpart = Counterpart(page, poller, patience=60)
    assert counterpart.look() == "well"  # nobody is there yet
    for _ in range(2):
        process = own()
        assert counterpart.look() == "well"
        process.kill()
        assert poller.poll(5000)
        assert counterpart.look() == "dead"
        process.wait()
        assert counterpart.look() == "well"
        assert poller.sockets == []
        page.unlink()
    counterpart.close()


def test_a_stopped_process_is_killed(page: Path, own: Callable[[], Owner]) -> None:
    """Who is stopped for longer than the patience is killed; that is told, and so is the death that follows."""
    process = own()
    counterpart = Counterpart(page, zmq.Poller(), patience=0.05)
    assert counterpart.look() == "well"
    os.kill(process.pid, signal.SIGSTOP)
    look_until(counterpart, "frozen")
    look_until(counterpart, "dead")
    assert process.wait() == -signal.SIGKILL


def test_a_short_stop_is_forgiven(page: Path, own: Callable[[], Owner]) -> None:
    """Who goes on within the patience is left alone."""
    process = own()
    counterpart = Counterpart(page, zmq.Poller(), patience=60)
    os.kill(process.pid, signal.SIGSTOP)
    for _ in range(3):
        assert counterpart.look() == "well"
    os.kill(process.pid, signal.SIGCONT)
    assert counterpart.look() == "well"
    assert process.poll() is None
    counterpart.close()
