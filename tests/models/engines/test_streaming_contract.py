"""What every streaming recogniser does, whatever engine runs it."""

from __future__ import annotations

import contextlib
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sottovoce.models import EngineFailed, EngineSettings, Result, Stream, StreamingEngine

Samples = NDArray[np.float32]
# In conftest.py, from which nothing can be imported.
Subject = Any


def pieces(samples: Samples, size: int) -> list[Samples]:
    """Cut samples into pieces of a size; the last may be shorter."""
    return [samples[start : start + size] for start in range(0, samples.size, size)]


def hear(stream: Stream, samples: Samples, size: int = 512) -> Result:
    """Feed frames of 32 ms, as the ring has them, and finish."""
    for piece in pieces(samples, size):
        stream.accept(piece)
    return stream.finish()


def test_speech_gives_text(streaming: StreamingEngine, streaming_subject: Subject) -> None:
    """What was heard in small pieces comes out as its words, with tokens and timings."""
    result = hear(streaming.stream(), streaming_subject.audio)
    assert result.text.lower() == streaming_subject.text
    assert not result.tokens or "".join(result.tokens).strip() == result.text
    assert result.audio_s == pytest.approx(streaming_subject.audio.size / 16_000)
    assert result.decode_s > 0
    assert result.load_s >= 0
    assert result.log_prob is None or result.log_prob <= 0


def test_the_last_word_needs_no_silence_behind_it(streaming: StreamingEngine, streaming_subject: Subject) -> None:
    """Audio that ends with the last word, within a chunk, is heard to its end all the same."""
    spoken = np.flatnonzero(streaming_subject.audio)[-1] + 1
    for more in (0, 100, 1_000, 2_000):
        result = hear(streaming.stream(), streaming_subject.audio[: spoken + more])
        assert result.text.lower() == streaming_subject.text


