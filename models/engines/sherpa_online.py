"""Streaming models on sherpa-onnx, by the constructor that the catalogue entry names."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sottovoce.models.catalogue import Entry
from sottovoce.models.engines.base import SAMPLE_RATE, EngineSettings, Result, mono_16k
from sottovoce.models.engines.sherpa import readable_tokens
from sottovoce.models.engines.sherpa_call import construct
from sottovoce.models.engines.words import words
from sottovoce.models.exceptions import EngineFailed

_DELAY_S = 0.3
"""A transducer may write a word this much after it was said: so much silence is heard after the last sample."""
_STEP = 160  # samples: one frame of features
_LONGEST_CHUNK_S = 10.0


class SherpaOnline:
    """A `sherpa_onnx.OnlineRecognizer`, its endpoint detection off.

    It decodes chunks of a fixed length, each with a little of what comes after, and says neither how long they are nor
    that the last one is cut short: whatever does not fill a chunk is not decoded at all. So the lengths are found out
    when the model is loaded, by feeding it silence frame by frame, and a stream is finished with just as much silence
    as fills the chunk that holds the last sample, rather than with the most that any model could need: a chunk is
    0.16 s of a small Zipformer and 1.12 s of the largest FastConformer.

    An open utterance keeps its state and its tokens, which grow by some bytes a word; there is no longest utterance.

    Attributes:
        chunk_s: seconds from one chunk's beginning to the next, which is how often a hypothesis can change.
        providers: ONNX Runtime's execution providers that decode, best first.
        fallback: why they are not what the settings ask for; empty if they are.

    Raises:
        EngineFailed: a file is missing, or sherpa-onnx lacks or refuses what the entry asks for.
        LanguageUnknown: the model is to be told a language that it does not know.
    """

    def __init__(self, entry: Entry, directory: Path, settings: EngineSettings) -> None:
        began = time.perf_counter()
        self.name = entry.name
        call = construct(entry, directory, settings, "OnlineRecognizer")
        self.recognizer: Any = call.recognizer
        self.phrases, self.language, self.rate = call.phrases, call.language, call.sample_rate
        self.providers, self.fallback = call.providers, call.fallback
        self.window, self.shift = self._chunks()
        self.chunk_s = self.shift / SAMPLE_RATE
        self.load_s = time.perf_counter() - began

    def warm_up(self) -> None:
        """Do nothing: the two chunks that were decoded at loading have paid for it."""

    def stream(self) -> SherpaStream:
        """Begin an utterance; see `StreamingEngine.stream`."""
        if self.recognizer is None:
            raise EngineFailed(f"model {self.name} is closed")
        return SherpaStream(self)

    def close(self) -> None:
        """Free the model; open streams fail from then on."""
        self.recognizer = None

    def open(self) -> Any:
        """Return a new `sherpa_onnx.OnlineStream`."""
        return self.recognizer.create_stream(hotwords=self.phrases) if self.phrases else self.recognizer.create_stream()

    def _chunks(self) -> tuple[int, int]:
        """Return samples at 16 kHz that a chunk needs, and from one chunk's beginning to the next."""
        stream = self.open()
        resample = Resampler(self.rate)
        silence = np.zeros(_STEP, np.float32)
        ready: list[int] = []
        for step in range(1, int(_LONGEST_CHUNK_S * SAMPLE_RATE) // _STEP):
            stream.accept_waveform(self.rate, resample(silence))
            if self.recognizer.is_ready(stream):
                self.recognizer.decode_stream(stream)
                ready.append(step * _STEP)
                if len(ready) == 2:
                    return ready[0], ready[1] - ready[0]
        raise EngineFailed(
            f"model {self.name}: it decoded nothing in {_LONGEST_CHUNK_S:.0f} s of silence; is it a streaming model?"
        )


class SherpaStream:
    """One utterance; see `Stream`. What fills a chunk is decoded as it comes, so asking for the hypothesis is cheap."""

    def __init__(self, engine: SherpaOnline) -> None:
        self._engine = engine
        self._stream = engine.open()
        self._resample = Resampler(engine.rate)
        self._samples = 0
        self._decode_s = 0.0
        self._finished = False

    def accept(self, samples: NDArray[np.float32]) -> None:
        """Hear more; see `Stream.accept`. The GIL is free while a chunk is decoded."""
        self._check()
        samples = mono_16k(samples, SAMPLE_RATE)
        self._samples += samples.size
        self._feed(samples)

    def partial(self) -> Result:
        """Return the hypothesis so far; see `Stream.partial`."""
        self._check()
        engine = self._engine
        heard = engine.recognizer.get_result_all(self._stream)
        audio_s = self._samples / SAMPLE_RATE
        try:
            text = heard.text.strip()
        except UnicodeDecodeError:  # cut in the middle of a character: the next partial has the whole of it
            text = ""
        tokens = readable_tokens(heard)
        return Result(
            text=text,
            tokens=tokens,
            words=words(tokens, heard.timestamps, audio_s),
            log_prob=sum(heard.ys_probs) / len(heard.ys_probs) if heard.ys_probs else None,
            language=engine.language,
            audio_s=audio_s,
            decode_s=self._decode_s,
            load_s=engine.load_s,
        )

    def finish(self) -> Result:
        """Return the hypothesis of all that was heard; see `Stream.finish`."""
        self._check()
        if self._samples:
            engine = self._engine
            heard = self._samples + int(_DELAY_S * SAMPLE_RATE)
            chunks = -(-heard // engine.shift)
            missing = (chunks - 1) * engine.shift + engine.window - self._samples
            self._feed(np.zeros(max(missing, 0), np.float32))
        result = self.partial()
        self._finished = True
        return result

    def _feed(self, samples: NDArray[np.float32]) -> None:
        recognizer = self._engine.recognizer
        began = time.perf_counter()
        try:
            self._stream.accept_waveform(self._engine.rate, self._resample(samples))
            while recognizer.is_ready(self._stream):
                recognizer.decode_stream(self._stream)
        except RuntimeError as error:
            raise EngineFailed(
                f"model {self._engine.name}: decoding failed {self._samples / SAMPLE_RATE:.2f} s into the utterance: "
                f"{error}"
            ) from error
        self._decode_s += time.perf_counter() - began

    def _check(self) -> None:
        if self._engine.recognizer is None:
            raise EngineFailed(f"model {self._engine.name} is closed")
        if self._finished:
            raise EngineFailed(f"model {self._engine.name}: this utterance is finished; begin another")


class Resampler:
    """Samples of 16 kHz, piece by piece, at the rate a model wants: sherpa-onnx would note it on stderr."""

    def __init__(self, rate: int) -> None:
        self._stream: Any = None
        if rate != SAMPLE_RATE:
            import soxr

            self._stream = soxr.ResampleStream(SAMPLE_RATE, rate, 1, dtype="float32")

    def __call__(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what can be had of the pieces so far; the filter keeps some milliseconds back."""
        return samples if self._stream is None else np.ascontiguousarray(self._stream.resample_chunk(samples))
