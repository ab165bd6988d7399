import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from sottovoce.shm import (
    CountersInvalid,
    CountersPage,
    CountersView,
    RingReader,
    RingWriter,
    ShmInsecure,
    ShmNotTmpfs,
    choose_directory,
)

NOBODY = 65534
FULL = """
import os, sys
from pathlib import Path
import numpy as np
from sottovoce.shm import CountersPage, RingReader, RingWriter, ShmFull
directory = Path(sys.argv[1])
os.chmod(directory, 0o700)
for make in (
    lambda: RingWriter.open(directory / "ring", seconds=300.0),
    lambda: CountersPage.create(directory / "a.counters", counters=[str(i) for i in range(100000)], histograms=[]),
):
    try:
        make()
    except ShmFull as error:
        print(error)
print(sorted(directory.iterdir()))
with RingWriter.open(directory / "ring", seconds=10.0) as writer, RingReader.attach(directory / "ring") as reader:
    try:
        (directory / "rest").write_bytes(bytes(1 << 20))
    except OSError as error:
        print(error.strerror)
    for number in range(400):
        writer.publish(np.full(512, number, np.float32), capture_ns=number)
        assert reader.read().samples[7] == number
print("whole ring written")
"""


def _refused(path: Path) -> None:
    """Assert that neither a writer nor a reader takes the file, and that it is left as it was."""
    before = path.lstat()
    for take in (RingReader.attach, RingWriter.open, CountersView.attach):
        with pytest.raises(ShmInsecure, match=r"ring|directory"):
            take(path)
    assert (path.lstat().st_ino, path.lstat().st_mode) == (before.st_ino, before.st_mode)


@pytest.mark.parametrize("mode", [0o644, 0o660, 0o400, 0o700, 0o4600])
def test_a_file_of_another_mode_is_refused(ring: Path, mode: int) -> None:
    """A file whose mode is not exactly 0600 is used by nobody."""
    RingWriter.open(ring, seconds=0.25).close()
    ring.chmod(mode)
    _refused(ring)


@pytest.mark.parametrize("mode", [0o701, 0o750, 0o755, 0o1777])
def test_a_directory_that_others_can_enter_is_refused(ring: Path, mode: int) -> None:
    """A directory that is open to others makes its files unusable, and none is created there."""
    RingWriter.open(ring, seconds=0.25).close()
    ring.parent.chmod(mode)
    _refused(ring)
    ring.unlink()
    with pytest.raises(ShmInsecure, match=f"mode {mode:04o}"):
        RingWriter.open(ring, seconds=0.25)
    assert not ring.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away: run the tests as root for this one")
@pytest.mark.parametrize("what", ["file", "directory"])
def test_what_belongs_to_another_user_is_refused(ring: Path, what: str) -> None:
    """A file or a directory of another user is used by nobody, root included."""
    RingWriter.open(ring, seconds=0.25).close()
    os.chown(ring if what == "file" else ring.parent, NOBODY, NOBODY)
    _refused(ring)


def test_links_are_not_followed(directory: Path) -> None:
    """A symbolic link is refused, be it the file or its directory, even where it leads to a sound ring."""
    RingWriter.open(directory / "real" / "ring", seconds=0.25).close()
    (directory / "ring").symlink_to(directory / "real" / "ring")
    _refused(directory / "ring")
    (directory / "link").symlink_to(directory / "real")
    _refused(directory / "link" / "ring")


def test_a_dangling_link_is_not_followed(directory: Path) -> None:
    """A link to nowhere does not make a file there."""
    (directory / "ring").symlink_to(directory / "elsewhere")
    _refused(directory / "ring")
    assert not (directory / "elsewhere").exists()


@pytest.mark.parametrize("kind", ["directory", "pipe"])
def test_what_is_no_file_is_refused(ring: Path, kind: str) -> None:
    """A directory or a pipe in the place of the file is refused, and hangs nobody."""
    if kind == "directory":
        ring.mkdir(mode=0o700)
    else:
        os.mkfifo(ring, 0o600)
    _refused(ring)


def test_a_socket_is_refused(ring: Path) -> None:
    """A socket in the place of the file is refused."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(ring))
        ring.chmod(0o600)
        _refused(ring)


def test_a_disk_is_refused(tmp_path: Path) -> None:
    """No ring is made on a disk: the error says what to use instead."""
    if choose_directory(tmp_path) == tmp_path:
        pytest.skip("the temporary directory is in memory; run with --basetemp on a disk")
    choose_directory(tmp_path).rmdir()
    with pytest.raises(ShmNotTmpfs, match="choose_directory"):
        RingWriter.open(tmp_path / "ring")
    with pytest.raises(ShmNotTmpfs, match="choose_directory"):
        CountersPage.create(tmp_path / "a.counters", counters=["a"], histograms=[])
    assert list(tmp_path.iterdir()) == []


def test_a_runtime_directory_in_memory_is_kept(directory: Path) -> None:
    """A runtime directory on a tmpfs is used as it is, and made private where it is missing."""
    assert choose_directory(directory) == directory
    assert choose_directory(directory / "new") == directory / "new"
    assert (directory / "new").stat().st_mode & 0o7777 == 0o700


def test_a_runtime_directory_on_a_disk_is_mapped_to_one_in_memory(tmp_path: Path) -> None:
    """Every process of a service finds the same private directory under /dev/shm, and other services another one."""
    services = [tmp_path / "one", tmp_path / "two"]
    first, second = (choose_directory(service) for service in services)
    if first == services[0]:
        pytest.skip("the temporary directory is in memory; run with --basetemp on a disk")
    try:
        assert first == choose_directory(services[0])
        assert first != second
        assert first.parent == second.parent == Path(f"/dev/shm/sottovoce-{os.geteuid()}")
        assert {path.stat().st_mode & 0o7777 for path in (first, first.parent)} == {0o700}
        RingWriter.open(first / "ring", seconds=0.25).close(unlink=True)
    finally:
        first.rmdir()
        second.rmdir()


def test_a_full_tmpfs_is_an_error_not_a_signal(directory: Path) -> None:
    """Without room an error says how much is needed, and nothing is left; a ring once made can always be written."""
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    # A mount of its own namespace goes with the process, however that ends.
    mount = 'mount -t tmpfs -o size=1m tmpfs "$1" && shift 0 && exec "$2" -c "$3" "$1"'
    try:
        done = subprocess.run(
            [*command, mount, "sh", str(directory), sys.executable, FULL], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        pytest.skip("unshare is missing; install util-linux")
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip(f"user namespaces are not allowed here ({done.stderr.strip()}); run the tests where they are")
    assert done.stderr == ""
    assert done.returncode == 0
    ring, counters, left, full, written = done.stdout.splitlines()
    assert "19804096 bytes are needed and 1048576 are free" in ring
    assert "No space left on device" in counters
    assert left == "[]"
    assert full == "No space left on device"
    assert written == "whole ring written"


def test_a_page_is_not_a_ring(directory: Path) -> None:
    """A counters page is not taken for a ring, nor a ring for a counters page."""
    RingWriter.open(directory / "ring", seconds=0.25).close()
    with pytest.raises(CountersInvalid, match="not a counters page"):
        CountersView.attach(directory / "ring")
