"""The detector on real speech: the same segments wherever one begins."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from sottovoce.actors.audiofile import decode_file
from sottovoce.actors.detector import Detector
from sottovoce.actors.segmenter import Closed
from sottovoce.models import Store
from sottovoce.protocol.config import VadConfig
from sottovoce.shm import FRAME_SAMPLES


@pytest.fixture(scope="module")
def speech() -> NDArray[np.float32]:
    """Ten seconds of real speech in six sentences."""
    store = Store()
    if not (store.installed("beckett") and store.installed("silero-v6")):
        pytest.skip("run: sottovoce models pull silero-v6 beckett")
    return decode_file(store.path("beckett") / "beckett.wav")


def segments(detector: Detector, speech: NDArray[np.float32], position: int, floor: int) -> list[Closed]:
    """Return what is found from `position` on, reading again after a cut as the VAD stage does."""
    detector.restart(position, floor)
    found = []
    while detector.position < len(speech):
        start = detector.position
        actions = detector.push(start, speech[start : start + FRAME_SAMPLES])
        found += [action for action in actions if isinstance(action, Closed)]
    return found + detector.flush()


@pytest.mark.parametrize("loud", [1.0, 0.02])
@pytest.mark.parametrize("max_segment", [24.0, 5.0])
def test_a_restart_finds_the_same_segments(speech: NDArray[np.float32], max_segment: float, loud: float) -> None:
    """Whoever begins where a segment was closed finds all later ones to the sample: keys survive a crash.

    Also where what is heard is so quiet that it is raised.
    """
    speech = speech * np.float32(loud)
    # Without pauses to end them, segments of 5 s are cut for their length.
    detector = Detector(VadConfig(max_segment=max_segment, endpoint=0.5 if max_segment > 5 else 2.0))
    everything = segments(detector, speech, 0, 0)
    assert len(everything) >= 2
    for number, closed in enumerate(everything[:-1]):
        assert segments(detector, speech, closed.position, closed.end) == everything[number + 1 :]


def test_quiet_speech_is_found_as_loud_speech_is(speech: NDArray[np.float32]) -> None:
    """At a peak of 0.01 the gain finds nearly as much as at one of 0.3; without it, clearly less is found."""

    def found(peak: float, gain: float) -> int:
        scaled = speech * np.float32(peak / np.abs(speech).max())
        return sum(segment.end - segment.first for segment in segments(Detector(VadConfig(gain=gain)), scaled, 0, 0))

    loud, raised, plain = found(0.3, 0.0), found(0.01, VadConfig().gain), found(0.01, 0.0)
    assert abs(found(0.3, VadConfig().gain) - loud) < 0.03 * loud
    assert plain < 0.95 * loud
    assert loud - raised < 0.6 * (loud - plain)


def test_a_gap_ends_a_segment(speech: NDArray[np.float32]) -> None:
    """Samples that were never captured end what is open; what follows begins behind them."""
    detector = Detector(VadConfig())
    half = 40 * FRAME_SAMPLES  # in the midst of the first sentence
    actions = []
    for start in range(0, half, FRAME_SAMPLES):
        actions += detector.push(start, speech[start : start + FRAME_SAMPLES])
    resumed = half + 16_000
    after = detector.push(resumed, speech[half : half + FRAME_SAMPLES])
    closed = [action for action in actions + after if isinstance(action, Closed)]
    assert [segment.reason for segment in closed] == ["gap"]
    assert closed[0].end <= half
    assert detector.position == resumed + FRAME_SAMPLES
