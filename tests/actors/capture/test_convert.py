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


class Player:
    """A pace, and what comes to it.

    Args:
        rate: in Hz.
    """

    def __init__(self, rate: int = SAMPLE_RATE) -> None:
        self.pace, self.size = Pace(rate), 512 * rate // SAMPLE_RATE
        self.now = 1_000_000_000
        """When the next block comes, if nothing keeps it."""

    def block(self, *, late_ns: int = 0, each_ns: int = EACH_NS, overrun: bool = False) -> int | None:
        """Have a block come, and the next one be due so long after this one was."""
        told = self.pace.lost(self.now + late_ns, self.size, overrun=overrun)
        self.now += each_ns
        return told

    def speak(self, blocks: int = 100) -> list[int | None]:
        """Have blocks come as they are said."""
        return [self.block() for _ in range(blocks)]


@pytest.mark.parametrize("overrun", [False, True])
def test_what_is_lost(overrun: bool) -> None:
    """Where blocks come later for good, as much is lost, told or not; it is known when that has gone on for 0.25 s."""
    player = Player(48_000)
    assert player.speak() == [0] * 100
    player.now += 250_000_000
    assert player.block(overrun=overrun) is None
    told = player.speak(20)
    assert told[:7] == [None] * 7
    assert told[7] == pytest.approx(0.25 * SAMPLE_RATE, abs=1)
    assert told[8:] == [0] * 12


def test_an_overrun_without_loss() -> None:
    """What the device reports and the clock does not confirm is late for one block."""
    player = Player()
    player.speak()
    assert player.block(overrun=True) is None
    assert player.block() == 0


def test_what_is_only_late() -> None:
    """Blocks that come in a burst after a pause have lost nothing, and neither have those that come unevenly."""
    player = Player(48_000)
    assert [player.block(late_ns=30_000_000 if n % 7 == 3 else 0) for n in range(100)] == [0] * 100
    player.now += 30 * EACH_NS
    told = [player.block(each_ns=300_000) for _ in range(31)]
    assert told[:20] == [None] * 20
    assert told[-1] == 0
    assert set(told) == {None, 0}


@pytest.mark.parametrize("speed", [2.0, 4.0, 100.0])
@pytest.mark.parametrize("stop_ns", [20_000_000, 60_000_000, 900_000_000])
def test_a_burst_with_stops_in_it(speed: float, stop_ns: int) -> None:
    """A server that is itself kept from the processor while it catches up with a stop of 2 s has lost nothing."""
    player = Player()
    player.speak()
    behind_ns, told, n = 2_000_000_000.0, [], 0
    while behind_ns > 0:
        player.now += int(behind_ns) if n == 0 else 0
        step = int(EACH_NS / speed) + (stop_ns if n in {5, 20} else 0)
        told.append(player.block(each_ns=step))
        behind_ns += step - EACH_NS
        n += 1
    assert set(told) <= {None, 0}
    player.now -= int(behind_ns)
    assert set(player.speak()) == {0}


def test_what_is_lost_behind_a_burst() -> None:
    """Of a stop of 1 s, half is delivered late and the other half never: so much is lost."""
    player = Player()
    player.speak()
    player.now += 1_000_000_000
    for _ in range(16):
        player.block(each_ns=300_000)
    (lost,) = {told for told in player.speak(20) if told}
    assert lost == pytest.approx((1.0 - 16 * 0.0317) * SAMPLE_RATE, abs=0.01 * SAMPLE_RATE)


def test_a_burst_of_minutes_is_no_loss() -> None:
    """After a pause that is longer than what can be held back, a sound server that lost nothing catches up with it."""
    player = Player()
    player.speak()
    away = 2000
    player.now += (away - 1) * EACH_NS
    told = [player.block(each_ns=300_000) for n in range(away)]
    assert set(told) == {None, 0}
    player.now += EACH_NS - away * 300_000
    assert set(player.speak()) <= {None, 0}
    player.now += 300_000_000
    (lost,) = {told for told in player.speak(20) if told}
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
