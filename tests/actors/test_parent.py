"""A parent that is stopped is made to go on by its child, and one that is dead is not outlived by it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from sottovoce.actors.exceptions import EXIT_UNMENDABLE
from sottovoce.actors.parent import Parent
from sottovoce.actors.process import frozen

PATIENCE_S = 0.3
PARENT = """
import subprocess, sys
subprocess.run([sys.executable, "-c", sys.argv[1]])
"""
CHILD = f"""
import time
from sottovoce.actors.parent import Parent
parent = Parent(patience={PATIENCE_S})
print("looks", flush=True)
while True:
    said = parent.look()
    if said is not None or parent.stopped:
        print(said or "stopped", flush=True)
    time.sleep(0.05)
"""


@pytest.fixture
def family() -> Iterator[subprocess.Popen[str]]:
    """A parent whose child looks after it and prints what it finds."""
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, CHILD],
        env={**os.environ, "SUPERVISOR_ENABLED": "1"},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def wait_until(process: subprocess.Popen[str], stopped: bool) -> float:
    """Wait until the parent is stopped, or is not, and return for how long."""
    began = time.monotonic()
    while frozen(process.pid) is not stopped:
        assert time.monotonic() - began < 20, f"never became {'stopped' if stopped else 'free'}"
        time.sleep(0.005)
    return time.monotonic() - began


def test_a_stopped_parent_goes_on(family: subprocess.Popen[str]) -> None:
    """Each time that it is stopped, not before its patience is over, and the person is told whom."""
    assert family.stdout is not None
    assert family.stdout.readline() == "looks\n"
    for _ in range(2):
        family.send_signal(signal.SIGSTOP)
        wait_until(family, stopped=True)
        assert wait_until(family, stopped=False) >= PATIENCE_S * 0.9
        while (line := family.stdout.readline()) == "stopped\n":
            pass
        assert line == f"supervisord (process {family.pid}) was stopped and is made to go on\n"


def test_who_was_started_by_hand_has_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without supervisord the parent may be a shell, which is nobody's business."""
    monkeypatch.delenv("SUPERVISOR_ENABLED", raising=False)
    monkeypatch.setattr("sottovoce.actors.parent.frozen", lambda _: True)
    parent = Parent(patience=0)
    assert [parent.look(), parent.look()] == [None, None]


def test_a_stage_looks_for_its_supervisord_before_it_imports() -> None:
    """One whose supervisord has died ends at once, and not after the third of a second that its imports take."""
    ended = subprocess.run(
        [sys.executable, "-P", "-X", "importtime", "-m", "sottovoce.actors.vad"],
        env={**os.environ, "SUPERVISOR_ENABLED": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == EXIT_UNMENDABLE
    assert "the supervisor that started this process is gone" in ended.stderr
    assert "zmq" not in ended.stderr
