"""What every recogniser of the catalogue does, whatever engine runs it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soxr
from numpy.typing import NDArray

from sottovoce.models import Catalogue, EngineFailed, EngineSettings, OfflineEngine, Result, load_engine

Samples = NDArray[np.float32]


def noise(samples: int) -> Samples:
    """Return faint white noise, the same each time."""
    return np.random.default_rng(7).normal(0.0, 1e-2, samples).astype(np.float32)


def test_speech_gives_text(engine: OfflineEngine, speech: Samples) -> None:
    """Five seconds of clear speech come out as its words, with tokens and timings."""
    result = engine.decode(speech)
    assert "ever failed" in result.text.lower()
    assert result.text == result.text.strip()
    assert "".join(result.tokens).strip() == result.text
    assert result.audio_s == pytest.approx(5.0)
    assert result.decode_s > 0
    assert result.log_prob is None or result.log_prob <= 0


def test_silence_gives_a_result(engine: OfflineEngine) -> None:
    """Silence is decoded like anything else, not refused."""
    result = engine.decode(np.zeros(32_000, np.float32))
    assert isinstance(result, Result)
    assert result.audio_s == pytest.approx(2.0)


def test_empty_audio_gives_empty_text(engine: OfflineEngine) -> None:
    """No samples, no text, no tokens, no time."""
    result = engine.decode(np.empty(0, np.float32))
    assert (result.text, result.tokens, result.words, result.audio_s) == ("", (), (), 0.0)


@pytest.mark.parametrize("samples", [1, 400, 894, 895, 1_599, 1_600])
def test_the_shortest_audio_is_quiet(engine: OfflineEngine, samples: int, capfd: pytest.CaptureFixture[str]) -> None:
    """Audio too short for the model neither fails nor makes the library print an error."""
    assert engine.decode(noise(samples)).audio_s == pytest.approx(samples / 16_000)
    assert capfd.readouterr() == ("", "")


def test_decoding_again_gives_the_same(engine: OfflineEngine, speech: Samples) -> None:
    """The text depends on the samples alone, not on what was decoded before."""
    first = engine.decode(speech)
    engine.decode(noise(20_000))
    again = engine.decode(speech)
    assert (again.text, again.tokens) == (first.text, first.tokens)


def test_a_view_of_the_ring_will_do(engine: OfflineEngine, speech: Samples) -> None:
    """Read-only and strided samples give the same text as a plain copy."""
    strided = np.repeat(speech, 2)[::2]
    strided.flags.writeable = False
    assert engine.decode(strided).text == engine.decode(speech).text


def test_another_rate_is_resampled(engine: OfflineEngine, speech: Samples, capfd: pytest.CaptureFixture[str]) -> None:
    """The same speech at 22.05 kHz has the same words and the same length, and nothing is printed about it."""
    result = engine.decode(soxr.resample(speech, 16_000, 22_050), sample_rate=22_050)
    assert "ever failed" in result.text.lower()
    assert result.audio_s == pytest.approx(5.0, abs=0.001)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("samples", "rate"),
    [(np.zeros(1600), 16_000), (np.zeros((2, 1600), np.float32), 16_000), (np.zeros(1600, np.float32), 0)],
)
def test_wrong_arrays_are_refused(engine: OfflineEngine, samples: Samples, rate: int) -> None:
    """Another dtype, another shape or no sample rate is the caller's mistake and is called one."""
    with pytest.raises(ValueError, match="must be"):
        engine.decode(samples, sample_rate=rate)


def test_closing_twice_is_fine(engine: OfflineEngine, real: Callable[[str], Path]) -> None:
    """An engine may be closed twice, says so when it is used then, and takes no other down with it."""
    other = load_engine(Catalogue.load()[engine.name], real(engine.name), EngineSettings(threads=2))
    other.warm_up()
    other.close()
    other.close()
    with pytest.raises(EngineFailed, match=f"model {engine.name} is closed"):
        other.decode(noise(16_000))
    assert engine.decode(noise(16_000)).audio_s == pytest.approx(1.0)
