"""The gain: quiet is raised, loud is left, and nothing is remembered beyond a reset."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from sottovoce.actors.gain import PEAK, RELEASE_S, Gain

FRAME = 512
SECOND = 16_000 // FRAME


def tone(peak: float) -> NDArray[np.float32]:
    """Return a frame."""
    wave = np.sin(2 * np.pi * 500 * np.arange(FRAME) / 16_000)
    return (peak * wave / np.abs(wave).max()).astype(np.float32)


def test_quiet_is_raised_by_the_limit() -> None:
    """What stays below the peak even then is raised by just that much."""
    np.testing.assert_allclose(Gain(20.0).raised(tone(0.005)), tone(0.05), rtol=1e-5)


def test_loud_is_left_as_it_is() -> None:
    """What reaches the peak comes out bit by bit, clipped samples included."""
    for peak in (PEAK, 0.5, 1.0):
        np.testing.assert_array_equal(Gain(24.0).raised(tone(peak)), tone(peak))


def test_a_limit_of_nothing_raises_nothing() -> None:
    """0 dB is off."""
    np.testing.assert_array_equal(Gain(0.0).raised(tone(0.001)), tone(0.001))


def test_silence_stays_silence() -> None:
    """Zeros are not divided by."""
    assert not Gain(24.0).raised(np.zeros(FRAME, np.float32)).any()


@given(st.lists(st.floats(1e-6, 1) | st.just(0.0), min_size=1, max_size=40), st.floats(0, 40))
def test_nothing_is_lowered_or_raised_beyond_the_peak(peaks: list[float], limit: float) -> None:
    """No frame comes out softer than it was, raised beyond the limit, or louder than both itself and the peak."""
    gain = Gain(limit)
    for peak in peaks:
        frame = tone(peak)
        got, was = float(np.abs(gain.raised(frame)).max()), float(np.abs(frame).max())
        assert was <= got <= max(was, PEAK * 1.0001)
        assert got <= was * 10 ** (limit / 20) * 1.0001


def test_it_attacks_at_once_and_lets_go_slowly() -> None:
    """A loud frame is not raised though quiet ones were; quiet after it is raised little by little."""
    gain = Gain(24.0)
    for _ in range(SECOND):
        gain.raised(tone(0.005))
    np.testing.assert_array_equal(gain.raised(tone(0.4)), tone(0.4))
    peaks = [float(gain.raised(tone(0.005)).max()) for _ in range(round(5 * RELEASE_S * SECOND))]
    assert peaks == sorted(peaks)
    assert peaks[0] == pytest.approx(0.005)
    assert peaks[-1] == pytest.approx(0.005 * 10 ** (24 / 20), rel=0.01)


def test_a_reset_forgets() -> None:
    """What was loud before it counts for nothing."""
    gain, fresh = Gain(24.0), Gain(24.0)
    gain.raised(tone(1.0))
    gain.reset()
    np.testing.assert_array_equal(gain.raised(tone(0.01)), fresh.raised(tone(0.01)))
