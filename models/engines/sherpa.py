"""Offline models on sherpa-onnx, by the constructor that the catalogue entry names."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sottovoce.models.catalogue import Entry
from sottovoce.models.engines.base import SAMPLE_RATE, EngineSettings, Result, mono_16k
from sottovoce.models.engines.sherpa_call import construct
from sottovoce.models.engines.words import words
from sottovoce.models.exceptions import EngineFailed

_WINDOW = 400  # samples of a window of features: with less there is nothing to run a network on


class SherpaOffline:
    """A `sherpa_onnx.OfflineRecognizer`.

    What a decode needs grows with the audio, for Parakeet with its square, and what one decode took is kept for the
    next and never given back: our segmenter ends a segment at 24 s at the latest. Whisper hears 30 s and drops what
    comes after.

    Attributes:
        providers: ONNX Runtime's execution providers that decode, best first.
        fallback: why they are not what the settings ask for; empty if they are.

    Raises:
        EngineFailed: a file is missing, or sherpa-onnx lacks or refuses what the entry asks for.
        LanguageUnknown: the model is to be told a language that it does not know.
    """

    def __init__(self, entry: Entry, directory: Path, settings: EngineSettings) -> None:
        began = time.perf_counter()
        self.name = entry.name
        self._minimum = max(entry.minimum_samples, _WINDOW)
        call = construct(entry, directory, settings, "OfflineRecognizer")
        self._recognizer: Any = call.recognizer
        self._phrases, self._language, self._rate = call.phrases, call.language, call.sample_rate
        self.providers, self.fallback = call.providers, call.fallback
        self._load_s = time.perf_counter() - began

    def warm_up(self) -> None:
        """Decode a second of faint noise (Moonshine answers pure silence without running the network)."""
        self.decode(np.random.default_rng(0).normal(0.0, 1e-3, SAMPLE_RATE).astype(np.float32))

    def decode(self, samples: NDArray[np.float32], *, sample_rate: int = SAMPLE_RATE) -> Result:
        """Recognise one segment; see `OfflineEngine.decode`. The GIL is free meanwhile."""
        if self._recognizer is None:
            raise EngineFailed(f"model {self.name} is closed")
        # Resampled here: sherpa-onnx would do it too, with a note on stderr each time.
        samples = mono_16k(samples, sample_rate)
        audio_s = samples.size / SAMPLE_RATE
        if samples.size < self._minimum:
            return Result("", language=self._language, audio_s=audio_s, load_s=self._load_s)
        began = time.perf_counter()
        try:
            stream = (
                self._recognizer.create_stream(hotwords=self._phrases)
                if self._phrases
                else self._recognizer.create_stream()
            )
            stream.accept_waveform(self._rate, at_rate(samples, self._rate))
            self._recognizer.decode_stream(stream)
            heard = stream.result
            text = heard.text.strip()
        except (RuntimeError, UnicodeDecodeError) as error:
            raise EngineFailed(f"model {self.name}: decoding {audio_s:.2f} s failed: {error}") from error
        tokens = readable_tokens(heard)
        return Result(
            text=text,
            tokens=tokens,
            words=words(tokens, heard.timestamps, audio_s, heard.durations),
            log_prob=sum(heard.ys_log_probs) / len(heard.ys_log_probs) if heard.ys_log_probs else None,
            language=heard.lang.removeprefix("<|").removesuffix("|>") or self._language,
            audio_s=audio_s,
            decode_s=time.perf_counter() - began,
            load_s=self._load_s,
        )

    def close(self) -> None:
        """Free the model."""
        self._recognizer = None


def at_rate(samples: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    """Return samples of 16 kHz at another rate."""
    if rate == SAMPLE_RATE:
        return samples
    import soxr

    return np.ascontiguousarray(soxr.resample(samples, SAMPLE_RATE, rate))


def readable_tokens(heard: Any) -> tuple[str, ...]:
    """Return the tokens; none where one is a part of a character (a "♪" is three), which sherpa-onnx cannot give."""
    try:
        return tuple(heard.tokens)
    except UnicodeDecodeError:
        return ()
