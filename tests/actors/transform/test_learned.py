"""Corrections that are learned while the transform runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sottovoce.actors.transform import learned as module
from sottovoce.actors.transform.learned import Learned
from sottovoce.protocol.config import TransformConfig
from sottovoce.protocol.correction import Correction
from sottovoce.protocol.corrections import CorrectionStore

ARCHON = Correction(heard="arkon", write="Archon", match="sound")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return where the corrections are."""
    return tmp_path / "corrections.db"


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Return a function that lets seconds pass on the clock that is looked at."""
    clock = [1000.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])

    def passes(seconds: float) -> None:
        clock[0] += seconds

    return passes


@pytest.fixture
def learned(file: Path, later: Callable[[float], None]) -> Iterator[Learned]:
    """Return what is in force, from a database that is not there yet."""
    opened = Learned(file, TransformConfig())
    yield opened
    assert opened.close() is None


def written(learned: Learned, text: str) -> str:
    """Return what becomes of a text, its uses counted."""
    chunks, fired = learned.corrections.apply(text.split(), mode="dictation")
    learned.used(fired)
    return " ".join(chunks)


def test_what_is_learned_meanwhile_is_taken_up(learned: Learned, file: Path, later: Callable[[float], None]) -> None:
    """Another process learns, changes and removes a correction; each time the next look but half a second knows it."""
    assert learned.look() is None
    assert written(learned, "um, arkon arcon") == "arkon arcon"
    store = CorrectionStore(file)
    store.add(ARCHON)
    assert learned.look() is None
    assert written(learned, "arkon") == "arkon"
    later(0.6)
    assert learned.look() is None
    assert written(learned, "arkon arcon") == "Archon Archon"
    store.enable([1], enabled=False)
    later(0.6)
    assert learned.look() is None
    assert written(learned, "arkon") == "arkon"
    store.close()


def test_uses_are_written_when_they_have_waited(learned: Learned, file: Path, later: Callable[[float], None]) -> None:
    """Nothing is written for 5 s; then all of it at once, and what is left when it is closed."""
    store = CorrectionStore(file)
    store.add(ARCHON)
    learned.look()
    for _ in range(3):
        written(learned, "um arkon")
    later(4.0)
    learned.look()
    assert store.all()[0].uses == 0
    later(2.0)
    learned.look()
    assert store.all()[0].uses == 3
    written(learned, "arcon")
    learned.close()
    assert store.all()[0].uses == 4
    store.close()


def test_a_damaged_database_is_told_and_tried_again(file: Path, later: Callable[[float], None]) -> None:
    """What is wrong is told, in 30 s once, and what was read before stays; one that is whole again is read."""
    CorrectionStore(file).close()
    learned = Learned(file, TransformConfig())
    store = CorrectionStore(file)
    store.add(ARCHON)
    store.close()
    assert learned.look() is None
    file.rename(file.with_name("aside"))
    file.write_text("no database, and so long that it is not taken for an empty one. " * 100)
    later(1.0)
    told = learned.look()
    assert told is not None
    assert str(file) in told
    later(1.0)
    assert learned.look() is None
    assert written(learned, "arkon") == "Archon"
    file.unlink()
    later(31.0)
    assert learned.look() is None
    assert written(learned, "arkon") == "arkon"
    assert learned.close() is None


def test_it_may_be_off(file: Path, later: Callable[[float], None]) -> None:
    """Without corrections no database is made or read; fillers have a setting of their own."""
    learned = Learned(file, TransformConfig(corrections=False))
    assert learned.look() is None
    assert not file.exists()
    assert written(learned, "um arkon") == "arkon"
    assert learned.close() is None
    kept = Learned(file, TransformConfig(corrections=False, fillers=False))
    assert written(kept, "um arkon") == "um arkon"
