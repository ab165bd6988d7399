"""PocketSphinx: its words have times and no fillers, and it says what is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from sottovoce.models import EngineFailed, Entry, OfflineEngine, load_engine
from sottovoce.models.catalogue import ModelFile
from sottovoce.models.source import FileSource

pocketsphinx = pytest.importorskip("pocketsphinx", reason="run: pip install pocketsphinx")
Samples = NDArray[np.float32]
ENTRY = Entry(name="en-us", task="asr", licence="BSD-2-Clause", engine="pocketsphinx", languages=("en",))


@pytest.fixture(scope="module")
def engine() -> Iterator[OfflineEngine]:
    """Load it once."""
    loaded = load_engine(ENTRY, Path("/nowhere"))
    yield loaded
    loaded.close()


def test_the_packages_own_model_hears_words(engine: OfflineEngine, speech: Samples) -> None:
    """An entry without files uses the model in the package; no filler is a word, and there is no confidence."""
    result = engine.decode(speech)
    assert result.text.startswith("ever ")
    assert [word.text for word in result.words] == result.text.split()
    assert not set("<>[]()+") & set(result.text)
    assert result.words[0].start_s == pytest.approx(0.3, abs=0.1)
    assert result.log_prob is None


def test_files_of_the_directory_come_first(tmp_path: Path, speech: Samples) -> None:
    """With files, the acoustic model is the directory, and the dictionary is the one that is named there."""
    model = Path(pocketsphinx.get_model_path("en-us"))
    for path in (*(model / "en-us").iterdir(), model / "en-us.lm.bin"):
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / "few.dict").write_text("ever EH V ER\nfailed F EY L D\n")
    files = tuple(ModelFile(name=name) for name in ("en-us.lm.bin", "few.dict"))
    arguments = {"lm": "en-us.lm.bin", "dict": "few.dict"}
    sources = (FileSource(path=str(tmp_path)),)
    entry = msgspec.structs.replace(ENTRY, sources=sources, files=files, arguments=arguments)
    words = set(load_engine(entry, tmp_path).decode(speech).text.split())
    assert words
    assert words <= {"ever", "failed"}


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A file that is not there is named with the command that brings it."""
    entry = msgspec.structs.replace(
        ENTRY,
        sources=(FileSource(path=str(tmp_path)),),
        files=(ModelFile(name="a.dict"),),
        arguments={"dict": "a.dict"},
    )
    with pytest.raises(EngineFailed, match=r"dict .*a\.dict is not a file; run: sottovoce models pull en-us"):
        load_engine(entry, tmp_path)


def test_a_wrong_option_is_named() -> None:
    """An option that PocketSphinx does not have is named."""
    with pytest.raises(EngineFailed, match=r"model en-us: PocketSphinx cannot load it: .*from_the_future"):
        load_engine(msgspec.structs.replace(ENTRY, options={"from_the_future": 1}), Path("/nowhere"))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 3e38])
def test_a_sample_that_is_no_number_does_no_harm(engine: OfflineEngine, speech: Samples, bad: float) -> None:
    """What a broken device may deliver is decoded as something, and forgotten."""
    said = speech[:24_000]
    first = engine.decode(said).text
    engine.decode(np.full(4_000, bad, np.float32))
    assert engine.decode(said).text == first


def test_it_is_loaded_only_for_speech(real: Callable[[str], Path]) -> None:
    """An entry of another task is refused."""
    with pytest.raises(EngineFailed, match="does not recognise speech"):
        load_engine(msgspec.structs.replace(ENTRY, task="turn"), Path("/nowhere"))
