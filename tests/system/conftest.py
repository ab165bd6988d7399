"""A whole service of real processes, in directories of its own, for the tests of this folder."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from clips import beginning
from msgspec.structs import replace
from ownmodels import add_model
from stages import LEAN

from sottovoce.models import Store
from sottovoce.models.catalogue import ModelFile
from sottovoce.ops.private import PrivateService, private_service
from sottovoce.protocol.journal import Journal
from sottovoce.protocol.paths import Paths
from sottovoce.protocol.rows import UtteranceRow

DEADLY = {"model": "model", "tokens": "tokens.txt"}
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
def opening(beckett: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first 3.3 seconds of it, with two utterances: "Ever tried. Ever failed."."""
    return beginning(beckett, 3.3, tmp_path_factory.mktemp("opening"))


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
    paths.config.write_text(f'[inject]\nbackends = ["file"]\nfile = "{home / "typed.txt"}"\n{LEAN}')
    return paths


@pytest.fixture(scope="module")
def twin(beckett: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Two more models: `twin` is the embedded one under another name, over `deadly` the engine ends the process."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        _add_twin(tmp_path_factory.mktemp("twin"), monkeypatch)
        yield


def _add_twin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, cache = Store(), tmp_path / "cache"
    models = cache / "sottovoce" / "models"
    models.mkdir(parents=True)
    moonshine = store.path("moonshine-tiny-en")
    for name in ("silero-v6", "smart-turn-v3", "moonshine-tiny-en", "beckett"):
        (models / name).symlink_to(store.path(name))
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    own = store.catalogue["moonshine-tiny-en"]
    silero = store.path("silero-v6") / "silero_vad.onnx"
    for name, constructor, arguments, files in (
        ("twin", own.constructor, own.arguments, {file: moonshine / file for file in own.arguments.values()}),
        ("deadly", "from_nemo_ctc", DEADLY, {"model": silero, "tokens.txt": moonshine / "tokens.txt"}),
    ):
        folder = tmp_path / name
        folder.mkdir()
        for file, path in files.items():
            os.link(path, folder / file)
        parts = tuple(ModelFile(name=file) for file in files)
        add_model(
            replace(own, name=name, constructor=constructor, arguments=arguments, files=parts, derived=()), folder
        )
