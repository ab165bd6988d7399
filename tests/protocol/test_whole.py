"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from sottovoce.protocol.whole import write_whole


def test_a_file_is_replaced_for_its_owner_alone(tmp_path: Path) -> None:
    """The new content is there under the same name, nobody else may read it, and nothing else is left."""
    path = tmp_path / "choice.json"
    path.write_text("old")
    path.chmod(0o644)
    before = os.umask(0)
    try:
        write_whole(path, b"new")
    finally:
        os.umask(before)
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_who_reads_keeps_what_was_opened(tmp_path: Path) -> None:
    """A reader in between has all of the old file."""
    path = tmp_path / "choice"
    write_whole(path, b"old")
    with path.open("rb") as reader:
        write_whole(path, b"new, and longer")
        assert reader.read() == b"old"


def test_what_cannot_be_written_changes_nothing(tmp_path: Path) -> None:
    """Where the name is taken by a directory, or its folder is gone, the error is told and nothing is left behind."""
    (tmp_path / "taken").mkdir()
    with pytest.raises(IsADirectoryError):
        write_whole(tmp_path / "taken", b"new")
    assert list(tmp_path.iterdir()) == [tmp_path / "taken"]
    with pytest.raises(FileNotFoundError):
        write_whole(tmp_path / "gone" / "file", b"new")


def test_a_link_in_its_way_is_not_followed(tmp_path: Path) -> None:
    """What lies under the name of the file in the making is not written through."""
    precious = tmp_path / "precious"
    precious.write_text("mine")
    (tmp_path / f"choice.{os.getpid()}.partly").symlink_to(precious)
    with pytest.raises(OSError, match="symbolic links"):
        write_whole(tmp_path / "choice", b"new")
    assert precious.read_text() == "mine"
    write_whole(tmp_path / "choice", b"new")  # it was cleared away
