"""What a tap lets into the ring, and what it knows of when that was said."""

from __future__ import annotations

import numpy as np
import pytest

from sottovoce.actors.capture import tap
from sottovoce.actors.capture.convert import Converter, Pace
from sottovoce.protocol.clocks import SAMPLE_RATE
from sottovoce.protocol.paths import Paths
from sottovoce.shm import FRAME_SAMPLES, RingWriter

EACH_NS = FRAME_SAMPLES * 10**9 // SAMPLE_RATE
BEGAN_NS = 5_000_000_000
LATE_NS = (70_000_000, 45_000_000, 20_000_000, 3_000_000, 12_000_000, 3_000_000)
"""How much later than they were said blocks come while a stream begins."""


class Status:
    """PortAudio's flags of a block."""

    input_overflow = False


def test_when_the_first_sample_was_said(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream's first block is late where the machine is busy: of the first second the least delay tells it."""
    now = 0
    monkeypatch.setattr(tap, "now_ns", lambda: now)
    monkeypatch.setattr(tap, "suspended_ns", lambda: 0)
    microphone = tap.Tap(Converter(SAMPLE_RATE, 1), Pace(SAMPLE_RATE), preroll_s=0.3, wake=lambda: None)
    through = tap.Through()
    with RingWriter.open(paths.ring, seconds=10) as writer:
        microphone.turn_on(writer, through, since_ns=0)
        for count in range(1, 63):
            delay = LATE_NS[min(count, len(LATE_NS)) - 1] if count < 40 else 0  # beyond the first second: no more
            now = BEGAN_NS + count * EACH_NS + delay
            microphone(np.ones((FRAME_SAMPLES, 1), np.float32), FRAME_SAMPLES, None, Status())
            if count == 1:
                assert through.began_ns == BEGAN_NS + LATE_NS[0]
        assert writer.position == through.passed == 62 * FRAME_SAMPLES
    assert through.began_ns == BEGAN_NS + min(LATE_NS)
