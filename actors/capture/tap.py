"""The tap: where the blocks of an open stream go, from PortAudio's thread.

It holds the newest ones in memory until it is turned on, then lets them into the ring. Turned off, or closed for good,
it lets nothing more through: a stream that cannot be stopped, since its server hangs, cannot harm what comes after it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from sottovoce.actors.capture.convert import Converter, Pace
from sottovoce.actors.capture.level import Level, LevelMeter
from sottovoce.protocol.clocks import SAMPLE_RATE, now_ns, suspended_ns
from sottovoce.shm import FRAME_SAMPLES, RingWriter

_ASLEEP_NS = 100_000_000  # what the two clocks differ by at most without a suspend is microseconds
_HELD_MORE_S = 2.0  # beyond the pre-roll: from the wish for a recording to the turn of the tap


class Through(msgspec.Struct):
    """What has gone through taps for one recording: carried from a stream that broke off to the next."""

    until_ns: int | None = None
    """CLOCK_BOOTTIME of the end of the last sample in the ring; None where none is to be gone on from."""
    ahead: int = 0
    """Samples that the ring's position is past that already."""
    began_ns: int | None = None
    """CLOCK_BOOTTIME of the first sample let through, by the block of the first second with the least delay."""
    passed: int = 0
    """Samples let through."""
    gaps: int = 0
    lost: int = 0
    """Samples in all gaps."""


class Tap:
    """Takes blocks as PortAudio's callback.

    Args:
        convert: makes them 16 kHz mono.
        pace: tells what overruns have cost.
        preroll_s: how much to hold while it is off.
        wake: called after each block that was let through, in PortAudio's thread.
    """

    def __init__(self, convert: Converter, pace: Pace, *, preroll_s: float, wake: Callable[[], None]) -> None:
        self._convert, self._pace, self._wake = convert, pace, wake
        self._lock = threading.Lock()
        self._held: deque[tuple[NDArray[np.float32], int]] = deque()
        self._held_samples = 0
        self._late: list[tuple[NDArray[np.float32], int]] = []
        """Blocks of which it is not known yet whether they follow the last one."""
        self._limit = int((preroll_s + _HELD_MORE_S) * SAMPLE_RATE)
        self._asleep_ns = suspended_ns()
        self._writer: RingWriter | None = None
        self._through = Through()
        self._first = False
        self._closed = False
        self._meter = LevelMeter()
        self.heard_ns: int | None = None
        """CLOCK_MONOTONIC of the last block; None before the first."""
        self.finished = False
        """PortAudio says that the stream has ended."""

    def __call__(self, indata: NDArray[np.float32], frames: int, _time: Any, status: Any) -> None:
        """Take a block of float32, shape (frames, channels)."""
        now = now_ns()
        samples = self._convert(indata)
        with self._lock:
            if self._closed:
                return
            self.heard_ns = now
            if self._writer is not None and status.input_overflow:
                self._writer.count_xruns(1)
            self._late.append((samples, now))
            lost = self._pace.lost(now, frames, overrun=bool(status.input_overflow))
            if lost is None:
                return
            if (slept := suspended_ns() - self._asleep_ns) > _ASLEEP_NS:
                # What was said before and what is said after are not one sentence: the index jumps over it.
                self._asleep_ns += slept
                lost += slept * SAMPLE_RATE // 10**9
            if lost:
                self._gap(lost)
            for block, heard_ns in self._late:
                self._meter.add(block)
                for start in range(0, len(block), FRAME_SAMPLES):
                    self._take(block[start : start + FRAME_SAMPLES], heard_ns)
            self._late.clear()
            if self._writer is None:
                return  # nobody waits for it: half of what an open microphone in standby costs
        self._wake()

    def finish(self) -> None:
        """Take note that no more blocks come; PortAudio calls it."""
        self.finished = True
        self._wake()

    def _gap(self, lost: int) -> None:
        if self._writer is None:
            self._held.clear()  # a pre-roll is one piece
            self._held_samples = 0
        elif not self._first:
            self._writer.skip(lost)
            self._through.gaps += 1
            self._through.lost += lost

    def _take(self, samples: NDArray[np.float32], heard_ns: int) -> None:
        if self._writer is not None:
            self._let_through(self._writer, samples, heard_ns)
            return
        self._held.append((samples, heard_ns))
        self._held_samples += len(samples)
        while self._held_samples > self._limit:
            self._held_samples -= len(self._held.popleft()[0])

    def _let_through(self, writer: RingWriter, samples: NDArray[np.float32], heard_ns: int) -> None:
        until_ns = heard_ns + self._asleep_ns
        through = self._through
        if self._first:
            self._first = False
            begins_ns = until_ns - len(samples) * 10**9 // SAMPLE_RATE
            if through.until_ns is not None:
                gap = (begins_ns - through.until_ns) * SAMPLE_RATE // 10**9 - through.ahead
                if gap > 0:
                    writer.skip(gap)
                    through.gaps += 1
                    through.lost += gap
        writer.publish(samples, capture_ns=heard_ns)
        through.passed += len(samples)
        if through.passed <= SAMPLE_RATE and not through.gaps:
            began_ns = until_ns - through.passed * 10**9 // SAMPLE_RATE
            through.began_ns = began_ns if through.began_ns is None else min(through.began_ns, began_ns)
        through.until_ns, through.ahead = until_ns, 0

    def turn_on(self, writer: RingWriter, through: Through, *, since_ns: int) -> None:
        """Let through what comes, and before it what was held of what was heard after `since_ns` (CLOCK_MONOTONIC)."""
        with self._lock:
            self._meter.take()
            self._writer, self._through, self._first = writer, through, True
            for samples, heard_ns in self._held:
                if heard_ns > since_ns:
                    self._let_through(writer, samples, heard_ns)
            self._held.clear()
            self._held_samples = 0
        self._wake()

    def turn_off(self) -> None:
        """Let nothing more through; hold it."""
        with self._lock:
            self._writer = None

    def close(self) -> None:
        """Let nothing through any more, nor hold it."""
        with self._lock:
            self._closed = True
            self._writer = None
            self._held.clear()

    def level(self) -> Level | None:
        """Return how loud it was since the last call, or since it was turned on; None where nothing came."""
        with self._lock:
            return self._meter.take()
