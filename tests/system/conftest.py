"""A whole service of real processes, in directories of its own, for the tests of this folder."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sottovoce.models import Store
from sottovoce.ops.private import PrivateService, private_service
from sottovoce.protocol.journal import Journal
from sottovoce.protocol.paths import Paths
from sottovoce.protocol.rows import UtteranceRow

SPEECH = Path(__file__).parents[3] / "shared" / "speech"


@pytest.fixture(scope="session")
def beckett() -> Path:
    """Ten seconds of real speech."""
    store = Store()
    for model in ("silero-v6", "moonshine-tiny-en", "beckett"):
        if not store.installed(model):
            pytest.skip("run: sottovoce models pull silero-v6 moonshine-tiny-en beckett")
    return store.path("beckett") / "beckett.wav"


@pytest.fixture(scope="session")
def speech() -> Path:
    """The folder of clips with transcripts."""
    if not (SPEECH / "manifest.jsonl").exists():
        pytest.skip("the clips of ../shared/speech are not here")
    return SPEECH


@pytest.fixture(scope="module")
def service(beckett: Path) -> Iterator[PrivateService]:
    """A service that the tests of a module share."""
    with private_service() as running:
        yield running


@pytest.fixture
def rows(service: PrivateService) -> Callable[[], list[UtteranceRow]]:
    """Return a function that reads the utterances of the newest recording."""

    def read() -> list[UtteranceRow]:
        journal = Journal(service.paths.journal(keep="30d"))
        try:
            newest = journal.recording()
            return journal.utterances(generation=newest.generation if newest else 0)
        finally:
            journal.close()

    return read


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder for a service, on tmpfs."""
    path = Path(tempfile.mkdtemp(prefix="sv-", dir="/dev/shm"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def paths(home: Path) -> Paths:
    """Where that service runs; it types into a file."""
    paths = Paths(home / "run", home / "state", home / "config.toml").ensure()
    paths.config.write_text(f'[inject]\nbackends = ["file"]\nfile = "{home / "typed.txt"}"\n')
    return paths
