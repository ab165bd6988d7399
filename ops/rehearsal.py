"""A rehearsal: detector and recogniser on a recording, in the time of its samples, without processes.

It finds what the service finds when every decode takes the same time, so settings can be compared on much speech in
little time, and on a machine that has other work: what is measured is silence that was waited for, not processors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sottovoce.actors.context import ContextDecoder, Decoded
from sottovoce.actors.detector import Detector
from sottovoce.actors.endpoint import ending, unmarked
from sottovoce.actors.guard import refuse
from sottovoce.actors.segmenter import Action, Closed, Pause
from sottovoce.models import OfflineEngine, Store, load_engine
from sottovoce.protocol.clocks import SAMPLE_RATE
from sottovoce.protocol.config import Config
from sottovoce.shm import FRAME_SAMPLES

DECODE_S = 0.15
"""What a decode takes here, if not told otherwise: between what 3 s and 10 s take on one idle core."""


@dataclass(frozen=True, slots=True)
class Said:
    """A segment with its text."""

    first: int
    end: int
    text: str
    at: int
    """The sample that was being captured when the text was there."""


class Rehearsal:
    """Loads the recogniser once, for any number of settings.

    Args:
        config: which model.
        decode_s: seconds that each decode takes.

    Raises:
        ModelMissing: a model is not in the cache; the message says how to pull it.
    """

    def __init__(self, config: Config, *, decode_s: float = DECODE_S) -> None:
        store, final = Store(), config.stt.final
        entry = store.catalogue[final.model]
        self._engine: OfflineEngine = load_engine(entry, store.path(final.model), threads=final.threads)
        self._marks = not entry.guesses_marks
        self._decode = round(decode_s * SAMPLE_RATE)

    def run(self, samples: NDArray[np.float32], config: Config) -> list[Said]:
        """Listen to a recording.

        Args:
            samples: float32, shape (n,), 16 kHz.
            config: how to segment; the recogniser's context.
        """
        detector = Detector(config.vad)
        decoder = ContextDecoder(self._engine, limit_s=config.stt.final.context)
        language = config.transform.language
        found: list[Said] = []
        decoded: dict[tuple[int, int], tuple[Decoded, int]] = {}
        reading: tuple[int, Pause, str] | None = None

        def decode(first: int, end: int) -> tuple[Decoded, int]:
            """Return what is heard, and when: one that was decoded ahead need not be decoded again."""
            if (first, end) not in decoded:
                result = decoder.decode(lambda start, stop: samples[start:stop], first, end)
                decoded[first, end] = result, detector.position + self._decode
            return decoded[first, end]

        def take(actions: list[Action]) -> None:
            nonlocal reading
            for action in actions:
                if isinstance(action, Pause):
                    result, at = decode(action.first, action.end)
                    reading = at, action, result.text
                elif isinstance(action, Closed):
                    result, at = decode(action.first, action.end)
                    text = result.text.strip()
                    if not text or refuse(text, (action.end - action.first) / SAMPLE_RATE) is not None:
                        decoder.forget()
                        continue
                    text = unmarked(text, language)
                    decoder.remember(action.first, action.end, text)
                    found.append(Said(action.first, action.end, text, max(at, action.position)))
                    detector.heard(action.first, result.continues)

        start = 0
        while start < len(samples):
            if reading is not None and detector.position >= reading[0]:
                _, pause, text = reading
                reading = None
                if refuse(text, (pause.end - pause.first) / SAMPLE_RATE) is None:
                    take(detector.read(pause.first, pause.end, ending(text, language, marks=self._marks)))
            take(detector.push(start, samples[start : start + FRAME_SAMPLES]))
            start = detector.position
        take(list(detector.flush()))
        return found
