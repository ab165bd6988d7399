from __future__ import annotations

import fcntl
import os
import stat
from pathlib import Path

import pytest

from sottovoce.actors.inject import FileBackend, Outcome, StdoutBackend, stream


def test_a_new_file_is_private(tmp_path: Path) -> None:
    """Only its owner can read what was dictated, whatever the umask allows."""
    before = os.umask(0)
    try:
        FileBackend(tmp_path / "out").type("words")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o600


def test_a_file_is_appended_to(tmp_path: Path) -> None:
    """What was in the file stays."""
    path = tmp_path / "out"
    path.write_text("before ")
    assert FileBackend(str(path)).type("after").outcome is Outcome.TYPED
    assert path.read_text() == "before after"


def test_a_file_that_was_moved_away_is_made_anew(tmp_path: Path) -> None:
    """Whoever moves the file between two texts loses neither."""
    path = tmp_path / "out"
    backend = FileBackend(path)
    backend.type("one")
    path.rename(tmp_path / "old")
    backend.type("two")
    assert [(tmp_path / "old").read_text(), path.read_text()] == ["one", "two"]


def _symlink(path: Path) -> None:
    (path.parent / "elsewhere").touch()
    path.symlink_to(path.parent / "elsewhere")


def _hard_link(path: Path) -> None:
    (path.parent / "elsewhere").touch()
    path.hardlink_to(path.parent / "elsewhere")


def _foreign(path: Path) -> None:
    if os.geteuid():
        pytest.skip("only root can give a file away: run as root")
    path.touch()
    os.chown(path, 65534, 65534)


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (_symlink, "symbolic link"),
        (lambda path: path.symlink_to("nowhere"), "symbolic link"),
        (_hard_link, "hard links"),
        (_foreign, "belongs to user 65534"),
        (os.mkfifo, "cannot be opened"),
        (lambda path: path.mkdir(), "cannot be opened"),
    ],
)
def test_what_is_not_a_file_of_ones_own_is_refused(tmp_path: Path, make: object, word: str) -> None:
    """A link, another's file, a FIFO and a folder are named as such and not written to."""
    path = tmp_path / "out"
    make(path)  # type: ignore[operator]
    backend = FileBackend(path)
    delivery = backend.type("private words")
    assert delivery.outcome is Outcome.NOTHING_TYPED
    assert word in delivery.detail
    assert backend.available() == delivery.detail
    assert not (tmp_path / "nowhere").exists()
    if (tmp_path / "elsewhere").exists():
        assert (tmp_path / "elsewhere").read_text() == ""


def test_a_fifo_with_a_reader_is_refused(tmp_path: Path) -> None:
    """A FIFO is refused also when somebody reads it."""
    path = tmp_path / "out"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert "not a regular file" in FileBackend(path).type("words").detail
    finally:
        os.close(reader)


def test_a_missing_folder_and_a_missing_path_are_named(tmp_path: Path) -> None:
    """Without a place to write, the reason says what to do."""
    assert "make its folder exist" in (FileBackend(tmp_path / "no" / "out").available() or "")
    assert "no path is set" in (FileBackend(None).available() or "")


def test_a_full_disk_proves_that_nothing_was_typed() -> None:
    """A write of which no byte was taken may be tried elsewhere."""
    fd = os.open("/dev/full", os.O_WRONLY)
    try:
        delivery = StdoutBackend(fd).type("words")
    finally:
        os.close(fd)
    assert delivery.outcome is Outcome.NOTHING_TYPED
    assert "No space left" in delivery.detail


def test_a_descriptor_that_is_closed_is_unavailable() -> None:
    """Standard output that is not there is told, not written to."""
    fd = os.open("/dev/null", os.O_WRONLY)
    os.close(fd)
    backend = StdoutBackend(fd)
    assert "cannot be written to" in (backend.available() or "")
    assert backend.type("words").outcome is Outcome.NOTHING_TYPED


def test_a_reader_that_left_took_nothing() -> None:
    """A pipe without a reader proves that nothing was typed."""
    reader, writer = os.pipe()
    os.close(reader)
    assert StdoutBackend(writer).type("words").outcome is Outcome.NOTHING_TYPED
    os.close(writer)


def test_a_reader_that_hangs_leaves_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe that fills up half-way ends the attempt in time, and in doubt, for part of the text is in it."""
    monkeypatch.setattr(stream, "_PATIENCE_S", 0.1)
    reader, writer = os.pipe()
    room = fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    delivery = StdoutBackend(writer).type("x" * (room + 1))
    assert delivery.outcome is Outcome.UNKNOWN
    assert delivery.detail == f"{room} of {room + 1} bytes written: the reader at the other end takes nothing"
    assert StdoutBackend(writer).type("y").outcome is Outcome.NOTHING_TYPED
    os.close(reader)
    os.close(writer)


def test_what_others_wrote_is_not_written_over(tmp_path: Path) -> None:
    """A full stop is taken back only where it is the file's last byte and the file is the same."""
    path = tmp_path / "out"
    backend = FileBackend(path)
    backend.type("One.")
    with path.open("a") as file:
        file.write("!")
    assert not backend.type(" Two.", mended=", two.").mended
    assert path.read_text() == "One.! Two."
    path.rename(tmp_path / "rotated")
    path.write_text("One.! Two.")
    path.chmod(0o600)
    assert not backend.type(" Three.", mended=", three.").mended
    assert path.read_text() == "One.! Two. Three."
