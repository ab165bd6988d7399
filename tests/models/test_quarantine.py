"""Models that have killed a process."""

from __future__ import annotations

import stat
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from sottovoce.models import Catalogue
from sottovoce.models.exceptions import Quarantined
from sottovoce.models.quarantine import Quarantine

ENTRY = Catalogue.load()["moonshine-tiny-en"]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Where the model's files are."""
    folder = tmp_path / "models" / ENTRY.name
    folder.mkdir(parents=True)
    (folder / "encoder_model.ort").write_bytes(b"model")
    return folder


def test_why_since_when_and_what_to_do(tmp_path: Path, directory: Path) -> None:
    """A model in quarantine is refused with the reason, the date and the ways out; the note is the user's alone."""
    quarantine = Quarantine(tmp_path)
    quarantine.require(ENTRY, directory)
    before = datetime.now(UTC)
    quarantine.put(ENTRY, directory, "ended its process by SIGSEGV in the decode", "probe")
    with pytest.raises(Quarantined) as refusal:
        quarantine.require(ENTRY, directory)
    text = str(refusal.value)
    assert f"since {before.astimezone():%Y-%m-%d} " in text
    assert ": ended its process by SIGSEGV in the decode; run: sottovoce models probe moonshine-tiny-en" in text
    assert "sottovoce models pull moonshine-tiny-en" in text
    note = tmp_path / "quarantine" / f"{ENTRY.name}.json"
    assert [stat.S_IMODE(path.stat().st_mode) for path in (note, note.parent)] == [0o600, 0o700]
    sentence = quarantine.get(ENTRY, directory)
    assert sentence is not None
    assert (sentence.found_by, sentence.since >= before) == ("probe", True)


def test_released(tmp_path: Path, directory: Path) -> None:
    """Once released it may be loaded; to release what is not there is no error."""
    quarantine = Quarantine(tmp_path)
    quarantine.put(ENTRY, directory, "died", "service")
    assert quarantine.release(ENTRY.name)
    quarantine.require(ENTRY, directory)
    assert not quarantine.release(ENTRY.name)


def test_what_has_changed_is_another_model(tmp_path: Path, directory: Path) -> None:
    """A file that was pulled anew, or another constructor, is not what died; what we say of the model is."""
    quarantine = Quarantine(tmp_path)
    quarantine.put(ENTRY, directory, "died", "service")
    quarantine.require(msgspec.structs.replace(ENTRY, constructor="from_moonshine"), directory)
    with pytest.raises(Quarantined):
        quarantine.require(msgspec.structs.replace(ENTRY, memory=1), directory)
    (directory / "encoder_model.ort").write_bytes(b"mended")
    quarantine.require(ENTRY, directory)


def test_a_damaged_note(tmp_path: Path, directory: Path) -> None:
    """A note that is no note keeps nobody out, and is replaced by the next."""
    quarantine = Quarantine(tmp_path)
    quarantine.put(ENTRY, directory, "died", "service")
    (tmp_path / "quarantine" / f"{ENTRY.name}.json").write_text("{")
    quarantine.require(ENTRY, directory)
    quarantine.put(ENTRY, directory, "died", "service")
    with pytest.raises(Quarantined):
        quarantine.require(ENTRY, directory)
