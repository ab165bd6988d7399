"""What fits which machine, and what is recommended: on machines that are made up."""

from __future__ import annotations

from pathlib import Path

import pytest

from sottovoce.models import Catalogue, Entry
from sottovoce.models.catalogue import ModelFile
from sottovoce.models.fit import Machine, fit, need, recommend, recommendations
from sottovoce.models.source import WheelSource

CATALOGUE = Catalogue.load(Path("/nonexistent"))
PARAKEET = "parakeet-tdt-0.6b-v3-int8"
DESKTOP = Machine(total=16_000, free=12_000, cores=8)
LAPTOP = Machine(total=8_000, free=3_000, cores=4)
BOARD = Machine(total=1_000, free=700, cores=4)
TOY = Machine(total=400, free=300, cores=1)


def made(**changes: object) -> Entry:
    """Return a recogniser of 100 MB, changed."""
    fields = {
        "name": "made", "task": "asr", "licence": "MIT", "engine": "sherpa", "constructor": "from_nemo_ctc",
        "languages": ("en",), "sources": (WheelSource(requirement="made==1.0"),),
        "files": (ModelFile(name="model.onnx", size=100_000_000),),
    }  # fmt: skip
    return Entry(**{**fields, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("machine", "language", "name"),
    [
        (DESKTOP, "en", PARAKEET),
        (DESKTOP, "uk", PARAKEET),
        (DESKTOP, "ja", "whisper-turbo"),
        (LAPTOP, "de", PARAKEET),
        (LAPTOP, "ja", "whisper-small"),
        (Machine(2_000, 1_500, 2), "ru", PARAKEET),
        (Machine(1_999, 1_900, 2), "ru", "giga-am-v2-ru"),
        (Machine(1_999, 1_900, 2), "en", "moonshine-tiny-en"),
        (Machine(2_000, 1_500, 2), "hi", "whisper-base"),
        (BOARD, "en", "moonshine-tiny-en"),
        (BOARD, "de", "whisper-tiny"),
        (TOY, "en", None),
        (DESKTOP, "xx", None),
    ],
)
def test_the_recommended_model(machine: Machine, language: str, name: str | None) -> None:
    """It is Parakeet where there are 2 GB and it knows the language, else what the machine can do with."""
    entry = recommend(CATALOGUE, machine, language)
    assert (entry and entry.name) == name


def test_each_language_has_one_recommendation() -> None:
    """Every language of the catalogue is recommended one model, which knows it and fits."""
    found = recommendations(CATALOGUE, LAPTOP)
    languages = [language for those in found.values() for language in those]
    assert len(languages) == len(set(languages))
    assert len(found[PARAKEET]) == 25
    for name, those in found.items():
        assert set(those) <= set(CATALOGUE[name].languages)
        assert fit(CATALOGUE[name], LAPTOP).level != "no"


def test_memory_that_is_taken_at_the_moment_changes_no_recommendation() -> None:
    """A browser that is open now does not make another model the right one; it only makes it tight."""
    busy = Machine(total=8_000, free=500, cores=4)
    assert recommend(CATALOGUE, busy, "en") is CATALOGUE[PARAKEET]
    found = fit(CATALOGUE[PARAKEET], busy)
    assert found.level == "tight"
    assert "500 MB are free" in found.why


def test_a_model_that_was_too_slow_here_is_not_recommended() -> None:
    """What was measured on this machine counts: the next best one takes its place."""
    assert recommend(CATALOGUE, LAPTOP, "en", {PARAKEET: (1_100, 1.4)}) is CATALOGUE["moonshine-tiny-en"]
    assert recommend(CATALOGUE, LAPTOP, "en", {PARAKEET: (1_100, 0.2)}) is CATALOGUE[PARAKEET]


def test_a_catalogue_without_the_recommended_models() -> None:
    """A catalogue that lacks them all recommends nothing, and does not fail."""
    assert recommendations(Catalogue({"made": made()}), DESKTOP) == {}


@pytest.mark.parametrize(
    ("entry", "machine", "level", "says"),
    [
        (made(memory=500), LAPTOP, "fits", "takes 500 MB of 8.0 GB"),
        (made(memory=4_800), LAPTOP, "tight", "takes 4.8 GB, 3.0 GB are free"),
        (made(memory=4_801), LAPTOP, "no", "of 8.0 GB there is room for 4.8 GB"),
        (made(), LAPTOP, "fits", "takes about 350 MB"),
        (made(constructor="from_whisper"), LAPTOP, "fits", "takes about 570 MB"),
        (made(files=(ModelFile(name="model.onnx"),)), TOY, "unknown", "nobody has measured it"),
        (
            made(engine="bridge", constructor="", command=("x",), sources=(), files=()),
            TOY,
            "unknown",
            "nobody has measured it",
        ),
        (
            made(engine="remote", constructor="", url="http://elsewhere/v1", sources=(), files=()),
            TOY,
            "fits",
            "runs elsewhere, at http://elsewhere/v1",
        ),
        (CATALOGUE["beckett"], TOY, "fits", "a recording"),
    ],
)
def test_what_fits_and_why(entry: Entry, machine: Machine, level: str, says: str) -> None:
    """A model fits where six tenths of all memory hold it, and comfortably where that much is free."""
    found = fit(entry, machine)
    assert found.level == level
    assert says in found.why


@pytest.mark.parametrize(("factor", "level"), [(0.1, "fits"), (0.7, "tight"), (1.0, "no")])
def test_speed_counts_where_it_was_measured(factor: float, level: str) -> None:
    """A model that needs longer than one speaks is no use, and one that needs more than half as long is slow."""
    found = fit(made(), LAPTOP, {"made": (300, factor)})
    assert found.level == level
    assert ("measured here" in found.why) == (level != "fits")


def test_the_best_known_need_is_taken() -> None:
    """What was measured here goes before what the catalogue says, and that before what the size lets one expect."""
    assert (need(made()).megabytes, need(made()).basis) == (350, "estimate")
    assert (need(made(memory=90)).megabytes, need(made(memory=90)).basis) == (90, "catalogue")
    assert need(made(memory=90), {"made": (120, 0.1)}).basis == "measured"
    assert need(made(memory=90), {"other": (120, 0.1)}).basis == "catalogue"
    assert need(made(memory=90), {"made": (0, 0.1)}).basis == "catalogue"


@pytest.mark.parametrize(
    ("memory", "kind"), [(400, "small"), (401, "medium"), (1_200, "medium"), (4_000, "large"), (4_001, "huge")]
)
def test_memory_classes(memory: int, kind: str) -> None:
    """A model belongs to a class by what it takes; one of which nothing is known belongs to none."""
    assert need(made(memory=memory)).kind == kind
    assert need(made(files=(ModelFile(name="model.onnx"),))).kind == "unknown"


def test_a_graphics_card_is_told_of_where_it_helps() -> None:
    """An engine that can use the card says so; sherpa-onnx, whose wheels cannot, does not."""
    machine = Machine(total=32_000, free=30_000, cores=8, gpu=True)
    assert "graphics card" in fit(CATALOGUE["parakeet-tdt-0.6b-v3-onnx"], machine).why
    assert "graphics card" not in fit(CATALOGUE[PARAKEET], machine).why
    assert "graphics card" not in fit(CATALOGUE["parakeet-tdt-0.6b-v3-onnx"], DESKTOP).why


def test_this_machine_is_one() -> None:
    """The machine that runs the test has memory and a core, and less is free than there is."""
    here = Machine.here()
    assert 0 < here.free <= here.total
    assert here.cores >= 1
