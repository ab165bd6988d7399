from __future__ import annotations

import os
import select
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sottovoce.actors.process import ROTATE_BYTES, STACKS_SIGNAL

Spawn = Callable[..., subprocess.Popen[str]]

ORPHAN = """
import os, time
from sottovoce.actors.process import die_with_parent
die_with_parent()
print(os.getpid(), flush=True)
time.sleep(60)
"""
PARENT = "import subprocess, sys; sys.exit(subprocess.call([sys.executable, '-c', sys.argv[1]]))"
KEEPER = """
import os, sys, time
from pathlib import Path
from sottovoce.actors.process import keep_output
real = keep_output(Path(sys.argv[1]))
os.write(1, b"native chatter\\n")
print("complaint", file=sys.stderr, flush=True)
os.write(real, b"for the reader\\n")
"""
WAITER = """
def wait_for_ever():
    os.write(real, b"waiting\\n")
    time.sleep(60)
wait_for_ever()
"""
CRASHER = "import ctypes\nctypes.string_at(0)\n"


@pytest.fixture
def spawn() -> Iterator[Spawn]:
    """Return a function that runs a Python program."""
    started = []

    def run(*arguments: str, **environ: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", *arguments],
            env={**os.environ, **environ},
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


def line(process: subprocess.Popen[str]) -> str:
    """Return the next line that a process prints."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_a_child_dies_with_its_killed_parent(spawn: Spawn) -> None:
    """SIGKILL gives a parent no chance to tell; the kernel ends its child within two seconds."""
    parent = spawn(PARENT, ORPHAN)
    pidfd = os.pidfd_open(int(line(parent)))
    try:
        watch = select.poll()
        watch.register(pidfd, select.POLLIN)
        assert not watch.poll(0)
        parent.kill()
        parent.wait()
        assert watch.poll(2000), "the child has outlived its parent"
    finally:
        os.close(pidfd)


def test_a_stage_that_lost_its_supervisor_does_not_start(spawn: Spawn) -> None:
    """What supervisord started and somebody else has adopted by now says so and ends."""
    process = spawn(ORPHAN, SUPERVISOR_ENABLED="1")
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "the supervisor that started this process is gone" in errors


def test_output_is_kept_and_private(spawn: Spawn, tmp_path: Path) -> None:
    """What native libraries print ends in a file only the user can read; the real standard output stays in reach."""
    path = tmp_path / "native.log"
    process = spawn(KEEPER, str(path))
    output, errors = process.communicate(timeout=20)
    assert (output, errors) == ("for the reader\n", "")
    assert path.read_text() == "native chatter\ncomplaint\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_output_of_many_starts_is_rotated(spawn: Spawn, tmp_path: Path) -> None:
    """A file that has grown large is put aside when the process starts, in the place of the one before."""
    path, older = tmp_path / "native.log", tmp_path / "native.log.1"
    older.write_text("oldest")
    path.write_bytes(b"x" * (ROTATE_BYTES + 1))
    process = spawn(KEEPER, str(path))
    process.communicate(timeout=20)
    assert path.read_text() == "native chatter\ncomplaint\n"
    assert older.stat().st_size == ROTATE_BYTES + 1


def test_stacks_are_dumped_on_demand(spawn: Spawn, tmp_path: Path) -> None:
    """A stage that hangs can be asked where, and goes on hanging: the kill is another matter."""
    path = tmp_path / "native.log"
    process = spawn(KEEPER + WAITER, str(path))
    assert [line(process), line(process)] == ["for the reader", "waiting"]
    process.send_signal(STACKS_SIGNAL)
    deadline = time.monotonic() + 5
    while "wait_for_ever" not in path.read_text() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert "wait_for_ever" in path.read_text()
    assert process.poll() is None


def test_a_native_crash_leaves_its_traceback(spawn: Spawn, tmp_path: Path) -> None:
    """A segmentation fault in a library says in which line of ours it happened."""
    path = tmp_path / "native.log"
    process = spawn(KEEPER + CRASHER, str(path))
    process.communicate(timeout=20)
    assert process.returncode == -signal.SIGSEGV
    assert "Segmentation fault" in path.read_text()
    assert "string_at" in path.read_text()
