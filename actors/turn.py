"""The turn: whether who paused sounds finished.

A voice that falls has said its sentence, one that is held up has not, whatever the words. `SmartTurn` hears that; here
it is asked without anybody waiting: frames go on being looked at while it works.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from sottovoce.actors.segmenter import Pause
from sottovoce.models import EngineFailed, SmartTurn, Store
from sottovoce.protocol.clocks import SAMPLE_RATE
from sottovoce.protocol.config import VadConfig
from sottovoce.shm import FRAME_SAMPLES

HEARD_S = 8.0
"""Longest audio that counts."""


def turn_model(config: VadConfig) -> str:
    """Return the model's name in the catalogue, "" where none is needed: a fixed silence asks nobody."""
    return config.turn if isinstance(config.endpoint, str) else ""


class TurnJudge:
    """Loads the model of `[vad] turn` and runs it once, so that the first pause does not pay for that.

    Args:
        config: which model; with none, `ask` does nothing.

    Raises:
        ModelMissing, EngineFailed: the model is not in the cache, or cannot be loaded.
    """

    def __init__(self, config: VadConfig) -> None:
        self._model: SmartTurn | None = None
        if name := turn_model(config):
            self._model = SmartTurn(Store().path(name) / "smart-turn-v3.2-cpu.onnx")
            self._model.probability(np.zeros(SAMPLE_RATE, np.float32))
        self._frames: deque[NDArray[np.float32]] = deque(maxlen=round(HEARD_S * SAMPLE_RATE / FRAME_SAMPLES))
        self._end = 0
        self._thread = ThreadPoolExecutor(1, "turn")
        self._asked: tuple[Pause, Future[float]] | None = None

    def hear(self, start: int, samples: NDArray[np.float32]) -> None:
        """Take in a frame.

        Args:
            start: index of its first sample; not the one behind the frame before where something is missing.
            samples: float32, shape (n,), 16 kHz; a copy is kept.
        """
        if self._model is None:
            return
        if start != self._end:
            self._frames.clear()
        self._frames.append(samples.copy())
        self._end = start + len(samples)

    def judge(self, samples: NDArray[np.float32]) -> float | None:
        """Return the probability that the speaker is finished; None where no model is in use.

        Args:
            samples: float32, shape (n,), 16 kHz: from the segment's beginning to now.

        Raises:
            EngineFailed: the model could not be run.
        """
        return None if self._model is None else self._model.probability(samples)

    def ask(self, pause: Pause) -> None:
        """Begin to judge a pause by what was heard, unless the one before is still being judged."""
        if self._model is not None and self._asked is None and self._frames:
            samples = np.concatenate(self._frames)
            samples = samples[max(0, len(samples) - self._end + pause.first) : len(samples) - self._end + pause.end]
            self._asked = pause, self._thread.submit(self._model.probability, samples)

    def answer(self) -> tuple[Pause, float] | None:
        """Return the pause that was asked about and the probability, once, when it is there.

        Raises:
            EngineFailed: the model could not be run; it is not asked again.
        """
        if self._asked is None or not self._asked[1].done():
            return None
        (pause, future), self._asked = self._asked, None
        try:
            return pause, future.result()
        except EngineFailed:
            self._model = None
            raise

    def close(self) -> None:
        """End the thread; an answer that is under way is dropped."""
        self._thread.shutdown(wait=False, cancel_futures=True)
