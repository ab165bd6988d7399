"""Stages to test, in directories of their own."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from stages import Stages

from sottovoce.protocol.journal import Journal
from sottovoce.protocol.paths import Paths


@pytest.fixture
def paths(tmp_path: Path) -> Iterator[Paths]:
    """Directories of a service of its own; the runtime directory is in memory and its path short."""
    with tempfile.TemporaryDirectory(prefix="sv-", dir="/dev/shm") as runtime:
        yield Paths(Path(runtime) / "run", tmp_path / "state", tmp_path / "config.toml").ensure()


@pytest.fixture
def stages(paths: Paths) -> Iterator[Stages]:
    """Return what starts stages; all of them end with the test."""
    started = Stages(paths)
    yield started
    started.close()


@pytest.fixture
def journal(paths: Paths) -> Iterator[Journal]:
    """Return the journal that the stages share."""
    opened = Journal(paths.journal(keep="30d"))
    yield opened
    opened.close()
