"""Which models are put into quarantine when a stage keeps dying, and which are not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from trials import home, sound

from sottovoce.actors.blame import accuse
from sottovoce.models import Store
from sottovoce.models.exceptions import Quarantined
from sottovoce.models.quarantine import Quarantine
from sottovoce.protocol.config import DraftConfig, FinalConfig, SttConfig

DIED = "died more than 5 times in 30 s"
OTHER = "other"


@pytest.fixture
def other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], bool]:
    """A model `other` beside the real one, in a cache of its own; returns what tells whether it is in quarantine."""
    store = home(tmp_path, monkeypatch, sound(OTHER))

    def quarantined() -> bool:
        return Quarantine(store.root).get(store.catalogue[OTHER], store.path(OTHER)) is not None

    return quarantined


@pytest.mark.parametrize("doing", ["loading", "busy"])
@pytest.mark.parametrize("stage", ["stt-final", "stt-draft"])
def test_a_model_that_a_stage_dies_of(other: Callable[[], bool], stage: str, doing: str) -> None:
    """Who dies while its model is loaded or decodes has its model put away, with what it did."""
    role = {"stt-final": {"final": FinalConfig(model=OTHER)}, "stt-draft": {"draft": DraftConfig(model=OTHER)}}[stage]
    said = accuse(stage, SttConfig(**role), doing, DIED)  # type: ignore[arg-type]
    assert "other is in quarantine; `sottovoce models probe other` tries it" in said
    store = Store()
    with pytest.raises(Quarantined, match=rf"{stage} died more than 5 times in 30 s with it \({doing}\)"):
        Quarantine(store.root).require(store.catalogue[OTHER], store.path(OTHER))


@pytest.mark.parametrize(
    ("stage", "settings", "doing"),
    [
        ("stt-final", SttConfig(final=FinalConfig(model=OTHER)), "ready"),
        ("stt-final", SttConfig(final=FinalConfig(model=OTHER)), ""),
        ("stt-final", SttConfig(final=FinalConfig(model=OTHER, fallback=OTHER)), "loading"),
        ("stt-draft", SttConfig(final=FinalConfig(model=OTHER), draft=DraftConfig(model=OTHER)), "loading"),
        ("stt-draft", SttConfig(final=FinalConfig(fallback=OTHER), draft=DraftConfig(model=OTHER)), "busy"),
        ("vad", SttConfig(final=FinalConfig(model=OTHER)), "loading"),
    ],
    ids=["waiting", "not seen", "nothing else to type with", "the final's own", "the fallback", "another stage"],
)
def test_what_is_not_put_away(other: Callable[[], bool], stage: str, settings: SttConfig, doing: str) -> None:
    """Not for a death while it waited, nor a model without which nothing would be typed."""
    assert accuse(stage, settings, doing, DIED) == ""
    assert not other()


@pytest.mark.usefixtures("other")
def test_a_model_that_is_gone() -> None:
    """A model that nobody knows any more is nothing to put away; the warden goes on."""
    assert accuse("stt-final", SttConfig(final=FinalConfig(model="gone")), "loading", DIED) == ""
