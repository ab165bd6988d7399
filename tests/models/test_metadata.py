"""What is written beside a model."""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sottovoce.models import metadata


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A directory with one file of a model."""
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "a.bin").write_bytes(b"abc")
    return tmp_path / "m"


def test_files_are_written_down_as_they_are(model: Path) -> None:
    """Size and sha256 of each file, the source and the time, readable to the user alone."""
    metadata.record(model, "m", "hf:a/m", ["a.bin"], "0123")
    came = metadata.installed(model)
    assert came is not None
    assert came.files["a.bin"].size == 3
    assert came.files["a.bin"].sha256.startswith("ba7816bf8f01cfea")
    assert (came.model, came.source, came.revision) == ("m", "hf:a/m", "0123")
    assert timedelta() <= datetime.now(UTC) - came.at < timedelta(minutes=1)
    assert (model / metadata.INSTALLED).stat().st_mode & 0o777 == 0o600


def test_uses_are_counted(model: Path) -> None:
    """Each use sets the time and adds one; the time of a load stays until another one is told."""
    assert metadata.usage(model) is None
    assert metadata.use(model, 1.5)
    assert metadata.use(model)
    used = metadata.usage(model)
    assert used is not None
    assert (used.uses, used.load_s) == (2, 1.5)
    assert metadata.last_used(model) == used.last


def test_without_notes_the_directory_tells(model: Path) -> None:
    """What an older version installed counts as used when it came."""
    os.utime(model, (1_000_000_000, 1_000_000_000))
    assert metadata.last_used(model) == datetime.fromtimestamp(1_000_000_000, UTC)


def test_a_damaged_note_is_none(model: Path) -> None:
    """Half a note is as good as none, and the next use writes a whole one."""
    (model / metadata.USAGE).write_bytes(b'{"last": "20')
    (model / metadata.INSTALLED).write_bytes(b"\xff")
    assert (metadata.installed(model), metadata.usage(model)) == (None, None)
    assert metadata.use(model)
    assert metadata.usage(model) is not None


def test_a_use_that_cannot_be_written_fails_nothing(model: Path) -> None:
    """A model that is gone, and a read-only file system."""
    assert metadata.use(model.with_name("gone"), 1.0) is False
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "none", model], capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"needs the right to mount a file system: {done.stderr.decode().strip()}")
    try:
        assert metadata.use(model, 1.0) is False
    finally:
        subprocess.run(["umount", model], check=True)
