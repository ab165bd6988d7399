"""The one process that writes a ring."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Self
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from sottovoce.shm import layout, process
from sottovoce.shm.closing import Closing
from sottovoce.shm.exceptions import RingBusy, RingCorrupt, ShmError
from sottovoce.shm.frame import LOW_HALF
from sottovoce.shm.layout import FRAME_SAMPLES, HEADER_BYTES, SLOT_BYTES, SLOT_HEADER_BYTES
from sottovoce.shm.mapping import Mapping, allocate, create, open_existing, try_lock
from sottovoce.shm.statistics import WriterStatistics
from sottovoce.shm.succession import last_frame, lock

_ATTEMPTS = 100  # how often another writer may replace the file under our hands before we believe it is alive


class RingWriter(Closing):
    """The writer of the ring file at `path`; there is one at a time, and it waits for nobody.

    `publish` and `skip` belong to one thread; `beat`, `count_xruns` and `mend` may each be called by another.
    """

    path: Path
    stream: int
    """Identity of the sample clock: CLOCK_REALTIME ns at the creation of the file, so larger in a newer one."""
    generation: int
    """How many writers the file has had, this one included."""
    replaced: str | None
    """Why a file that was at the path was replaced by a new one, or None."""

    def __init__(self, mapping: Mapping, *, seq: int, position: int, replaced: str | None) -> None:
        """Not for general use: call `open`. The mapping is locked and its fixed words are sound."""
        words = mapping.words
        self.path = mapping.path
        self.replaced = replaced
        self.stream = words[layout.H_STREAM]
        self.generation = words[layout.H_GENERATION] + 1
        self._mapping = mapping
        self._words = words
        self._bytes = mapping.bytes
        self._slots: int = words[layout.H_SLOTS]
        self._payload = _payload(mapping, self._slots)
        self._mending = threading.Lock()  # 0.2 us a frame, and held by another thread only while it mends
        self._fixed = {layout.H_MAGIC: layout.MAGIC, **layout.fixed_words(self._slots), layout.H_STREAM: self.stream}
        self._head: int = words[layout.H_HEAD]
        self._skipped_to: int = words[layout.H_SKIPPED_TO]
        self._seq = seq
        self._position = position
        self._frames = 0
        self._samples = 0
        self._skipped = 0
        self._xruns: int = words[layout.H_XRUNS]
        self._closed = False
        self._own = {
            layout.H_CLOSED: 0,
            layout.H_PID: os.getpid(),
            layout.H_START: process.start_time(os.getpid()) or 0,
            layout.H_FIRST_SEQ: seq + 1,
            layout.H_CURSOR: seq,
            layout.H_GENERATION: self.generation,
        }
        for word, value in self._own.items():
            words[word] = value
        self.beat()

    @classmethod
    def open(cls, path: Path, *, seconds: float = 300.0) -> Self:
        """Become the writer of the ring at `path`, of at least `seconds` of audio.

        A sound file of this boot and size is carried on after its last whole frame, under the next generation. Any
        other (stale, corrupt, unfinished, of another size) is replaced by a new one, and `replaced` says why.

        Raises:
            RingBusy: another process is its writer.
            ShmInsecure, ShmNotTmpfs: the file or its directory cannot be trusted; see `mapping`.
            ShmFull: there is no room for it.
            ValueError: `seconds` is not a positive number.

        """
        slots = layout.slots_for(seconds)
        for _ in range(_ATTEMPTS):
            try:
                old = open_existing(path, writable=True)
            except FileNotFoundError:
                try:
                    fd = create(path)
                except FileExistsError:
                    continue
                if lock(path, fd):
                    return cls._initialise(path, fd, slots, None)
                continue
            if lock(path, old):
                return cls._take_over(path, old, slots)
        raise RingBusy(f"{path}: other writers keep replacing it; stop them", 0)

    @classmethod
    def _take_over(cls, path: Path, old: int, slots: int) -> Self:
        """Carry on the file `old`, which is locked, or put a new one in its place."""
        mapping: Mapping | None = None
        try:
            found = layout.validate(path, os.pread(old, HEADER_BYTES, 0), os.fstat(old).st_size)
            if found != slots:
                raise RingCorrupt(f"{path}: it has {found} slots, {slots} are asked for")
            mapping = Mapping(path, old, writable=True)
            seq, position = last_frame(mapping, slots)
            return cls(mapping, seq=seq, position=position, replaced=None)
        except ShmError as error:
            # The old lock is held until the new file has its own, so no third process can slip in between.
            path.unlink(missing_ok=True)
            try:
                fd = create(path)
                if lock(path, fd):
                    return cls._initialise(path, fd, slots, str(error))
            except FileExistsError:
                pass
            finally:
                if mapping is not None:
                    mapping.close()
                else:
                    os.close(old)
            raise RingBusy(f"{path}: another writer is just replacing it; stop one of the two", 0) from error

    @classmethod
    def _initialise(cls, path: Path, fd: int, slots: int, replaced: str | None) -> Self:
        """Make the empty file `fd`, which is locked, a ring; the magic comes last."""
        try:
            allocate(path, fd, layout.file_bytes(slots))
        except BaseException:
            path.unlink()
            os.close(fd)
            raise
        mapping = Mapping(path, fd, writable=True)
        for word, value in layout.fixed_words(slots).items():
            mapping.words[word] = value
        mapping.words[layout.H_STREAM] = time.time_ns()
        writer = cls(mapping, seq=0, position=0, replaced=replaced)
        mapping.words[layout.H_MAGIC] = layout.MAGIC
        return writer

    @property
    def position(self) -> int:
        """Index of the next sample that will be written."""
        return self._position

    def publish(self, samples: NDArray[np.float32], *, capture_ns: int) -> int:
        """Write the next frame and return its seq, the first of a file being 1.

        `samples` is float32 of shape (n,), 1 <= n <= 512; `capture_ns` is the CLOCK_MONOTONIC time of the last one.
        That clock leaves out how long the machine has been suspended, which is noted beside it.

        Raises:
            ValueError: `samples` has another shape or type, or `capture_ns` is negative; nothing was published.

        """
        if samples.ndim != 1 or samples.dtype != np.float32 or not 1 <= (length := samples.size) <= FRAME_SAMPLES:
            raise ValueError(
                f"a frame is float32 of shape (n,) with 1 <= n <= {FRAME_SAMPLES}, not {samples.dtype} of "
                f"shape {samples.shape}; convert and cut it"
            )
        with self._mending:
            return self._publish(samples, length, capture_ns)

    def _publish(self, samples: NDArray[np.float32], length: int, capture_ns: int) -> int:
        seq = self._seq + 1
        slot = self._seq % self._slots
        offset = HEADER_BYTES + slot * SLOT_BYTES
        word = offset >> 3
        words = self._words
        words[word] = 0  # from here on the slot is nobody's
        words[word + layout.S_GENERATION] = self.generation
        words[word + layout.S_LENGTH] = length | _asleep() << 32
        words[word + layout.S_SAMPLE_INDEX] = self._position
        words[word + layout.S_CAPTURE_NS] = capture_ns
        self._payload[slot, :length] = samples
        checked = self._bytes[offset + layout.CHECKED_OFFSET : offset + SLOT_HEADER_BYTES + 4 * length]
        words[word + layout.S_CRC] = crc32(checked, seq & LOW_HALF)
        words[word + layout.S_COMMIT] = seq
        words[word] = seq
        self._seq = seq
        self._position += length
        # The head first: who has read a frame may ask for its samples by their indices.
        words[layout.H_HEAD] = self._head = self._position
        words[layout.H_CURSOR] = seq
        self._frames += 1
        self._samples += length
        return seq

    def skip(self, samples: int) -> None:
        """Leave a gap of `samples` samples, which were never captured: the position jumps, nothing is written.

        Raises:
            ValueError: `samples` is negative.

        """
        if samples < 0:
            raise ValueError(f"a gap of {samples} samples cannot be; sample indices only grow")
        with self._mending:
            self._position += samples
            self._skipped += samples
            self._words[layout.H_SKIPPED_TO] = self._skipped_to = self._position

    def count_xruns(self, n: int) -> None:
        """Add `n` overruns, as the audio source reports them, to the count in the header."""
        self._xruns += n
        self._words[layout.H_XRUNS] = self._xruns

    def beat(self) -> None:
        """Say in the header that the writer is at work, whether or not there is audio."""
        self._words[layout.H_HEARTBEAT] = time.monotonic_ns()

    def mend(self) -> str | None:
        """Put right what somebody else has done to the file since the last call, and return what that was.

        The writer knows what must be in the header, and has all of the file mapped: a header that was overwritten is
        written again, a file that was cut short gets its size back (the frames that were cut off are gone, and their
        checksums say so), and one that was removed is put back as it was. Damaged frames are not looked for; readers
        find them. 5 us where nothing is wrong. Between two calls, touching a file that was cut short ends in SIGBUS;
        then the next writer's `open` finds the file bad and replaces it.

        Raises:
            ShmFull: there is no room to do it.

        """
        with self._mending:
            wrong = []
            if self._mapping.resized():
                wrong.append(f"the file had {self._mapping.memory.size()} bytes instead of {self._mapping.size}")
                self._mapping.restore_size()
            words = self._words
            expected = {
                **self._fixed,
                **self._own,
                layout.H_SKIPPED_TO: self._skipped_to,
                layout.H_HEAD: self._head,
                layout.H_CURSOR: self._seq,
            }
            damaged = [word for word, value in expected.items() if words[word] != value]
            if damaged:
                # The magic last: until it is there, nobody takes the file for a ring.
                for word in (*damaged, layout.H_MAGIC):
                    words[word] = expected[word]
                wrong.append(f"words {sorted(damaged)} of its header were overwritten")
            if self._mapping.is_stale():
                self._put_back()
                wrong.append("the file had been removed or replaced")
        return f"{self.path}: {', '.join(wrong)}" if wrong else None

    def _put_back(self) -> None:
        """Make the file anew with the same content, so that for readers it is the same stream; 20 ms for 19 MiB."""
        draft = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        draft.unlink(missing_ok=True)  # left by a process that died here and had our id
        fd = create(draft)
        try:
            try_lock(fd)
            allocate(self.path, fd, self._mapping.size)
        except BaseException:
            os.close(fd)
            draft.unlink()
            raise
        mapping = Mapping(draft, fd, writable=True)
        mapping.bytes[:] = self._bytes
        draft.replace(self.path)
        mapping.path = self.path
        old, self._mapping = self._mapping, mapping
        self._words, self._bytes, self._payload = mapping.words, mapping.bytes, _payload(mapping, self._slots)
        old.close()

    def statistics(self) -> WriterStatistics:
        """Return counts since `open`, and where the writer stands."""
        return WriterStatistics(
            frames=self._frames,
            samples=self._samples,
            skipped_samples=self._skipped,
            xruns=self._xruns,
            generation=self.generation,
            seq=self._seq,
            position=self._position,
        )

    def close(self, *, unlink: bool = False) -> None:
        """Say in the header that this was an orderly end, and let the file go; remove it too where `unlink` is set.

        Readers that are attached keep what they have mapped. May be called again.
        """
        if self._closed:
            return
        self._closed = True
        if not self._mapping.resized():
            self._words[layout.H_CLOSED] = 1
        if unlink and not self._mapping.is_stale():
            self.path.unlink()
        del self._payload  # a view of the mapping, which cannot be closed under it
        self._mapping.close()


def _asleep() -> int:
    """Return for how long this boot has been suspended, in the unit of a slot's header."""
    return max(0, time.clock_gettime_ns(time.CLOCK_BOOTTIME) - time.monotonic_ns()) // layout.ASLEEP_UNIT_NS


def _payload(mapping: Mapping, slots: int) -> NDArray[np.float32]:
    """Return the samples of all slots, as one array of shape (slots, 512) over the mapping."""
    return np.ndarray(
        (slots, FRAME_SAMPLES),
        np.float32,
        buffer=mapping.memory,
        offset=HEADER_BYTES + SLOT_HEADER_BYTES,
        strides=(SLOT_BYTES, 4),
    )
