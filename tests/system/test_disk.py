"""The disk under the journal fills up while somebody dictates."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from stages import LEAN, wait_idle

from sottovoce.actors.supervisor import Supervisor
from sottovoce.ops import service
from sottovoce.ops.live import feed
from sottovoce.ops.private import PrivateService, leftovers
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


class Journalled(NamedTuple):
    """A service whose journal and logs are on that disk."""

    service: PrivateService
    disk: Disk


@pytest.fixture(scope="module")
def journalled(beckett: Path) -> Iterator[Journalled]:
    """A service that the tests share; each leaves it running, on a disk with room."""
    home = Path(tempfile.mkdtemp(prefix="sv-", dir="/dev/shm"))
    paths, typed = Paths(home / "run", home / "state", home / "config.toml").ensure(), home / "typed.txt"
    paths.config.write_text(f'[inject]\nbackends = ["file"]\nfile = "{typed}"\n{LEAN}')
    disk = Disk(paths.state, megabytes=4)
    try:
        process, ready_s = service.start(paths, detach=False)
        running = PrivateService(paths, typed, ready_s, process)
        yield Journalled(running, disk)
        running.down()
        assert leftovers(paths) == []
    finally:
        disk.close()
        shutil.rmtree(home)


def words(text: str) -> list[str]:
    """Return the words of a text, without signs and capitals."""
    return [word.strip(".,").lower() for word in text.split()]


def pids(running: PrivateService) -> dict[str, int]:
    """Return the process of each stage."""
    return {name: info["pid"] for name, info in Supervisor(running.paths.supervisor_socket).processes().items()}


def test_dictation_waits_for_room_and_goes_on(beckett: Path, journalled: Journalled) -> None:
    """A disk that fills in mid-dictation is told, no stage dies of it, and with room again every word is typed once."""
    running, disk = journalled
    before, said = pids(running), running.text()
    told: list[Notice] = []
    typed = 0
    for event in feed(running.paths, beckett, pace=3):
        if isinstance(event.body, Typed):
            typed += 1
            if typed == 1:
                disk.fill()
        if isinstance(event.body, Notice) and event.body.code == "journal":
            told.append(event.body)
            if told[-1].level == "error" and len(told) == 1:
                disk.free()
    assert "no room left" in told[0].text
    assert str(running.paths.journal(keep="30d")) in told[0].text
    assert told[-1].level == "info"
    assert pids(running) == before
    assert words(running.text().removeprefix(said)) == WORDS
    assert "log lines lost" not in "".join(log.read_text() for log in running.paths.logs.glob("*.jsonl"))


def test_a_stop_on_a_full_disk_is_remembered(beckett: Path, journalled: Journalled) -> None:
    """It is told why it cannot be done now, and once there is room the recording ends, without its being said twice."""
    running, disk = journalled
    before, stopped = running.text(), False
    for event in feed(running.paths, beckett):
        if isinstance(event.body, Typed) and not stopped:
            disk.fill()
            with pytest.raises(ControlError, match=r"make room .* the recording is ended as soon as"):
                request(running.paths.control, "stop", timeout=5.0)
            stopped = True
            disk.free()
    journal = Journal(running.paths.journal(keep="30d"))
    recording = journal.recording()
    journal.close()
    assert recording is not None
    assert recording.end_reason == "stop"
    said = words(running.text().removeprefix(before))
    assert 2 <= len(said) < len(WORDS)
    assert said[:-1] == WORDS[: len(said) - 1]  # the stop may have come in the midst of the last one


def test_the_service_ends_on_a_full_disk(beckett: Path, journalled: Journalled) -> None:
    """`down` does not wait for room, `up` says that there is none, and once there is, goes on where it was."""
    running, disk = journalled
    before = running.text()
    for event in feed(running.paths, beckett, pace=3):
        if isinstance(event.body, Typed):
            disk.fill()
        if isinstance(event.body, Notice) and event.body.code == "journal":
            break
    assert service.stop(running.paths, limit=1.0)
    disk.fill()  # what the last process to close the journal gave back
    with pytest.raises(JournalError, match="make room"):
        service.start(running.paths, detach=False)
    disk.free()
    running.up()
    wait_idle(running.paths)
    assert words(running.text().removeprefix(before)) == WORDS
