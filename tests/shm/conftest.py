"""What the tests of shared memory share."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory of mode 0700 in memory, which tmp_path need not be."""
    with tempfile.TemporaryDirectory(prefix="sottovoce-test-", dir="/dev/shm") as name:
        yield Path(name)


@pytest.fixture
def ring(directory: Path) -> Path:
    """Where a ring may be made."""
    return directory / "ring"
