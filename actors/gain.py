"""The gain: speech that is too quiet is raised for the detector.

Silero's model hears less of what is quieter: of clips at a peak of 0.01 it found 82 % of the speech, and the text had a
word error rate of 15.7 %; raised by 12 dB, 90 % and 5.1 %, and clips at a normal level were as good as before. With
24 dB it was 2.5 %, but a babble 20 dB under normal speech came up, too (7.9 % -> 15.7 %), and clean clips had 2.0 %
in the place of 1.4 %. The recogniser hardly cares how loud it is, so it gets what was captured, and nothing that is
raised is ever kept.

What is raised, and by how much, follows from the loudest that was heard lately: never beyond a peak of 0.1. Raised to
0.5, noise behind normal speech came up between the words, and more was misheard under a fan at 10 dB than without a
gain. docs/benchmarks.md, "Noise and level", has the tables.

It attacks at once and lets go slowly, as a limiter does, and forgets all where the model's own state is reset: a gain
that went by minutes of speech would find other segments after a crash than before it, and the journal's keys rest on
their being the same.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from sottovoce.protocol.clocks import SAMPLE_RATE

PEAK: Final = 0.1
"""What is louder than this, of full scale, is left as it is."""
RELEASE_S: Final = 2.0
"""The loudest that was heard counts for a 1/e of itself after this time."""


class Gain:
    """Raises frames that follow each other.

    Args:
        limit_db: by how much at most; 0 raises nothing.
    """

    def __init__(self, limit_db: float) -> None:
        self._limit = 10 ** (limit_db / 20)
        self._loudest = 0.0

    def reset(self) -> None:
        """Forget what was heard: the next frame is the first one."""
        self._loudest = 0.0

    def raised(self, frame: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the next frame, raised if all of late was quiet; never above `PEAK`, and never lowered.

        Args:
            frame: float32, shape (n,), full scale 1.0.
        """
        kept = self._loudest * float(np.exp(-len(frame) / SAMPLE_RATE / RELEASE_S))
        self._loudest = max(float(np.abs(frame).max(initial=0.0)), kept)
        factor = min(self._limit, PEAK / max(self._loudest, 1e-9))
        return frame * np.float32(factor) if factor > 1.0 else frame
