"""What a decoder rambled about is heard again."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from sottovoce.actors.audiofile import decode_file
from sottovoce.actors.guard import rambles, refuse
from sottovoce.actors.rehear import SILENCES_S, rehear
from sottovoce.models import OfflineEngine, Result, Store, load_engine
from sottovoce.protocol.clocks import SAMPLE_RATE


@pytest.fixture(scope="module")
def engine() -> OfflineEngine:
    """The embedded model."""
    store = Store()
    if not store.installed("moonshine-tiny-en"):
        pytest.skip("run: sottovoce models pull moonshine-tiny-en beckett")
    return load_engine(store.catalogue["moonshine-tiny-en"], store.path("moonshine-tiny-en"))


def test_a_word_that_is_cut_costs_no_sentence(engine: OfflineEngine) -> None:
    """Wherever speech is cut off, what was said comes out, and not without end."""
    samples = decode_file(Store().path("beckett") / "beckett.wav")
    heard, rambling = rehear(engine.decode), 0
    for end_ms in range(1800, 2400, 60):
        cut = samples[SAMPLE_RATE // 5 : SAMPLE_RATE * end_ms // 1000]
        seconds = len(cut) / SAMPLE_RATE
        rambling += refuse(engine.decode(cut).text, seconds) is not None
        result = heard(cut)
        assert result.text.lower().startswith("ever tried")
        assert refuse(result.text, seconds) is None
        assert not rambles(result.text, seconds)
        assert result.audio_s == pytest.approx(seconds)
    assert rambling  # what this is about


def test_who_comes_to_an_end_is_heard_once(engine: OfflineEngine) -> None:
    """Nothing is decoded twice where there is nothing to mend; the whole clip comes out as it did."""
    samples = decode_file(Store().path("beckett") / "beckett.wav")
    asked: list[int] = []

    def decode(samples: NDArray[np.float32]) -> Result:
        asked.append(len(samples))
        return engine.decode(samples)

    assert rehear(decode)(samples).text == engine.decode(samples).text
    assert asked == [len(samples)]


def test_where_nothing_helps_the_first_text_stands() -> None:
    """It is for the guard to judge; the time that was spent is told."""
    lengths: list[int] = []

    def decode(samples: NDArray[np.float32]) -> Result:
        lengths.append(len(samples))
        return Result(text=f"no end {len(lengths)} " * 9, language="en", audio_s=len(samples) / SAMPLE_RATE, decode_s=1)

    result = rehear(decode)(np.zeros(SAMPLE_RATE, np.float32))
    assert lengths == [SAMPLE_RATE, *(SAMPLE_RATE + round(silence * SAMPLE_RATE) for silence in SILENCES_S)]
    assert result.text.startswith("no end 1 ")
    assert result.decode_s == 1 + len(SILENCES_S)


@pytest.mark.parametrize(
    ("text", "seconds", "found"),
    [
        ("Ever tried, ever tried, ever tried.", 2, True),
        ("Lee, Lee, Lee, Lee, Lee, Lee, Lee, Lee, Lee, Lee, Lee, Lee, Lee", 5, True),
        ("No, no, no.", 1, False),
        ("Ever tried. Ever failed. No matter.", 3, False),
        ("New York, New York", 2, False),
        ("", 1, False),
        ("He said much more than anybody can say in so short a time.", 1, True),
    ],
)
def test_rambles(text: str, seconds: float, found: bool) -> None:
    """Two words three times in a row do; people say one thrice."""
    assert rambles(text, seconds) is found
