"""The streaming sherpa engine: chunks are found out, and hotwords, rates and errors are as they should be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
import toys

from sottovoce.models import EngineFailed, EngineSettings, load_streaming
from sottovoce.models.engines.sherpa_online import Resampler, SherpaOnline

Build = Callable[[str], toys.Toy]


def test_the_chunks_are_found_out(toy: Build) -> None:
    """A chunk of 16 frames with 8 of lookahead is found to be one, whatever the first frame needs besides."""
    engine = SherpaOnline(*toy("toy-zipformer"), EngineSettings())
    assert engine.chunk_s == pytest.approx(0.16)
    assert engine.shift == 2_560
    assert 24 * 160 <= engine.window <= 26 * 160 + 400


def test_words_begin_when_they_were_said(toy: Build) -> None:
    """The words' times are those of the audio, to a frame of the model."""
    stream = load_streaming(*toy("toy-zipformer")).stream()
    stream.accept(toys.speech("low middle high"))
    words = stream.finish().words
    assert [word.text for word in words] == ["low", "middle", "high"]
    assert [word.start_s for word in words] == pytest.approx(toys.onsets("low middle high"), abs=0.04)


def test_a_partial_comes_as_soon_as_a_chunk_is_full(toy: Build) -> None:
    """The first word is in the hypothesis before the second one begins, and not before its own chunk is heard."""
    stream = load_streaming(*toy("toy-zipformer")).stream()
    audio, (first, second) = toys.speech("low middle"), toys.onsets("low middle")
    stream.accept(audio[: round(first * 16_000)])
    assert stream.partial().text == ""
    stream.accept(audio[round(first * 16_000) : round(second * 16_000)])
    assert stream.partial().text == "low"


def test_hotwords_change_what_a_beam_search_finds(toy: Build, capfd: pytest.CaptureFixture[str]) -> None:
    """Of two words that sound alike the one that is wanted is heard, in partials too."""
    for hotwords, text in (((), "low high"), (("hie",), "low hie")):
        stream = load_streaming(*toy("toy-zipformer"), EngineSettings(hotwords=hotwords)).stream()
        stream.accept(toys.speech("low high"))
        assert (stream.partial().text, stream.finish().text) == (text, text)
    assert capfd.readouterr() == ("", "")


def test_another_rate_is_made_piece_by_piece() -> None:
    """A model of 8 kHz gets half as many samples, and the same ones however the audio was cut."""
    audio = toys.speech("low middle")
    whole = Resampler(8_000)(audio)
    assert abs(whole.size - audio.size / 2) < 800
    resample = Resampler(8_000)
    pieces = np.concatenate([resample(audio[start : start + 512]) for start in range(0, audio.size, 512)])
    size = min(pieces.size, whole.size)
    assert size > audio.size / 2 - 800
    assert np.allclose(pieces[:size], whole[:size], atol=1e-4)
    assert Resampler(16_000)(audio) is audio


def test_a_missing_file_is_named(toy: Build, tmp_path: Path) -> None:
    """A file that is not there is named with its argument and the command that brings it."""
    entry, _ = toy("toy-zipformer")
    with pytest.raises(EngineFailed, match=r"encoder .*encoder\.onnx is not a file; run: sottovoce models pull"):
        load_streaming(entry, tmp_path)


def test_an_offline_constructor_is_none_of_its_own(toy: Build) -> None:
    """A constructor that only offline models have is named with the version that lacks it."""
    entry, directory = toy("toy-zipformer")
    with pytest.raises(EngineFailed, match="no constructor from_nemo_canary"):
        load_streaming(msgspec.structs.replace(entry, constructor="from_nemo_canary"), directory)
