"""A process that reads a ring: in order with `read`, or any range of samples with `samples`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from sottovoce.shm import layout, process
from sottovoce.shm.closing import Closing
from sottovoce.shm.exceptions import RingCorrupt, RingGap, RingLapped, RingMissing, RingRange
from sottovoce.shm.frame import Frame, copy_frame
from sottovoce.shm.layout import FRAME_SAMPLES, HEADER_BYTES
from sottovoce.shm.mapping import Mapping, open_existing
from sottovoce.shm.statistics import ReaderStatistics

# A published frame that is still in reach is never being written, so a copy of it can only fail where loads pass
# one another (aarch64), for nanoseconds; what fails this often is damaged.
_ATTEMPTS = 8


class RingReader(Closing):
    """A read-only view of the ring file at `path`. The writer does not know of it; closing it changes nothing.

    Fresh from `attach`, `read` begins with the oldest frame there is. One thread at a time.
    """

    path: Path
    stream: int
    """Identity of the sample clock: CLOCK_REALTIME ns at the creation of the file."""
    slots: int
    """How many frames the ring holds."""

    def __init__(self, mapping: Mapping, slots: int) -> None:
        """Not for general use: call `attach`. The mapping has been validated."""
        self.path = mapping.path
        self.slots = slots
        self.stream = mapping.words[layout.H_STREAM]
        self._mapping = mapping
        self._words = mapping.words
        self._bytes = mapping.bytes
        self._next = 1
        self._wanted = 0  # read() passes over frames that end here or before
        self._expected = 0  # where the next frame begins if nothing is lost
        self._jumped = False
        self._frames = 0
        self._lost_frames = 0
        self._lost_samples = 0
        self._retries = 0
        self._bad = 0
        self.seek(self.tail)

    @classmethod
    def attach(cls, path: Path) -> Self:
        """Map the ring at `path` for reading.

        Raises:
            RingMissing: there is none yet, or it is not finished.
            RingStale: it comes from another boot.
            RingCorrupt: it is something else, or of another version or shape, or truncated.
            ShmInsecure, ShmNotTmpfs: the file or its directory cannot be trusted; see `mapping`.

        """
        try:
            fd = open_existing(path, writable=False)
        except FileNotFoundError as error:
            raise RingMissing(f"{path}: no ring there yet; start the capture, or try again once it runs") from error
        try:
            slots = layout.validate(path, os.pread(fd, HEADER_BYTES, 0), os.fstat(fd).st_size)
        except BaseException:
            os.close(fd)
            raise
        return cls(Mapping(path, fd, writable=False), slots)

    @property
    def generation(self) -> int:
        """How many writers the file has had by now."""
        return int(self._words[layout.H_GENERATION])

    @property
    def head(self) -> int:
        """Index after the last published sample; 0 where there is none."""
        return int(self._words[layout.H_HEAD])

    @property
    def tail(self) -> int:
        """Index of the oldest sample that can still be read. The next frame published may overwrite it."""
        while (oldest := self._oldest()) > 1:
            try:
                frame = self._first_sound(oldest, self._cursor() + 1)
            except RingLapped:
                continue
            return self.head if frame is None else frame.sample_index
        return 0  # nothing has been overwritten: even a gap at the very start is known for one

    @property
    def closed(self) -> bool:
        """Whether the last writer ended in an orderly way, and none has come since."""
        return bool(self._words[layout.H_CLOSED])

    @property
    def writer_pid(self) -> int:
        """Process id of the last writer."""
        return int(self._words[layout.H_PID])

    @property
    def writer_alive(self) -> bool:
        """Whether the process that was the last to open the ring for writing still runs."""
        return process.is_alive(self.writer_pid, self._words[layout.H_START])

    @property
    def heartbeat_ns(self) -> int:
        """CLOCK_MONOTONIC time of the writer's last sign of life."""
        return int(self._words[layout.H_HEARTBEAT])

    @property
    def xruns(self) -> int:
        """Overruns the audio source has reported, over the life of the file."""
        return int(self._words[layout.H_XRUNS])

    def seek(self, sample: int) -> None:
        """Make the next `read` return the frame that holds `sample`, or the first one after it.

        Where it is overwritten, that is the oldest frame there is, and the samples between are counted as lost, in
        as many frames as they must have filled at least. A sample to come is waited for.

        Raises:
            RingRange: `sample` is negative.

        """
        if sample < 0:
            raise RingRange(f"{self.path}: sample {sample} is before the start of the stream; indices start at 0")
        lost = max(0, self.tail - sample)
        self._lost_samples += lost
        self._lost_frames += -(-lost // FRAME_SAMPLES)
        self._wanted = self._expected = sample + lost
        self._jumped = False
        self._next = self._locate(self._wanted)

    def read(self) -> Frame | None:
        """Return the next frame, or None while there is none.

        A reader that was lapped goes on half a ring behind the writer, and counts exactly the frames in between. A
        frame that fails its checks time and again is counted as bad and passed over.

        Raises:
            RingCorrupt: the header has been overwritten, so that this reader no longer knows where it is.

        """
        while True:
            cursor = self._cursor()
            if self._next > cursor:
                if self._next > cursor + 1:
                    raise RingCorrupt(
                        f"{self.path}: its cursor stands at {cursor}, but frame {self._next - 1} has been read; "
                        "attach again"
                    )
                return None
            if self._next < layout.oldest_seq(cursor, self.slots):
                ahead = cursor + 1 - self.slots // 2
                self._lost_frames += ahead - self._next
                self._next = ahead
                self._jumped = True
            try:
                frame = self._get(self._next)
            except RingLapped:
                continue
            except RingCorrupt:
                self._bad += 1
                self._next += 1
                continue
            self._next += 1
            if frame.end <= self._wanted:
                continue
            if self._jumped:
                self._lost_samples += max(0, frame.sample_index - self._expected)
                self._jumped = False
            self._expected = frame.end
            self._frames += 1
            return frame

    def frame(self, sample: int) -> Frame | None:
        """Return the frame that holds `sample`, or the next one after it; None where there is none in reach.

        It leaves the place of `read` alone.
        """
        try:
            return self._first_sound(self._locate(sample), self._cursor() + 1)
        except RingLapped:
            return None

    def samples(self, first: int, end: int, *, fill_gaps: bool = True) -> NDArray[np.float32]:
        """Return a copy of samples `first` <= i < `end`: float32 of shape (end - first,), gaps filled with silence.

        It leaves the place of `read` alone.

        Raises:
            RingRange: the range is negative, reversed, or ends after `head`.
            RingLapped: the writer has overwritten some of it.
            RingGap: some of it was never captured, and `fill_gaps` is False.
            RingCorrupt: some of it fails its checks.

        """
        frames = self._covering(first, end)
        copy = np.zeros(end - first, np.float32)
        at = first
        for frame in frames:
            if frame.sample_index > at and not fill_gaps:
                break
            start, stop = max(first, frame.sample_index), min(end, frame.end)
            if start < stop:  # else the frame only ends the gap that the range ends in
                place = frame.sample_index
                copy[start - first : stop - first] = frame.samples[start - place : stop - place]
            at = frame.end
        if at < end and not fill_gaps:
            gap = self.gaps(at, end)[0]
            raise RingGap(f"{self.path}: samples {gap[0]} to {gap[1]} were never captured", *gap)
        return copy

    def gaps(self, first: int, end: int) -> list[tuple[int, int]]:
        """Return the parts of `first` <= i < `end` that were never captured, in order, as (first, end) pairs.

        Raises what `samples` raises.
        """
        found = []
        at = first
        for frame in self._covering(first, end):
            if frame.sample_index > at:
                found.append((at, min(end, frame.sample_index)))
            at = frame.end
        return found

    def stale(self) -> bool:
        """Whether the path now leads to another file, to none, or to one cut short: close this reader, attach again."""
        return self._mapping.resized() or self._mapping.is_stale()

    def statistics(self) -> ReaderStatistics:
        """Return what `read` and `seek` have counted since `attach`."""
        return ReaderStatistics(
            frames=self._frames,
            lost_frames=self._lost_frames,
            lost_samples=self._lost_samples,
            retries=self._retries,
            bad=self._bad,
        )

    def close(self) -> None:
        """Unmap the ring. May be called again."""
        self._mapping.close()

    def _cursor(self) -> int:
        return int(self._words[layout.H_CURSOR])

    def _oldest(self) -> int:
        return layout.oldest_seq(self._cursor(), self.slots)

    def _get(self, seq: int) -> Frame:
        """Return frame `seq`, which has been published; raise RingLapped or RingCorrupt where it cannot be had."""
        for _ in range(_ATTEMPTS):
            frame = copy_frame(self._bytes, self._words, seq, self.slots)
            if frame is not None:
                return frame
            if seq < self._oldest():
                raise RingLapped(f"{self.path}: frame {seq} has been overwritten; read sooner, or use a longer ring")
            self._retries += 1
        raise RingCorrupt(f"{self.path}: frame {seq} fails its checks; skip it, and report it if it comes again")

    def _first_sound(self, seq: int, end: int) -> Frame | None:
        """Return the first frame from `seq` on, below `end`, that passes its checks."""
        for candidate in range(seq, min(end, seq + self.slots)):  # a cursor that was overwritten may be anything
            try:
                return self._get(candidate)
            except RingCorrupt:
                continue
        return None

    def _locate(self, sample: int) -> int:
        """Return the seq of the first frame in reach that ends after `sample`, or of the next one to come."""
        low, high = self._oldest(), self._cursor() + 1
        while low < high:
            middle = (low + high) // 2
            try:
                frame = self._first_sound(middle, high)
            except RingLapped:
                low = middle + 1
                continue
            if frame is None or frame.end > sample:
                high = middle
            else:
                low = frame.seq + 1
        return low

    def _covering(self, first: int, end: int) -> Iterator[Frame]:
        """Iterate over the frames that hold samples `first` <= i < `end`, and the one after a gap at its end."""
        head = self.head
        if not 0 <= first <= end <= head:
            raise RingRange(f"{self.path}: no samples {first} to {end}; {head} have been published, ask within them")
        return self._walk(first, end) if first < end else iter(())

    def _walk(self, first: int, end: int) -> Iterator[Frame]:
        try:
            if first < self.tail:
                raise RingLapped
            seq = self._locate(first)
            frame = self._first_sound(seq, self._cursor() + 1) or self._get(seq)
            # What lies before this frame is a gap only if the frame before it says so: it may have been damaged, or
            # overwritten since we looked.
            if frame.sample_index > first and frame.seq > 1 and self._get(frame.seq - 1).end > first:
                raise RingLapped
            while True:
                yield frame
                if frame.end >= end:
                    return
                frame = self._get(frame.seq + 1)
        except RingLapped as error:
            raise RingLapped(
                f"{self.path}: samples {first} to {end} are overwritten in part, the oldest left is {self.tail}; "
                "ask sooner, or use a longer ring"
            ) from error
