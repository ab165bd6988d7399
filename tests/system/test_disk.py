"""The disk under the journal fills up while somebody dictates."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from stages import wait_idle

from sottovoce.actors.supervisor import Supervisor
from sottovoce.ops import service
from sottovoce.ops.live import feed
from sottovoce.protocol.control import request
from sottovoce.protocol.exceptions import ControlError, JournalError
from sottovoce.protocol.journal import Journal
from sottovoce.protocol.messages import Notice, Typed
from sottovoce.protocol.paths import Paths

WORDS = "Ever tried Ever failed No matter try again Fail again Fail better".lower().split()


class Disk:
    """A small file system of its own."""

    def __init__(self, path: Path, *, megabytes: int) -> None:
        self._filler = path / "filler"
        self.path = path
        options = f"size={megabytes}m,mode=0700"
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", path], capture_output=True, check=False)
        if done.returncode:
            pytest.skip(f"needs the right to mount a file system: {done.stderr.decode().strip()}")

    def fill(self) -> None:
        """Leave not one byte."""
        fd = os.open(self._filler, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        while os.statvfs(self.path).f_bavail:
            os.write(fd, bytes(4096))
        os.close(fd)

    def free(self) -> None:
        """Make room again."""
        self._filler.unlink()

    def close(self) -> None:
        """Take it away."""
        subprocess.run(["umount", self.path], check=True)


@pytest.fixture
def disk(paths: Paths) -> Iterator[Disk]:
    """The file system of its state: journal and logs."""
    disk = Disk(paths.state, megabytes=4)
    yield disk
    disk.close()


def words(home: Path) -> list[str]:
    """Return what was typed, without signs and capitals."""
    return [word.strip(".,").lower() for word in (home / "typed.txt").read_text().split()]


def test_dictation_waits_for_room_and_goes_on(beckett: Path, paths: Paths, disk: Disk, home: Path) -> None:
    """A disk that fills in mid-dictation is told, no stage dies of it, and with room again every word is typed once."""
    process, _ = service.start(paths, detach=False)
    try:
        before = {name: info["pid"] for name, info in Supervisor(paths.supervisor_socket).processes().items()}
        told: list[Notice] = []
        typed = 0
        for event in feed(paths, beckett, pace=3):
            if isinstance(event.body, Typed):
                typed += 1
                if typed == 1:
                    disk.fill()
            if isinstance(event.body, Notice) and event.body.code == "journal":
                told.append(event.body)
                if told[-1].level == "error" and len(told) == 1:
                    disk.free()
        after = {name: info["pid"] for name, info in Supervisor(paths.supervisor_socket).processes().items()}
    finally:
        service.stop(paths)
        process.wait(5)
    assert "no room left" in told[0].text
    assert str(paths.journal(keep="30d")) in told[0].text
    assert told[-1].level == "info"
    assert before == after
    assert words(home) == WORDS
    assert "log lines lost" not in "".join(log.read_text() for log in paths.logs.glob("*.jsonl"))


def test_a_stop_on_a_full_disk_is_remembered(beckett: Path, paths: Paths, disk: Disk, home: Path) -> None:
    """It is told why it cannot be done now, and once there is room the recording ends, without its being said twice."""
    process, _ = service.start(paths, detach=False)
    try:
        stopped = False
        for event in feed(paths, beckett):
            if isinstance(event.body, Typed) and not stopped:
                disk.fill()
                with pytest.raises(ControlError, match=r"make room .* the recording is ended as soon as"):
                    request(paths.control, "stop", timeout=5.0)
                stopped = True
                disk.free()
    finally:
        service.stop(paths)
        process.wait(5)
    journal = Journal(paths.journal(keep="30d"))
    recording = journal.recording()
    journal.close()
    assert recording is not None
    assert recording.end_reason == "stop"
    said = words(home)
    assert 2 <= len(said) < len(WORDS)
    assert said[:-1] == WORDS[: len(said) - 1]  # the stop may have come in the midst of the last one


def test_the_service_ends_on_a_full_disk(beckett: Path, paths: Paths, disk: Disk, home: Path) -> None:
    """`down` does not wait for room, `up` says that there is none, and once there is, goes on where it was."""
    process, _ = service.start(paths, detach=False)
    try:
        for event in feed(paths, beckett, pace=3):
            if isinstance(event.body, Typed):
                disk.fill()
            if isinstance(event.body, Notice) and event.body.code == "journal":
                break
    finally:
        service.stop(paths, limit=1.0)
        process.wait(5)
    disk.fill()  # what the last process to close the journal gave back
    with pytest.raises(JournalError, match="make room"):
        service.start(paths, detach=False)
    disk.free()
    process, _ = service.start(paths, detach=False)
    try:
        wait_idle(paths)
    finally:
        service.stop(paths)
        process.wait(5)
    assert words(home) == WORDS
