"""What every offline recogniser does, whatever engine runs it."""

from __future__ import annotations

import contextlib
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import soxr
from numpy.typing import NDArray

from sottovoce.models import EngineFailed, EngineSettings, OfflineEngine, Result

Samples = NDArray[np.float32]
# In conftest.py, from which nothing can be imported.
Subject = Any


def noise(samples: int) -> Samples:
    """Return faint white noise, the same each time."""
    return np.random.default_rng(7).normal(0.0, 1e-2, samples).astype(np.float32)


@pytest.fixture(scope="module")
def heard(engine: OfflineEngine, subject: Subject) -> Result:
    """Return what the engine hears in the subject's speech, the first that it decodes."""
    return engine.decode(subject.audio)


def test_speech_gives_text(heard: Result, subject: Subject) -> None:
    """Some seconds of clear speech come out as its words, with tokens and timings."""
    result = heard
    assert subject.text in result.text.lower()
    assert result.text == result.text.strip()
    assert not result.tokens or "".join(result.tokens).strip() == result.text
    assert result.audio_s == pytest.approx(subject.audio.size / 16_000)
    assert result.decode_s > 0
    assert result.load_s >= 0
    assert result.log_prob is None or result.log_prob <= 0


def test_words_are_in_order_within_the_audio(heard: Result) -> None:
    """Where there are times, the words make the text, none begins before the last one ends, and none ends too late."""
    result = heard
    for word in result.words:
        assert 0 <= word.start_s <= word.end_s <= result.audio_s
    for word, following in pairwise(result.words):
        assert word.end_s <= following.start_s
    if result.words:
        assert " ".join(word.text for word in result.words) == result.text


def test_the_language_is_told(engine: OfflineEngine, subject: Subject, heard: Result) -> None:
    """A model of one language says which, with text and without."""
    assert heard.language == subject.language
    assert engine.decode(np.empty(0, np.float32)).language == subject.language


def test_silence_gives_a_result(engine: OfflineEngine) -> None:
    """Silence is decoded like anything else, not refused."""
    result = engine.decode(np.zeros(32_000, np.float32))
    assert isinstance(result, Result)
    assert result.audio_s == pytest.approx(2.0)


def test_empty_audio_gives_empty_text(engine: OfflineEngine) -> None:
    """No samples, no text, no tokens, no time."""
    result = engine.decode(np.empty(0, np.float32))
    assert (result.text, result.tokens, result.words, result.audio_s) == ("", (), (), 0.0)


@pytest.mark.parametrize("samples", [1, 160, 399, 400, 894, 895, 1_599, 1_600])
def test_the_shortest_audio_is_quiet(engine: OfflineEngine, samples: int, capfd: pytest.CaptureFixture[str]) -> None:
    """Audio too short for the model neither fails nor makes the library print an error."""
    assert engine.decode(noise(samples)).audio_s == pytest.approx(samples / 16_000)
    assert capfd.readouterr() == ("", "")


def test_long_audio_is_decoded(engine: OfflineEngine, subject: Subject) -> None:
    """As long a segment as there is, 24 s, is heard to its end."""
    long = np.zeros(24 * 16_000, np.float32)
    long[-subject.audio.size :] = subject.audio
    result = engine.decode(long)
    assert subject.text in result.text.lower()
    assert result.audio_s == pytest.approx(24.0)


def test_decoding_again_gives_the_same(engine: OfflineEngine, subject: Subject, heard: Result) -> None:
    """The text depends on the samples alone, not on what was decoded before."""
    engine.decode(noise(20_000))
    engine.warm_up()
    again = engine.decode(subject.audio)
    assert (again.text, again.tokens, again.words) == (heard.text, heard.tokens, heard.words)


def test_a_view_of_the_ring_will_do(engine: OfflineEngine, subject: Subject, heard: Result) -> None:
    """Read-only and strided samples give the same text as a plain copy, and stay as they are."""
    strided = np.repeat(subject.audio, 2)[::2]
    strided.flags.writeable = False
    assert engine.decode(strided).text == heard.text
    assert np.array_equal(strided, subject.audio)


def test_another_rate_is_resampled(engine: OfflineEngine, subject: Subject, capfd: pytest.CaptureFixture[str]) -> None:
    """The same speech at 22.05 kHz has the same words and the same length, and nothing is printed about it."""
    result = engine.decode(soxr.resample(subject.audio, 16_000, 22_050), sample_rate=22_050)
    assert subject.text in result.text.lower()
    assert result.audio_s == pytest.approx(subject.audio.size / 16_000, abs=0.001)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("bad", [np.nan, np.inf, 3e38])
def test_a_sample_that_is_no_number_does_no_harm(engine: OfflineEngine, subject: Subject, bad: float) -> None:
    """What a broken device may deliver is decoded or refused, and what comes after it is heard."""
    with contextlib.suppress(EngineFailed):
        assert isinstance(engine.decode(np.full(8_000, bad, np.float32)), Result)
    assert subject.text in engine.decode(subject.audio).text.lower()


@pytest.mark.parametrize(
    ("samples", "rate"),
    [(np.zeros(1600), 16_000), (np.zeros((2, 1600), np.float32), 16_000), (np.zeros(1600, np.float32), 0)],
)
def test_wrong_arrays_are_refused(engine: OfflineEngine, samples: Samples, rate: int) -> None:
    """Another dtype, another shape or no sample rate is the caller's mistake and is called one."""
    with pytest.raises(ValueError, match="must be"):
        engine.decode(samples, sample_rate=rate)


def test_closing_twice_is_fine(engine: OfflineEngine, subject: Subject) -> None:
    """An engine may be closed twice, says so when it is used then, and takes no other down with it."""
    other = subject.make(EngineSettings(threads=2))
    other.warm_up()
    other.close()
    other.close()
    with pytest.raises(EngineFailed, match=f"model {engine.name} is closed"):
        other.decode(noise(16_000))
    assert engine.decode(noise(16_000)).audio_s == pytest.approx(1.0)
