"""What a measurement holds for."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import msgspec
import pytest

from sottovoce.models import Catalogue
from sottovoce.models.fingerprint import cpu_model, fingerprint, versions

ENTRY = Catalogue.load()["moonshine-tiny-en"]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A model's directory with a file, one in a folder, and a note."""
    (tmp_path / "graph").mkdir()
    for name in ("model.onnx", "graph/words.txt", ".usage.json"):
        (tmp_path / name).write_text("content")
    return tmp_path


@pytest.mark.parametrize("name", ["model.onnx", "graph/words.txt"])
def test_every_file_counts(directory: Path, name: str) -> None:
    """Another size or another time, and it is another model; the same again, and it is the same."""
    before = fingerprint(ENTRY, directory)
    assert fingerprint(ENTRY, directory) == before
    os.utime(directory / name, ns=(1, 1))
    after = fingerprint(ENTRY, directory)
    assert after != before
    (directory / name).write_text("content, longer")
    os.utime(directory / name, ns=(1, 1))
    assert fingerprint(ENTRY, directory) not in {before, after}


def test_notes_do_not_count(directory: Path) -> None:
    """What the store notes beside a model (its last use) changes nothing."""
    before = fingerprint(ENTRY, directory)
    (directory / ".usage.json").write_text("another")
    assert fingerprint(ENTRY, directory) == before


def test_what_the_engine_is_told_counts(directory: Path) -> None:
    """Options count, and words for people do not."""
    before = fingerprint(ENTRY, directory)
    assert fingerprint(msgspec.structs.replace(ENTRY, about="x", memory=9, licence="x"), directory) == before
    assert fingerprint(msgspec.structs.replace(ENTRY, options={"a": 1}), directory) != before


def test_the_engine_counts(directory: Path) -> None:
    """The packages that run the model are known with their versions; who has none needs none."""
    assert [name for name, _ in versions(ENTRY)] == ["sherpa-onnx"]
    assert all(version[0].isdigit() for _, version in versions(ENTRY))
    assert dict(versions(Catalogue.load()["silero-v6"])) == {}


def test_processors(tmp_path: Path) -> None:
    """The name is the kernel's; where it has none, the architecture stands for it."""
    file = tmp_path / "cpuinfo"
    file.write_text("processor\t: 0\nmodel name\t: AMD Ryzen 5 5600X 6-Core Processor\n\nprocessor\t: 1\n")
    assert cpu_model(file) == "AMD Ryzen 5 5600X 6-Core Processor"
    file.write_text("processor\t: 0\nCPU part\t: 0xd08\n\nHardware\t: BCM2835\nModel\t\t: Raspberry Pi 4\n")
    assert cpu_model(file) == "Raspberry Pi 4"
    file.write_text("processor\t: 0\n")
    assert cpu_model(file) == cpu_model(tmp_path / "nothing") == platform.machine()
