"""Transcribing files on the service's own detector and engines, without a service.

What is said is written down as it was said: "period" in a recording of prose is a word, not a command.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sottovoce.actors.audiofile import decode_file
from sottovoce.actors.context import GAP_S, ContextDecoder, unstopped
from sottovoce.actors.detector import Detector
from sottovoce.actors.endpoint import unmarked
from sottovoce.actors.guard import refuse
from sottovoce.actors.loaded import Loaded
from sottovoce.actors.segmenter import Closed
from sottovoce.actors.transform import Context, Transformer
from sottovoce.actors.turn import TurnJudge
from sottovoce.models import check_onnxruntime
from sottovoce.protocol.clocks import SAMPLE_RATE
from sottovoce.protocol.config import Config
from sottovoce.shm import FRAME_SAMPLES


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of speech and its text."""

    start: float
    end: float
    """Seconds from the file's beginning."""
    text: str


@dataclass(frozen=True, slots=True)
class Piece:
    """A segment as the service would type it; sample indices."""

    first: int
    end: int
    text: str
    """With the space in front that parts it from the one before."""
    reason: Literal["silence", "stop", "length", "gap"]
    """Why it ends where it does."""


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was said in a file."""

    file: str
    text: str
    segments: list[Segment]
    model: str
    audio_seconds: float
    processing_seconds: float


class Transcriber:
    """Loads the models once, for any number of files.

    Args:
        config: which models, and how to segment.

    Raises:
        ModelMissing: a model is not in the cache; the message says how to pull it.
        RuntimeConflict: onnxruntime is missing, or there twice.
    """

    def __init__(self, config: Config) -> None:
        check_onnxruntime()
        final = config.stt.final
        self._config = config
        self._transformer = Transformer.load(config.transform.language, commands=False)
        self._detector = Detector(config.vad)
        self._judge = TurnJudge(config.vad)
        self._loaded = Loaded(final.model, config, final)

    def transcribe(self, path: Path) -> Transcript:
        """Return the transcript of a file of any rate and channel count.

        Raises:
            AudioFileError: it cannot be read; one line says why.
        """
        samples = decode_file(path)
        began = time.perf_counter()
        pieces = list(self.pieces(samples))
        return Transcript(
            file=str(path), text="".join(piece.text for piece in pieces),
            segments=[
                Segment(round(piece.first / SAMPLE_RATE, 3), round(piece.end / SAMPLE_RATE, 3), piece.text.strip())
                for piece in pieces
            ],
            model=self._config.stt.final.model, audio_seconds=round(len(samples) / SAMPLE_RATE, 3),
            processing_seconds=round(time.perf_counter() - began, 3),
        )  # fmt: skip

    def pieces(self, samples: NDArray[np.float32]) -> Iterator[Piece]:
        """Yield what is said in samples (float32, shape (n,), 16 kHz), a segment at a time."""

        def read(first: int, end: int) -> NDArray[np.float32]:
            return samples[first:end]

        before = Context()
        decoder = ContextDecoder(self._loaded.get().decode, limit_s=self._config.stt.final.context)
        held: Piece | None = None  # what follows may tell that its full stop was none
        for closed in self._segments(samples):
            decoded = decoder.decode(read, closed.first, closed.end)
            text = decoded.text.strip()
            evidence = self._loaded.evidence(
                decoded, read(closed.first, closed.end), speech_s=closed.speech / SAMPLE_RATE, sure=closed.sure
            )
            if not text or refuse(text, (closed.end - closed.first) / SAMPLE_RATE, evidence) is not None:
                decoder.forget()
            else:
                cut = closed.reason == "length"
                if cut:
                    beyond = min(len(samples), closed.first + round(self._config.vad.max_segment * SAMPLE_RATE))
                    text = decoder.ahead(read, closed.first, closed.end, beyond, text)
                whole = unmarked(text, self._config.transform.language)
                last = len(samples) - closed.end < GAP_S * SAMPLE_RATE
                text = whole if last else unstopped(whole, self._config.transform.language)
                turn = None if cut else self._judge.judge(read(closed.first, closed.end))
                decoder.remember(closed.first, closed.end, text, cut=cut, withheld=text != whole, turn=turn)
                mended = None if held is None or decoded.mend is None else before.mended(decoded.mend)
                if held is not None:
                    yield held if mended is None else replace(held, text=held.text[:-1] + mended.mark)
                written, before = self._transformer.apply(text, mended or before)
                held = Piece(closed.first, closed.end, written, closed.reason)
        if held is not None:
            yield held

    def _segments(self, samples: NDArray[np.float32]) -> Iterator[Closed]:
        """The segments that the service would find in these samples."""
        self._detector.restart(0, 0)
        start = 0
        while start < len(samples):
            actions = self._detector.push(start, samples[start : start + FRAME_SAMPLES])
            yield from (action for action in actions if isinstance(action, Closed))
            start = self._detector.position  # which is behind this frame, or before it where a segment was cut
        yield from self._detector.flush()