def test_partials_grow(streaming: StreamingEngine, streaming_subject: Subject) -> None:
    """A hypothesis may be asked for at any time, begins empty, tells of a word before the end, and loses none."""
    stream = streaming.stream()
    assert stream.partial().text == ""
    texts = []
    for piece in pieces(streaming_subject.audio, 1_600):
        stream.accept(piece)
        partial = stream.partial()
        texts.append(partial.text)
        assert partial.text == stream.partial().text  # asking changes nothing
    assert all(later.startswith(text) for text, later in pairwise(texts))
    assert "" != texts[len(texts) // 2] != texts[-1]
    assert stream.finish().text.startswith(texts[-1])


@pytest.mark.parametrize("size", [7, 160, 1_601, 1_000_000])
def test_the_size_of_pieces_does_not_matter(streaming: StreamingEngine, streaming_subject: Subject, size: int) -> None:
    """The text is the same however the audio is cut."""
    assert hear(streaming.stream(), streaming_subject.audio, size).text.lower() == streaming_subject.text


def test_words_are_in_order_within_the_audio(streaming: StreamingEngine, streaming_subject: Subject) -> None:
    """Where there are times, the words make the text, none begins before the last one ends, and none ends too late."""
    stream = streaming.stream()
    for piece in pieces(streaming_subject.audio, 1_600):
        stream.accept(piece)
        result = stream.partial()
        for word in result.words:
            assert 0 <= word.start_s <= word.end_s <= result.audio_s
        for word, following in pairwise(result.words):
            assert word.end_s <= following.start_s
        assert not result.words or " ".join(word.text for word in result.words) == result.text


def test_two_utterances_do_not_mix(streaming: StreamingEngine, streaming_subject: Subject) -> None:
    """Of two that are open at once, each hears its own, as if it were alone."""
    one, other = streaming.stream(), streaming.stream()
    backwards = streaming_subject.audio[::-1].copy()
    for piece, mirrored in zip(pieces(streaming_subject.audio, 800), pieces(backwards, 800), strict=True):
        one.accept(piece)
        other.accept(mirrored)
    alone = hear(streaming.stream(), backwards)
    assert one.finish().text.lower() == streaming_subject.text
    assert other.finish().text == alone.text != streaming_subject.text


def test_hearing_again_gives_the_same(streaming: StreamingEngine, streaming_subject: Subject) -> None:
    """The text depends on the samples alone, not on the utterances before."""
    first = hear(streaming.stream(), streaming_subject.audio)
    streaming.stream().accept(streaming_subject.audio[:20_000])  # given up in the middle
    streaming.warm_up()
    again = hear(streaming.stream(), streaming_subject.audio)
    assert (again.text, again.tokens, again.words) == (first.text, first.tokens, first.words)


def test_finishing_after_nothing_is_fine(streaming: StreamingEngine, capfd: pytest.CaptureFixture[str]) -> None:
    """An utterance of no samples, or of one, has no text, and nothing is printed about it."""
    result = streaming.stream().finish()
    assert (result.text, result.tokens, result.words, result.audio_s) == ("", (), (), 0.0)
    stream = streaming.stream()
    stream.accept(np.empty(0, np.float32))
    stream.accept(np.zeros(1, np.float32))
    assert stream.finish().audio_s == pytest.approx(1 / 16_000)
    assert capfd.readouterr() == ("", "")


def test_silence_gives_a_result(streaming: StreamingEngine) -> None:
    """Silence is heard like anything else."""
    assert hear(streaming.stream(), np.zeros(32_000, np.float32)).audio_s == pytest.approx(2.0)


def test_long_audio_is_heard(streaming: StreamingEngine, streaming_subject: Subject) -> None:
    """What is said at the end of half a minute is heard."""
    long = np.zeros(30 * 16_000, np.float32)
    long[-streaming_subject.audio.size :] = streaming_subject.audio
    assert hear(streaming.stream(), long, 4_800).text.lower() == streaming_subject.text


def test_a_view_of_the_ring_will_do(streaming: StreamingEngine, streaming_subject: Subject) -> None:
    """Read-only and strided samples are heard as a plain copy is, and one buffer may be written over each time."""
    strided = np.repeat(streaming_subject.audio, 2)[::2]
    strided.flags.writeable = False
    assert hear(streaming.stream(), strided).text.lower() == streaming_subject.text
    stream, buffer = streaming.stream(), np.empty(512, np.float32)
    whole = streaming_subject.audio[: streaming_subject.audio.size // 512 * 512]
    for piece in pieces(whole, 512):
        buffer[:] = piece
        stream.accept(buffer)
    assert stream.finish().text.lower() == streaming_subject.text


@pytest.mark.parametrize("bad", [np.nan, np.inf, 3e38])
def test_a_sample_that_is_no_number_does_no_harm(
    streaming: StreamingEngine, streaming_subject: Subject, bad: float
) -> None:
    """What a broken device may deliver is heard as something or refused, and the next utterance is heard."""
    with contextlib.suppress(EngineFailed):
        assert isinstance(hear(streaming.stream(), np.full(8_000, bad, np.float32)), Result)
    assert hear(streaming.stream(), streaming_subject.audio).text.lower() == streaming_subject.text


@pytest.mark.parametrize("samples", [np.zeros(1600), np.zeros((2, 1600), np.float32), np.zeros(1600, np.int16)])
def test_wrong_arrays_are_refused(streaming: StreamingEngine, streaming_subject: Subject, samples: Any) -> None:
    """Another dtype or another shape is the caller's mistake and is called one; the utterance goes on."""
    stream = streaming.stream()
    with pytest.raises(ValueError, match="must be"):
        stream.accept(samples)
    assert hear(stream, streaming_subject.audio).text.lower() == streaming_subject.text


def test_a_finished_utterance_is_over(streaming: StreamingEngine) -> None:
    """Nothing may be asked of an utterance that was finished."""
    stream = streaming.stream()
    stream.finish()
    for ask in (lambda: stream.accept(np.zeros(160, np.float32)), stream.partial, stream.finish):
        with pytest.raises(EngineFailed, match=f"model {streaming.name}.* is finished"):
            ask()


def test_closing_twice_is_fine(streaming: StreamingEngine, streaming_subject: Subject) -> None:
    """An engine may be closed twice; then it and its open utterances say so, and no other engine suffers."""
    other = streaming_subject.make(EngineSettings(threads=2))
    stream = other.stream()
    stream.accept(np.zeros(160, np.float32))
    other.close()
    other.close()
    for ask in (lambda: stream.accept(np.zeros(160, np.float32)), stream.partial, stream.finish, other.stream):
        with pytest.raises(EngineFailed, match=f"model {streaming.name} is closed"):
            ask()
    assert hear(streaming.stream(), streaming_subject.audio).text.lower() == streaming_subject.text
