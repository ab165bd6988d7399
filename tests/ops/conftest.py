"""The command line as people run it, in directories of its own, with no service unless a test plays one."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from commandline import CommandLine

from sottovoce.models import Store
from sottovoce.protocol.paths import Paths

Sottovoce = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def paths(tmp_path: Path) -> Iterator[Paths]:
    """Paths of a service of its own; the runtime directory is in memory and its path short."""
    with tempfile.TemporaryDirectory(prefix="sv-", dir="/dev/shm") as runtime:
        yield Paths(Path(runtime) / "run", tmp_path / "state", tmp_path / "config.toml").ensure()


@pytest.fixture(scope="session")
def command_line() -> Iterator[CommandLine]:
    """Return what runs commands."""
    opened = CommandLine()
    yield opened
    opened.close()


@pytest.fixture
def sottovoce(command_line: CommandLine, paths: Paths) -> Sottovoce:
    """Return a function that runs one command, with `answer` on its standard input."""

    def run(*arguments: str | Path, answer: str | bytes = "") -> subprocess.CompletedProcess[str]:
        environ = {**os.environ, **paths.environment(), "COLUMNS": "100"}
        given = answer.encode() if isinstance(answer, str) else answer
        done = command_line.run(*arguments, environ=environ, answer=given)
        return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())

    return run


@pytest.fixture(scope="session")
def beckett() -> Path:
    """Ten seconds of real speech, and the models that understand it."""
    store = Store()
    for model in ("moonshine-tiny-en", "silero-v6", "beckett"):
        if not store.installed(model):
            pytest.skip("run: sottovoce models pull moonshine-tiny-en silero-v6 beckett")
    return store.path("beckett") / "beckett.wav"
