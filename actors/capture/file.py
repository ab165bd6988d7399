"""A sound file as a microphone: the same frames at the same pace."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sottovoce.actors.audiofile import AudioFileError, blocks
from sottovoce.actors.capture.feed import FeedEnded
from sottovoce.protocol.clocks import SAMPLE_RATE, now_ns
from sottovoce.shm import FRAME_SAMPLES, RingWriter

_FRAMES_A_PUMP = 64  # 2 s of audio: some 3 ms of publishing between two looks at the rest of the world
_FOLLOW_POLL_MS = 5


class FileFeed:
    """Feeds a file.

    Args:
        writer: the ring.
        path: any file that `actors.audiofile` reads.
        pace: times real time; 0 for as fast as `room` allows.
        offset: samples of it that are in the ring already, after a restart in its midst.
        room: tells how many samples the stages can take now; asked only when `pace` is 0.

    Raises:
        AudioFileError: it cannot be read; one line says why.
    """

    def __init__(self, writer: RingWriter, path: Path, *, pace: float, offset: int, room: Callable[[], int]) -> None:
        self._writer, self._pace, self._room = writer, pace, room
        self._blocks = blocks(path, frames=FRAME_SAMPLES)
        self._next = next(self._blocks, None)
        while self._next is not None and len(self._next) <= offset:
            offset -= len(self._next)
            self._next = next(self._blocks, None)
        if self._next is not None:
            self._next = self._next[offset:]
        self._fed = 0
        self._start_ns = now_ns()

    def _due_ns(self) -> int:
        """When the last sample of the next block would have been spoken."""
        end = self._fed + (0 if self._next is None else len(self._next))
        return self._start_ns + int(end / (SAMPLE_RATE * self._pace) * 1e9)

    def pump(self) -> bool:
        """Publish what is due."""
        room = self._room() if self._pace == 0 else _FRAMES_A_PUMP * FRAME_SAMPLES
        published = 0
        while self._next is not None and published < min(room, _FRAMES_A_PUMP * FRAME_SAMPLES):
            if self._pace and self._due_ns() > now_ns():
                break
            self._writer.publish(self._next, capture_ns=now_ns())
            self._fed += len(self._next)
            published += len(self._next)
            try:
                self._next = next(self._blocks, None)
            except AudioFileError as error:
                raise FeedEnded(str(error)) from error
        if self._next is None and not published:
            raise FeedEnded("eof")
        return published > 0

    def sleep_ms(self) -> int:
        """Return the milliseconds until the next block is due."""
        if self._next is None:
            return 0
        if self._pace == 0:
            return _FOLLOW_POLL_MS
        return max(0, -(-(self._due_ns() - now_ns()) // 1_000_000))

    def close(self) -> None:
        """Close the file."""
        self._blocks.close()
