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
from sottovoce.actors.loaded import Loaded
from sottovoce.actors.segmenter import Action, Closed, Pause
from sottovoce.actors.turn import HEARD_S, TurnJudge, turn_model
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
    refused: str | None = None
    """Why it is not typed, if so."""


class Rehearsal:
    """Loads the recogniser once, for any number of settings.

    Args:
        config: which model.
        decode_s: seconds that each decode takes.

    Raises:
        ModelMissing: a model is not in the cache; the message says how to pull it.
    """

    def __init__(self, config: Config, *, decode_s: float = DECODE_S) -> None:
        self._loaded = Loaded(config.stt.final.model, config, config.stt.final)
        self._judge = TurnJudge(config.vad)
        self._decode = round(decode_s * SAMPLE_RATE)

    def run(self, samples: NDArray[np.float32], config: Config) -> list[Said]:
        """Listen to a recording, and return what would be typed.

        Args:
            samples: float32, shape (n,), 16 kHz.
            config: how to segment; the recogniser's context.
        """
        return [said for said in self.segments(samples, config) if said.refused is None]

    def segments(self, samples: NDArray[np.float32], config: Config) -> list[Said]:
        """Listen as `run` does, and return all segments, with those that are suppressed."""
        detector = Detector(config.vad)
        decoder = ContextDecoder(self._loaded.get().decode, limit_s=config.stt.final.context)
        language = config.transform.language
        found: list[Said] = []
        decoded: dict[tuple[int, int], tuple[Decoded, int]] = {}
        reading: tuple[int, Pause, str, float | None] | None = None

        def decode(first: int, end: int) -> tuple[Decoded, int]:
            """Return what is heard, and when: one that was decoded ahead need not be decoded again."""
            if (first, end) not in decoded:
                result = decoder.decode(lambda start, stop: samples[start:stop], first, end)
                decoded[first, end] = result, detector.position + self._decode
            return decoded[first, end]

        def judge(pause: Pause) -> float | None:
            first = max(pause.first, pause.end - round(HEARD_S * SAMPLE_RATE))
            return self._judge.judge(samples[first : pause.end]) if turn_model(config.vad) else None

        def take(actions: list[Action]) -> None:
            nonlocal reading
            for action in actions:
                if isinstance(action, Pause):
                    result, at = decode(action.first, action.end)
                    reading = at, action, result.text, judge(action)
                elif isinstance(action, Closed):
                    result, at = decode(action.first, action.end)
                    text = result.text.strip()
                    evidence = self._loaded.evidence(
                        result, samples[action.first : action.end], speech_s=action.speech / SAMPLE_RATE,
                        sure=action.sure,
                    )  # fmt: skip
                    seconds = (action.end - action.first) / SAMPLE_RATE
                    reason = refuse(text, seconds, evidence) if text else "no words"
                    if reason is not None:
                        decoder.forget()
                        found.append(Said(action.first, action.end, text, max(at, action.position), reason))
                        continue
                    text = unmarked(text, language)
                    decoder.remember(action.first, action.end, text)
                    found.append(Said(action.first, action.end, text, max(at, action.position)))
                    detector.heard(action.first, result.continues)

        start = 0
        while start < len(samples):
            if reading is not None and detector.position >= reading[0]:
                _, pause, text, turn = reading
                reading = None
                if turn is not None:
                    take(detector.judge(pause.first, pause.end, turn))
                if refuse(text, (pause.end - pause.first) / SAMPLE_RATE) is None:
                    take(detector.read(pause.first, pause.end, ending(text, language, marks=self._loaded.marks)))
            take(detector.push(start, samples[start : start + FRAME_SAMPLES]))
            start = detector.position
        take(list(detector.flush()))
        return found
