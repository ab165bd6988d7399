"""Whether there is room for a model, and which one there would be room for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from trials import NAME, REAL, sound, store_with

from sottovoce.models import Catalogue, EngineSettings, Store
from sottovoce.models.budget import admit, fitting
from sottovoce.models.devices import Gpu
from sottovoce.models.exceptions import DoesNotFit, ModelMissing, Quarantined
from sottovoce.models.fingerprint import fingerprint
from sottovoce.models.fit import Need
from sottovoce.models.measurements import Probe, Run, save
from sottovoce.models.need import need, weight
from sottovoce.models.quarantine import Quarantine
from sottovoce.models.ram import Ram
from sottovoce.protocol.config import MemoryConfig

MB = 1_000_000
ROOMY = Ram(64_000 * MB, 32_000 * MB)
FILES = 13_281_600 + 30_412_256 + 249_974 + 549_350
"""Bytes of the real model."""
ONE = EngineSettings()


@pytest.fixture
def store(real: Callable[[str], Path], tmp_path: Path) -> Store:
    """A store with a model that the catalogue says needs 700 MB, one of 400 MB, and one that nobody knows about."""
    entries = (
        msgspec.structs.replace(sound("middling"), memory=400),
        msgspec.structs.replace(sound("unknown"), memory=0),
        msgspec.structs.replace(sound(), memory=700),
    )
    made = store_with(tmp_path / "cache", real, *entries)
    smallest = msgspec.structs.replace(sound("absent"), memory=100)
    foreign = msgspec.structs.replace(sound("foreign"), memory=50, languages=("ru",))
    elsewhere = msgspec.structs.replace(
        sound("elsewhere"), engine="remote", memory=0, url="http://host/v1", constructor="", sources=(), files=(),
        derived=(), arguments={}, options={}, languages=("en",),
    )  # fmt: skip
    known = {entry.name: entry for entry in (*made.catalogue, smallest, foreign, elsewhere)}
    known[REAL] = msgspec.structs.replace(known[REAL], memory=300)
    return Store(made.root, Catalogue(known))


def measure(store: Store, name: str, megabytes: int, times: dict[int, float]) -> None:
    """Keep a probe as if it had been made."""
    runs = tuple(Run(n, "passed", decode_s=s, audio_s=10.0, peak=megabytes * MB) for n, s in times.items())
    print_ = fingerprint(store.catalogue[name], store.path(name))
    save(store, Probe(name, print_, datetime.now(UTC), "", 4, {}, runs))


def test_what_a_model_needs(store: Store) -> None:
    """Measured goes before the catalogue, and that before a guess by its files; who runs elsewhere needs nothing."""
    entry = store.catalogue[NAME]
    unknown = store.catalogue["unknown"]
    assert need(unknown, store).basis == "estimate"
    assert need(unknown, store).megabytes * MB > weight(unknown, store) == FILES
    assert need(entry, store) == Need(700, "catalogue")
    measure(store, NAME, 650, {1: 1.0})
    assert need(entry, store) == Need(650, "measured")
    assert need(store.catalogue["elsewhere"], store).megabytes == 0


def test_admitted(store: Store) -> None:
    """What fits is admitted as it was asked for, with the directory to load it from."""
    admission = admit(store, NAME, EngineSettings(threads=3), MemoryConfig(), ram=ROOMY)
    assert (admission.directory, admission.notices) == (store.path(NAME), ())
    assert admission.settings == EngineSettings(threads=3)


def test_threads_that_suit(store: Store) -> None:
    """0 threads are as many as the probe found best; one where there was none."""
    auto = EngineSettings(threads=0)
    assert admit(store, NAME, auto, MemoryConfig(), ram=ROOMY).settings.threads == 1
    measure(store, NAME, 650, {1: 1.0, 2: 0.5})
    assert admit(store, NAME, auto, MemoryConfig(), ram=ROOMY).settings.threads == 2


def test_no_memory_is_free(store: Store) -> None:
    """It is told what it needs, what is free, and what would fit: first what is here, the largest first."""
    with pytest.raises(DoesNotFit) as refusal:
        admit(store, NAME, ONE, MemoryConfig(), ram=Ram(1_000 * MB, 500 * MB, "/box"))
    text = str(refusal.value)
    assert (
        f"model {NAME} needs 700 MB (says the catalogue) of memory, and 500 MB are free in the control group /box"
        in text
    )
    assert "what would fit: middling (400 MB, installed), moonshine-tiny-en (300 MB, installed), unknown (" in text
    assert text.endswith("free some memory, or choose another model")


def test_nothing_fits(store: Store) -> None:
    """Where nothing would fit, that is said."""
    with pytest.raises(DoesNotFit, match="no model of its languages would fit"):
        admit(store, NAME, ONE, MemoryConfig(), ram=Ram(64 * MB, 1 * MB))


def test_a_budget(store: Store) -> None:
    """`[memory] ram` is for all recognisers together; who comes second has what is left."""
    limits = MemoryConfig(ram=1000)
    admit(store, NAME, ONE, limits, ram=ROOMY)
    admit(store, NAME, ONE, limits, beside=[REAL], ram=ROOMY)
    with pytest.raises(DoesNotFit) as refusal:
        admit(store, NAME, ONE, limits, beside=["middling"], ram=ROOMY)
    assert "[memory] ram = 1000 leaves 600 MB for it beside middling; what would fit: middling (400" in str(
        refusal.value
    )
    assert "raise [memory] ram" in str(refusal.value)
    with pytest.raises(DoesNotFit, match="leaves 0 MB"):
        admit(store, NAME, ONE, MemoryConfig(ram=100), beside=["middling", "no-such-model"], ram=ROOMY)


def test_free_memory_counts_within_a_budget(store: Store) -> None:
    """A budget that is larger than what is free is of no use."""
    with pytest.raises(DoesNotFit, match="500 MB are free"):
        admit(store, NAME, ONE, MemoryConfig(ram=5000), ram=Ram(1_000 * MB, 500 * MB))


def test_what_fits(store: Store) -> None:
    """Models that do the same in one of its languages, here before elsewhere, never the one that does not fit."""
    names = [entry.name for entry, _ in fitting(store.catalogue[NAME], store, 10_000 * MB)]
    assert names == ["middling", REAL, "unknown", "absent"]


def test_what_is_not_admitted(store: Store) -> None:
    """A model that is not here, or is in quarantine, is not admitted however much room there is."""
    with pytest.raises(ModelMissing):
        admit(store, "absent", ONE, MemoryConfig(), ram=ROOMY)
    Quarantine(store.root).put(store.catalogue[NAME], store.path(NAME), "stt-final died with it", "service")
    with pytest.raises(Quarantined, match=f"stt-final died with it; run: sottovoce models probe {NAME}"):
        admit(store, NAME, ONE, MemoryConfig(), ram=ROOMY)


@pytest.fixture
def on_card(store: Store) -> Store:
    """The same, with the model on an engine that can use a graphics card."""
    entry = msgspec.structs.replace(sound(), engine="onnx", constructor="nemo-conformer-tdt", memory=10)
    known = {known.name: known for known in store.catalogue} | {NAME: entry}
    return Store(store.root, Catalogue(known))


def test_a_card_with_room(on_card: Store) -> None:
    """The share of the card that may be taken is passed on to the engine."""
    card = Gpu(0, "card", 8_000 * MB, 6_000 * MB)
    admission = admit(on_card, NAME, ONE, MemoryConfig(vram=2000), ram=ROOMY, cards=[card])
    assert (admission.settings.provider, admission.settings.gpu_memory, admission.notices) == ("auto", 2000, ())
    own = EngineSettings(gpu_memory=500)
    assert admit(on_card, NAME, own, MemoryConfig(vram=2000), ram=ROOMY, cards=[card]).settings.gpu_memory == 500


def test_a_card_without_room(on_card: Store) -> None:
    """The processor takes over, and that is told; who asked for the card is refused before anything is loaded."""
    card = Gpu(0, "card", 8_000 * MB, 20 * MB)
    admission = admit(on_card, NAME, ONE, MemoryConfig(), ram=ROOMY, cards=[card])
    assert admission.settings.provider == "cpu"
    assert (
        "needs more than 44 MB of the graphics card's memory, and 20 MB may be had: it runs on the processor"
        in (admission.notices[0])
    )
    with pytest.raises(DoesNotFit, match=r"raise \[memory\] vram"):
        admit(on_card, NAME, EngineSettings(provider="cuda"), MemoryConfig(), ram=ROOMY, cards=[card])
    with pytest.raises(DoesNotFit, match="and 10 MB may be had"):
        admit(
            on_card, NAME, EngineSettings(provider="cuda"), MemoryConfig(vram=10), ram=ROOMY,
            cards=[Gpu(0, "card", 8_000 * MB, 6_000 * MB)],
        )  # fmt: skip


def test_cards_that_do_not_matter(on_card: Store) -> None:
    """Without a card, with one of which nothing is known, or on the processor, nothing is said of cards."""
    for cards, provider in (((), "cuda"), ((Gpu(0, "card", None, None),), "cuda"), ((Gpu(0, "card", 9, 1),), "cpu")):
        settings = EngineSettings(provider=provider)  # type: ignore[arg-type]
        assert admit(on_card, NAME, settings, MemoryConfig(), ram=ROOMY, cards=cards).settings.provider == provider
