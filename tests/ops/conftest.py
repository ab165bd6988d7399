"""The command line as people run it, in directories of its own, with no service unless a test plays one."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sottovoce.models import Store
from sottovoce.protocol.paths import Paths

Sottovoce = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def paths(tmp_path: Path) -> Iterator[Paths]:
    """Paths of a service of its own; the runtime directory is in memory and its path short."""
    with tempfile.TemporaryDirectory(prefix="sv-", dir="/dev/shm") as runtime:
        yield Paths(Path(runtime) / "run", tmp_path / "state", tmp_path / "config.toml").ensure()


@pytest.fixture
def sottovoce(paths: Paths) -> Sottovoce:
    """Return a function that runs one command."""

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [Path(sys.executable).with_name("sottovoce"), *map(str, arguments)],
            env={**os.environ, **paths.environment(), "COLUMNS": "100"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def beckett() -> Path:
    """Ten seconds of real speech, and the models that understand it."""
    store = Store()
    for model in ("moonshine-tiny-en", "silero-v6", "beckett"):
        if not store.installed(model):
            pytest.skip("run: sottovoce models pull moonshine-tiny-en silero-v6 beckett")
    return store.path("beckett") / "beckett.wav"
