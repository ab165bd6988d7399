"""A level meter for the terminal: whether the microphone hears, too little or too much."""

from __future__ import annotations

import select
import shutil
import sys
import time
from collections import deque
from collections.abc import Generator
from typing import Literal, TextIO

import msgspec

from sottovoce.actors.capture.device import MicrophoneUnavailable
from sottovoce.actors.capture.level import FLOOR_DBFS, Level
from sottovoce.actors.capture.microphone import Microphone
from sottovoce.protocol.bus import Subscriber
from sottovoce.protocol.config import CaptureConfig
from sottovoce.protocol.messages import AudioLevel
from sottovoce.protocol.paths import Paths

_EVERY_S = 0.1
_SILENT_DBFS = -60.0
"""A room without anybody speaking is louder: -50 to -60 through most microphones; a muted one gives zeros."""
_QUIET_DBFS = -30.0
"""Peak 0.03. Speech at an arm's length from a laptop peaks at -20 to -6."""
_WINDOW_S = 3.0
_LOWEST_DBFS = -60
_ERASE = "\r\x1b[K"

Verdict = Literal["listening", "silent", "quiet", "good", "clipping"]
_SAID: dict[Verdict, str] = {
    "listening": "",
    "silent": "silent: is it muted, or the wrong one? `sottovoce devices`",
    "quiet": "quiet: speak, or raise its level",
    "good": "good",
    "clipping": "clipping: lower its level, or move away",
}


class Reading(msgspec.Struct, frozen=True):
    """One look at the meter."""

    t: float
    """Seconds since the meter began."""
    peak_dbfs: float
    rms_dbfs: float
    clipped: int
    verdict: Verdict


class Judge:
    """Says what the levels of the last three seconds mean."""

    def __init__(self) -> None:
        self._heard: deque[tuple[float, Level]] = deque()

    def __call__(self, t: float, level: Level) -> Reading:
        """Take in the level at `t` seconds."""
        self._heard.append((t, level))
        while self._heard[0][0] < t - _WINDOW_S:
            self._heard.popleft()
        peak = max(level.peak_dbfs for _, level in self._heard)
        verdict: Verdict = "good"
        if any(level.clipped for _, level in self._heard):
            verdict = "clipping"
        elif peak < _QUIET_DBFS and t < _WINDOW_S:
            verdict = "listening"
        elif peak < _SILENT_DBFS:
            verdict = "silent"
        elif peak < _QUIET_DBFS:
            verdict = "quiet"
        return Reading(t, level.peak_dbfs, level.rms_dbfs, level.clipped, verdict)


def levels_of_service(paths: Paths) -> Generator[Level | None, None, None]:
    """Yield the levels of what the service records, for as long as it does; None when there was none for a second."""
    subscriber = Subscriber(paths, ("audio.level",), stages=("capture",))
    try:
        while True:
            subscriber.wait(1.0)
            levels = [event.body for event in subscriber.drain() if isinstance(event.body, AudioLevel)]
            if not levels:
                yield None
            for body in levels:
                yield Level(body.peak_dbfs, body.rms_dbfs, body.clipped)
    finally:
        subscriber.close()


def levels_of_device(config: CaptureConfig) -> Generator[Level | None, None, None]:
    """Open the input that is configured and yield its level ten times a second, None without one; nothing is kept.

    Raises:
        MicrophoneUnavailable: it cannot be opened.
    """
    microphone = Microphone(config, lambda level, _code, text: print(f"{level}: {text}", file=sys.stderr))
    microphone.want(True)
    due, opened = time.monotonic() + _EVERY_S, False
    try:
        while True:
            microphone.turn()
            opened = opened or microphone.state == "open"
            if not opened and microphone.failure is not None:
                raise MicrophoneUnavailable(microphone.failure)
            if opened and time.monotonic() >= due:
                due = time.monotonic() + _EVERY_S
                yield microphone.level()
            select.select([microphone.wake], (), (), min(_EVERY_S, microphone.sleep_ms() / 1000))
    finally:
        microphone.close()


class Meter:
    """Draws readings: a bar that is drawn over again on a terminal, elsewhere a line whenever the verdict changes."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._said: Verdict = "listening"

    def show(self, reading: Reading) -> None:
        """Draw one."""
        if self._stream.isatty():
            width = shutil.get_terminal_size().columns - 1
            line = f"{bar(reading, 30)} {reading.peak_dbfs:6.1f} dBFS  {_SAID[reading.verdict]}"
            self._stream.write(_ERASE + line[:width])
        elif reading.verdict != self._said:
            self._said = reading.verdict
            self._stream.write(f"{reading.peak_dbfs:.1f} dBFS  {_SAID[reading.verdict]}\n")
        self._stream.flush()


def bar(reading: Reading, width: int) -> str:
    """Return a bar from -60 to 0 dBFS: filled to the mean power, a stroke at the peak."""

    def column(dbfs: float) -> int:
        return round(width * min(1.0, max(0.0, (max(FLOOR_DBFS, dbfs) - _LOWEST_DBFS) / -_LOWEST_DBFS)))

    filled, peak = column(reading.rms_dbfs), column(reading.peak_dbfs)
    cells = ["█" if n < filled else "·" for n in range(width)]
    if peak:
        cells[peak - 1] = "┃"
    return "".join(cells)
