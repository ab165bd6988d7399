"""Offline models on sherpa-onnx, by the constructor that the catalogue entry names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sottovoce.models.catalogue import Entry
from sottovoce.models.engines.base import SAMPLE_RATE, EngineSettings, Result
from sottovoce.models.engines.offline import Offline
from sottovoce.models.engines.sherpa_call import construct
from sottovoce.models.engines.words import words
from sottovoce.models.exceptions import EngineFailed

_WINDOW = 400  # samples of a window of features: with less there is nothing to run a network on


class SherpaOffline(Offline):
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
        super().__init__(entry, settings, minimum=_WINDOW)
        call = construct(entry, directory, settings, "OfflineRecognizer")
        self._recognizer: Any = call.recognizer
        self._phrases, self._rate = call.phrases, call.sample_rate
        self.providers, self.fallback = call.providers, call.fallback
        self._has_loaded()

    @property
    def _closed(self) -> bool:
        return self._recognizer is None

    def _recognise(self, samples: NDArray[np.float32], audio_s: float) -> Result:
        """Decode; the GIL is free meanwhile."""
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
            language=heard.lang.removeprefix("<|").removesuffix("|>"),
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
