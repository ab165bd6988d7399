"""The detector: frames of audio in, segments out; model, segmenter and patience as one.

The rule that makes segments reproducible lives here: the model's recurrent state and the gain are reset wherever the
segmenter may be started again (after a segment, at a boundary in silence, behind a gap), so whoever begins at such a
point, the service after a crash or `sottovoce transcribe`, finds what everybody else finds.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sottovoce.actors.endpoint import Patience, profile
from sottovoce.actors.gain import Gain
from sottovoce.actors.segmenter import Action, Boundary, Closed, Pause, Segmenter
from sottovoce.models import SileroVad, Store
from sottovoce.protocol.clocks import SAMPLE_RATE
from sottovoce.protocol.config import VadConfig
from sottovoce.protocol.messages import Ending
from sottovoce.shm import FRAME_SAMPLES


class Detector:
    """Loads the model of `[vad]` and runs it once, so that the first frame does not pay for that.

    Args:
        config: the model, thresholds and durations.

    Raises:
        ModelMissing, EngineFailed: the model is not in the cache, or cannot be loaded.
    """

    def __init__(self, config: VadConfig) -> None:
        self._model = SileroVad(Store().path(config.model) / "silero_vad.onnx")
        self._model.probability(np.zeros(FRAME_SAMPLES, np.float32))
        self._gain = Gain(config.gain)
        self._segmenter = Segmenter(config)
        self._profile = profile(config)
        self._patience = Patience(self._profile.limit)
        self._pause: tuple[int, int] | None = None  # what `_ending` and `_turn` are about
        self._ending: Ending | None = None
        self._turn: float | None = None
        self._spoken_to = 0
        self._silences: deque[tuple[int, int]] = deque(maxlen=16)  # before the last segments, by their first samples
        self.restart(0, 0)

    @property
    def position(self) -> int:
        """The sample after the last one that was looked at."""
        return self._segmenter.position

    def restart(self, position: int, floor: int) -> None:
        """Begin at sample `position`, as if nothing had been heard; no segment may begin before `floor`."""
        self._segmenter.reset(position, floor)
        self._reset()
        self._spoken_to = position

    def push(self, start: int, samples: NDArray[np.float32]) -> list[Action]:
        """Look at a frame, and return what follows, in order; see `Segmenter.push`.

        Args:
            start: index of its first sample; beyond `position` where samples were never captured.
            samples: float32, shape (n,), 1 <= n <= 512; fewer than 512 only at the end of a file.
        """
        actions: list[Action] = []
        if start > self.position:
            actions += self._segmenter.gap(start)
            self._reset()
        raised = self._gain.raised(samples)
        probability = self._model.probability(np.pad(raised, (0, FRAME_SAMPLES - len(samples))))
        level = float(np.sqrt(np.mean(np.square(samples))))
        return actions + self._follow(self._segmenter.push(start, len(samples), probability, level))

    def read(self, first: int, end: int, ending: Ending) -> list[Action]:
        """Take in how the text ends in the pause that was told as `Pause(first, end)`; it may be over with that."""
        if (first, end) != self._pause:
            return []
        self._ending = ending
        return self._wait(first, end)

    def judge(self, first: int, end: int, turn: float) -> list[Action]:
        """Take in the probability that the speaker is finished in that pause; it may be over with that."""
        if (first, end) != self._pause:
            return []
        self._turn = turn
        return self._wait(first, end)

    def heard(self, first: int, continues: bool) -> None:
        """Take in whether the segment that begins at sample `first` went on in the sentence before it."""
        silence = next((silence for at, silence in self._silences if at == first), None)
        if silence is None:
            return
        if continues:
            self._patience.early(silence / SAMPLE_RATE)
        else:
            self._patience.right()
        self._segmenter.expect(self._patience.silence(self._profile.unread))

    def flush(self) -> list[Closed]:
        """End what is open: no more frames will come."""
        return self._segmenter.flush()

    def _wait(self, first: int, end: int) -> list[Action]:
        if self._ending is None:
            return []
        seconds = self._patience.silence(self._profile.silence(self._ending, self._turn))
        return self._follow(self._segmenter.wait(first, end, seconds))

    def _follow(self, found: list[Action]) -> list[Action]:
        for number, action in enumerate(found):
            if isinstance(action, Pause):
                self._pause, self._ending, self._turn = (action.first, action.end), None, None
            elif isinstance(action, Closed):
                self._silences.append((action.first, action.speech_first - self._spoken_to))
                self._spoken_to = action.speech_end
                if (action.first, action.end) == self._pause:
                    found[number] = replace(action, turn=self._turn)
        if any(isinstance(action, Closed | Boundary) for action in found):
            self._reset()
        return found

    def _reset(self) -> None:
        self._model.reset()
        self._gain.reset()
