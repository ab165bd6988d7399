import os
import subprocess
import sys
from pathlib import Path

import pytest

from sottovoce.shm import process


def test_a_process_is_known_by_its_start() -> None:
    """This process runs, and one of the same id that started at another time does not."""
    start = process.start_time(os.getpid())
    assert start is not None
    assert process.is_alive(os.getpid(), start)
    assert not process.is_alive(os.getpid(), start + 1)
    assert not process.is_alive(0, 0)


def test_a_zombie_does_not_run() -> None:
    """A process that has ended counts as ended before its parent has reaped it."""
    child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    try:
        assert process.start_time(child.pid) is not None
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and is left unreaped
        assert process.start_time(child.pid) is None
    finally:
        child.kill()
        child.communicate()
    assert process.start_time(child.pid) is None


@pytest.mark.parametrize("name", ["a b", "x) S 1 (", "((("])
def test_a_name_cannot_mislead(tmp_path: Path, name: str) -> None:
    """The name of a program may hold blanks and parentheses without being taken for fields."""
    (tmp_path / name).symlink_to("/bin/cat")
    child = subprocess.Popen([tmp_path / name], stdin=subprocess.PIPE)
    try:
        start = process.start_time(child.pid)
        assert start is not None
        assert start >= (process.start_time(os.getpid()) or 0)
    finally:
        child.kill()
        child.communicate()


def test_the_boot_id_is_two_words() -> None:
    """The boot id is the kernel's, in two halves."""
    high, low = process.boot_id()
    text = Path("/proc/sys/kernel/random/boot_id").read_text().strip().replace("-", "")
    assert f"{high:016x}{low:016x}" == text
