"""An engine that breaks: what is said meanwhile is decoded by the fallback, which is a real model here."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from msgspec.structs import replace
from numpy.typing import NDArray

from sottovoce.actors import standby as standing
from sottovoce.actors.audiofile import decode_file
from sottovoce.actors.loaded import Loaded
from sottovoce.actors.standby import Standby
from sottovoce.models import DecodeCancelled, EngineFailed, Result, Store
from sottovoce.protocol.config import Config


class Flaky:
    """A model whose server is away as long as somebody says so."""

    model = "flaky"

    def __init__(self) -> None:
        self.away, self.asked = True, 0

    def get(self) -> Flaky:
        """Return what decodes."""
        return self

    def decode(self, samples: NDArray[np.float32]) -> Result:
        """Hear a word, or nothing at all."""
        self.asked += 1
        if self.away:
            raise EngineFailed("model flaky: no answer within 5 s")
        return Result("flaky heard this")


Make = Callable[[str], Standby]


@pytest.fixture
def speech() -> NDArray[np.float32]:
    """Some words, and the models that this takes."""
    store = Store()
    for model in ("moonshine-tiny-en", "beckett"):
        if not store.installed(model):
            pytest.skip(f"run: sottovoce models pull {model}")
    return decode_file(store.path("beckett") / "beckett.wav")


def config(fallback: str = "moonshine-tiny-en") -> Config:
    """Return a configuration with this fallback."""
    plain = Config()
    return replace(plain, stt=replace(plain.stt, final=replace(plain.stt.final, fallback=fallback)))


def test_the_fallback_takes_its_place_and_gives_it_back(
    speech: NDArray[np.float32], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No word is lost; the broken one is left alone for a while, and then asked again; the person is told once."""
    told: list[str] = []
    flaky = Flaky()
    standby = Standby(config(), told.append)
    for _ in range(3):
        result = standby.decode(flaky, speech)  # type: ignore[arg-type]
        assert "fail" in result.text.lower()
        assert standby.model == "moonshine-tiny-en"
    assert flaky.asked == 1
    assert told == ["model flaky: no answer within 5 s; moonshine-tiny-en takes its place for 60 s"]
    flaky.away = False
    monkeypatch.setattr(standing.time, "monotonic", lambda: 1e12)
    assert standby.decode(flaky, speech).text == "flaky heard this"  # type: ignore[arg-type]
    assert standby.model == "flaky"
    standby.close()


def test_the_fallback_leaves_memory(speech: NDArray[np.float32], monkeypatch: pytest.MonkeyPatch) -> None:
    """When it has not been needed for a while, it is unloaded."""
    monkeypatch.setattr(standing, "REST_S", 0.001)
    standby = Standby(config(), lambda _: None)
    standby.decode(Flaky(), speech)  # type: ignore[arg-type]
    spare = standby._spare
    assert isinstance(spare, Loaded)
    while spare.engine is not None:
        standby.rest()
    standby.close()


@pytest.mark.parametrize("fallback", ["", "flaky"])
def test_without_another_model_the_failure_is_told(fallback: str) -> None:
    """Where there is nothing to fall back on, whoever decodes knows."""
    standby = Standby(config(fallback), lambda _: None)
    with pytest.raises(EngineFailed, match="no answer"):
        standby.decode(Flaky(), np.zeros(16_000, np.float32))  # type: ignore[arg-type]
    standby.rest()
    standby.close()


def test_a_cancelled_decode_says_nothing_of_the_engine(speech: NDArray[np.float32]) -> None:
    """Whoever cancelled it wants no text, of the fallback neither; the engine is asked the next time as before."""
    told: list[str] = []

    class Cancelled(Flaky):
        def decode(self, samples: NDArray[np.float32]) -> Result:
            if not self.asked:
                self.asked += 1
                raise DecodeCancelled("model flaky: the decode was cancelled")
            return super().decode(samples)

    flaky, standby = Cancelled(), Standby(config(), told.append)
    flaky.away = False
    with pytest.raises(DecodeCancelled):
        standby.decode(flaky, speech)  # type: ignore[arg-type]
    assert standby.decode(flaky, speech).text == "flaky heard this"  # type: ignore[arg-type]
    assert told == []
    standby.close()
