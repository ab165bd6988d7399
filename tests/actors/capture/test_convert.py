from __future__ import annotations

import numpy as np
import pytest

from sottovoce.actors.capture.convert import Converter, Pace
from sottovoce.actors.capture.level import FLOOR_DBFS, LevelMeter
from sottovoce.protocol.clocks import SAMPLE_RATE

EACH_NS = 32_000_000


def block(*channels: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Return ten frames in which each channel has one value."""
    return np.tile(np.array(channels, np.float32), (10, 1))


@pytest.mark.parametrize(
    ("channels", "channel", "heard"),
    [
        ((0.3,), 0, 0.3),
        ((0.2, 0.4), 0, 0.3),
        ((0.2, 0.4), 2, 0.4),
        ((0.2, 0.4, 0.6), 0, 0.2),
        ((0.2, 0.4, 0.6), 3, 0.6),
    ],
)
def test_channels(channels: tuple[float, ...], channel: int, heard: float) -> None:
    """Of two channels the mean is heard, of more the first, and the one that is asked for before all."""
    mono = Converter(SAMPLE_RATE, len(channels), channel)(block(*channels))
    assert mono.shape == (10,)
    assert mono.dtype == np.float32
    assert mono == pytest.approx(heard)


def test_a_block_is_not_kept() -> None:
    """PortAudio writes its next block where this one was: what is returned is a copy."""
    given = block(0.5)
    mono = Converter(SAMPLE_RATE, 1)(given)
    given[:] = 0
    assert mono == pytest.approx(0.5)


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000, 96_000])
def test_rates(rate: int) -> None:
    """A tone of any rate comes out at 16 kHz with its pitch, its loudness and its length."""
    convert = Converter(rate, 2)
    t = np.arange(2 * rate) / rate
    tone = np.stack([np.sin(2 * np.pi * 1000 * t)] * 2, axis=1).astype(np.float32) / 2
    size = 512 * rate // SAMPLE_RATE
    heard = np.concatenate([convert(tone[start : start + size]) for start in range(0, len(tone), size)])
    assert 2 * SAMPLE_RATE - 0.1 * SAMPLE_RATE < len(heard) <= 2 * SAMPLE_RATE
    middle = heard[SAMPLE_RATE // 2 : SAMPLE_RATE * 3 // 2]
    assert np.argmax(np.abs(np.fft.rfft(middle))) == 1000
    assert np.abs(middle).max() == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("overrun", [False, True])
def test_what_is_lost(overrun: bool) -> None:
    """Where blocks come later for good, as much is lost, told or not; it is known one block later."""
    pace, now = Pace(48_000), 1_000_000_000
    for _ in range(100):
        assert pace.lost(now, 1536, overrun=False) == 0
        now += EACH_NS
    now += 250_000_000
    assert pace.lost(now, 1536, overrun=overrun) is None
    lost = pace.lost(now + EACH_NS, 1536, overrun=False)
    assert lost == pytest.approx(0.25 * SAMPLE_RATE, abs=1)
    assert pace.lost(now + 2 * EACH_NS, 1536, overrun=False) == 0


def test_what_is_only_late() -> None:
    """Blocks that come in a burst after a pause have lost nothing, and neither have those that come unevenly."""
    pace, now = Pace(48_000), 1_000_000_000
    for n in range(100):
        assert pace.lost(now + n * EACH_NS + (30_000_000 if n % 7 == 3 else 0), 1536, overrun=False) == 0
    now += 130 * EACH_NS
    told = [pace.lost(now + n * 300_000, 1536, overrun=False) for n in range(31)]
    assert told == [None] * 31
    assert pace.lost(now + EACH_NS, 1536, overrun=False) == 0


def test_a_burst_of_minutes_is_no_loss() -> None:
    """After a pause that is longer than what can be held back, a sound server that lost nothing catches up with it."""
    pace, now = Pace(16_000), 1_000_000_000
    for n in range(100):
        assert pace.lost(now + n * EACH_NS, 512, overrun=False) == 0
    now += 99 * EACH_NS
    away = 2000
    told = [pace.lost(now + away * EACH_NS + n * 300_000, 512, overrun=False) for n in range(away)]
    assert set(told) == {None, 0}
    now += away * EACH_NS
    assert {pace.lost(now + n * EACH_NS, 512, overrun=False) for n in range(1, 100)} <= {None, 0}
    assert pace.lost(now + 100 * EACH_NS + 300_000_000, 512, overrun=False) is None
    lost = pace.lost(now + 101 * EACH_NS + 300_000_000, 512, overrun=False)
    assert lost == pytest.approx(0.3 * SAMPLE_RATE, abs=600)


def test_a_slow_sound_card_loses_nothing() -> None:
    """A card whose clock is off by 100 in a million is an hour later no overrun's worth behind."""
    pace, now = Pace(16_000), 1_000_000_000
    for _ in range(60 * 60 * 31):
        now += 32_003_200
        assert pace.lost(now, 512, overrun=False) == 0
    assert pace.lost(now + 32_003_200, 512, overrun=True) is None
    assert pace.lost(now + 64_006_400, 512, overrun=False) == 0


def test_level() -> None:
    """Peak and mean power are in dBFS, samples at full scale are counted, and each look begins anew."""
    meter = LevelMeter()
    assert meter.take() is None
    meter.add(np.zeros(512, np.float32))
    level = meter.take()
    assert level is not None
    assert (level.peak_dbfs, level.rms_dbfs, level.clipped) == (FLOOR_DBFS, FLOOR_DBFS, 0)
    meter.add(np.full(256, 0.1, np.float32))
    meter.add(np.array([1.0, -1.0] * 128, np.float32))
    level = meter.take()
    assert level is not None
    assert (level.peak_dbfs, level.clipped) == (0.0, 256)
    assert level.rms_dbfs == pytest.approx(-3.0, abs=0.1)
    assert meter.take() is None
