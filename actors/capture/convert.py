"""From what a device gives, of any rate and number of channels, to 16 kHz mono."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sottovoce.protocol.clocks import SAMPLE_RATE


class Converter:
    """Turns one stream's blocks into mono at 16 kHz.

    Of two channels the mean is taken: a stereo microphone hears one voice in both. Of more than two the first is: audio
    interfaces have a microphone at one of their sockets and hum at the others, and arrays put the beam they have formed
    first; a mean would add the noise of all to the voice of one.

    Args:
        rate: of the device, in Hz.
        channels: how many the blocks have.
        channel: 0 for the rule above, n for the n-th channel alone.
    """

    def __init__(self, rate: int, channels: int, channel: int = 0) -> None:
        self._mean = channel == 0 and channels == 2
        self._column = max(0, channel - 1)
        self._resampler: Any = None
        if rate != SAMPLE_RATE:
            import soxr

            self._resampler = soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32", quality="HQ")

    def __call__(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return a float32 block of shape (n, channels) as samples of shape (m,), which may be none at first."""
        mono: NDArray[np.float32] = block.mean(axis=1) if self._mean else block[:, self._column].copy()
        if self._resampler is not None:
            mono = self._resampler.resample_chunk(mono)
        return mono


class Pace:
    """Tells from the clock how much of what was said has been lost on the way.

    What has come lags behind the clock by the buffers on the way; the smallest lag seen is theirs. A block that comes
    later than that by 0.1 s, or for which the device reports an overrun, may be late, and then the next ones follow at
    once, or it may have lost what was before it. So it is held back, with those behind it, until they have caught up,
    or have come at the pace of speech for 0.25 s: what they lag behind by then has been lost. A PipeWire that was
    stopped for 0.3 s and 1.0 s had lost 0.17 s and 0.52 s without a word, a PulseAudio nothing; but in the midst of the
    6 s that one delivered at once after a stop, it was itself kept from the processor for longer than a block lasts.

    A sound card's clock may be off by 100 parts in a million, which the smallest lag is allowed to follow.
    """

    _DRIFT = 200e-6
    _LATE_NS = 100_000_000
    _LOST_NS = 64_000_000  # blocks of 32 ms came 30 ms early or late
    _NEARER_NS = 32_000_000  # within `_STEADY_NS`: who delivers faster than 1.13 times the pace of speech catches up
    _STEADY_NS = 250_000_000
    _BEGINNING_NS = 1_000_000_000  # in which buffers fill, so that nothing can be said yet
    _MOST = 128  # blocks held back: a burst of 4 s

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._start_ns = self._last_ns = -1
        self._frames = 0
        self._lag_ns = 0.0
        self._held = 0
        self._since_ns = 0
        """Since when blocks that are held back have come no nearer to the clock than by `_behind_ns`."""
        self._behind_ns = 0

    def lost(self, now_ns: int, frames: int, *, overrun: bool) -> int | None:
        """Take note of a block of `frames` that came at `now_ns`.

        Return how many samples at 16 kHz are lost: before it, or before the first of those that had to be held back.
        None where this one has to be, too.
        """
        spoken_ns = int(frames / self._rate * 1e9)
        if self._start_ns < 0:
            self._start_ns = now_ns - spoken_ns
            self._last_ns = now_ns
        self._frames += frames
        lag_ns = now_ns - self._start_ns - self._frames / self._rate * 1e9
        behind_ns = int(lag_ns - self._lag_ns)
        stopped = now_ns - self._last_ns > spoken_ns + self._LATE_NS
        self._last_ns = now_ns
        if not self._held:
            if now_ns - self._start_ns < self._BEGINNING_NS and behind_ns > self._LATE_NS:
                self._lag_ns = lag_ns
            elif overrun or behind_ns > self._LATE_NS:
                self._held, self._since_ns, self._behind_ns = 1, now_ns, behind_ns
                return None
            else:
                self._lag_ns = min(self._lag_ns + self._DRIFT * spoken_ns, lag_ns)
            return 0
        self._held += 1
        if stopped or behind_ns < self._behind_ns - self._NEARER_NS:
            self._since_ns, self._behind_ns = now_ns, behind_ns
        lost = behind_ns > self._LOST_NS
        if lost and now_ns - self._since_ns < self._STEADY_NS:
            if self._held < self._MOST:
                return None
            lost = False  # a burst that is longer than can be held is told at its end: until then it catches up
        self._held = 0
        if not lost:
            return 0
        self._start_ns += behind_ns
        return behind_ns * SAMPLE_RATE // 10**9
