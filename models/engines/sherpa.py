"""Offline models on sherpa-onnx, by the constructor that the catalogue entry names."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sottovoce.models.catalogue import Entry
from sottovoce.models.engines.base import SAMPLE_RATE, EngineSettings, Result, mono_16k
from sottovoce.models.exceptions import EngineFailed


class SherpaOffline:
    """A `sherpa_onnx.OfflineRecognizer`.

    Files are looked for before sherpa-onnx sees their names, because it ends the whole process over some that it
    cannot use, where an exception is wanted.

    Raises:
        EngineFailed: a file is missing, or sherpa-onnx lacks or refuses what the entry asks for.
    """

    def __init__(self, entry: Entry, directory: Path, settings: EngineSettings) -> None:
        self.name = entry.name
        self._entry = entry
        files = {argument: directory / file for argument, file in entry.arguments.items()}
        for argument, path in files.items():
            if not path.is_file():
                raise EngineFailed(
                    f"model {entry.name}: {argument} {path} is not a file; run: sottovoce models pull {entry.name}"
                )
        import sherpa_onnx

        constructor = getattr(sherpa_onnx.OfflineRecognizer, entry.constructor, None)
        if constructor is None:
            raise EngineFailed(
                f"model {entry.name}: sherpa-onnx {sherpa_onnx.__version__} has no constructor {entry.constructor}; "
                "update sherpa-onnx, or correct the catalogue"
            )
        arguments = {argument: str(path) for argument, path in files.items()}
        try:
            self._recognizer: Any = constructor(**arguments, **entry.options, num_threads=settings.threads)
        except (TypeError, ValueError, RuntimeError) as error:
            raise EngineFailed(f"model {entry.name}: {entry.constructor}: {error}") from error

    def warm_up(self) -> None:
        """Decode a second of faint noise (Moonshine answers pure silence without running the network)."""
        self.decode(np.random.default_rng(0).normal(0.0, 1e-3, SAMPLE_RATE).astype(np.float32))

    def decode(self, samples: NDArray[np.float32], *, sample_rate: int = SAMPLE_RATE) -> Result:
        """Recognise one segment; see `OfflineEngine.decode`. The GIL is free meanwhile."""
        if self._recognizer is None:
            raise EngineFailed(f"model {self.name} is closed")
        # Resampled here: sherpa-onnx would do it too, with a note on stderr each time.
        samples = mono_16k(samples, sample_rate)
        language = self._entry.languages[0] if len(self._entry.languages) == 1 else ""
        audio_s = samples.size / SAMPLE_RATE
        if not samples.size or samples.size < self._entry.minimum_samples:
            return Result("", language=language, audio_s=audio_s)
        began = time.perf_counter()
        try:
            stream = self._recognizer.create_stream()
            stream.accept_waveform(SAMPLE_RATE, samples)
            self._recognizer.decode_stream(stream)
            heard = stream.result
            text = heard.text.strip()
        except (RuntimeError, UnicodeDecodeError) as error:
            raise EngineFailed(f"model {self.name}: decoding {audio_s:.2f} s failed: {error}") from error
        return Result(
            text=text,
            tokens=_tokens(heard),
            log_prob=sum(heard.ys_log_probs) / len(heard.ys_log_probs) if heard.ys_log_probs else None,
            language=heard.lang or language,
            audio_s=audio_s,
            decode_s=time.perf_counter() - began,
        )

    def close(self) -> None:
        """Free the model."""
        self._recognizer = None


def _tokens(heard: Any) -> tuple[str, ...]:
    """Return the tokens; none where one is a part of a character (a "♪" is three), which sherpa-onnx cannot give."""
    try:
        return tuple(heard.tokens)
    except UnicodeDecodeError:
        return ()
