"""One frame of audio, and how to copy one out of a ring that is being written.

The problem: a reader must notice that the writer overwrote a slot under its hands, without a lock, as the writer
must never wait. The answer is a sequence lock (Lameter, "Effective synchronization on Linux/NUMA systems", 2005;
Boehm, "Can seqlocks get along with programming language memory models?", MSPC 2012): the writer zeroes the slot's
seq, writes, and stores the new seq; the reader reads seq, copies, and reads seq again.

Boehm's point is that this needs fences, which Python does not have. On x86-64 stores are seen in the order of the
program, and so are loads, and the interpreter issues each word as one aligned move: `memoryview.cast("Q")` stores and
loads eight bytes at once, where `struct.pack_into` zeroes the word first and so shows readers a seq that was never
stored. On aarch64 order is not promised; there the checksum, which is seeded with the seq, is what makes a torn copy
detectable. A copy that fails is simply taken again.

Refused: a lock (a reader that is stopped would stop the writer), one slot per reader (the writer would have to know
them), a checksum alone (a whole frame of another lap has a good one too; hence the seed).
"""

from __future__ import annotations

from dataclasses import dataclass
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from sottovoce.shm import layout
from sottovoce.shm.layout import CHECKED_OFFSET, FRAME_SAMPLES, HEADER_BYTES, META, SLOT_BYTES

LOW_HALF = 0xFFFF_FFFF
"""Of a u64: what seeds the checksum, and what holds the length; the other half holds how long the machine slept."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A copy of one published frame."""

    seq: int
    """Number of the frame, from 1, without holes over the life of the file."""
    generation: int
    """Which of the file's writers published it."""
    sample_index: int
    """Index of the first sample in the stream."""
    samples: NDArray[np.float32]
    """float32 of shape (n,), 1 <= n <= 512, the caller's own."""
    capture_ns: int
    """CLOCK_MONOTONIC time of the last sample."""
    asleep_ns: int = 0
    """For how long this boot had been suspended by then, to a tenth of a second."""

    @property
    def end(self) -> int:
        """Index after the last sample."""
        return self.sample_index + len(self.samples)


def copy_frame(memory: memoryview, words: memoryview, seq: int, slots: int) -> Frame | None:
    """Return a checked copy of frame `seq`, or None where its slot does not hold it whole.

    `memory` and `words` are the same mapping of a ring of `slots` slots, as bytes and as u64.
    """
    offset = HEADER_BYTES + (seq - 1) % slots * SLOT_BYTES
    word = offset >> 3
    if words[word] != seq:
        return None
    copy = bytearray(memory[offset + CHECKED_OFFSET : offset + SLOT_BYTES])
    checksum = words[word + layout.S_CRC]
    commit = words[word + layout.S_COMMIT]
    if words[word] != seq or commit != seq:
        return None
    generation, length, sample_index, capture_ns = META.unpack_from(copy)
    asleep_ns = (length >> 32) * layout.ASLEEP_UNIT_NS
    length &= LOW_HALF
    if not 1 <= length <= FRAME_SAMPLES:
        return None
    if crc32(memoryview(copy)[: META.size + 4 * length], seq & LOW_HALF) != checksum:
        return None
    samples = np.frombuffer(copy, np.float32, length, META.size)
    return Frame(seq, generation, sample_index, samples, capture_ns, asleep_ns)
