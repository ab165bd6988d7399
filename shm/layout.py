"""Where everything lies in a ring file: the one table that writer and reader share.

A file is a header page and then `slots` slots. All words are u64 in the byte order of the machine (little endian on
every machine this runs on), 8-byte aligned. What changes with every frame has a cache line of its own, apart from
what never changes and from what changes once per writer.
"""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import Final

from sottovoce.shm import process
from sottovoce.shm.exceptions import RingCorrupt, RingMissing, RingStale

SAMPLE_RATE: Final = 16_000
"""Samples a second, mono float32: what every recogniser in the catalogue takes."""
FRAME_SAMPLES: Final = 512
"""Samples a slot can hold, 32 ms: the window of the Silero voice activity detector."""

HEADER_BYTES: Final = 4096
SLOT_HEADER_BYTES: Final = 64
SLOT_BYTES: Final = SLOT_HEADER_BYTES + 4 * FRAME_SAMPLES
MINIMUM_SLOTS: Final = 8

VERSION: Final = 1
MAGIC: Final = int.from_bytes(b"SVRING" + VERSION.to_bytes(2, "little"), "little")
MONO_FLOAT32: Final = 0x0001_0020  # channels << 16 | bits

# Header, as indices of words. Line 0 and 1: written once, by the creator; the magic is the last of all.
H_MAGIC: Final = 0
H_HEADER_BYTES: Final = 1
H_SLOT_BYTES: Final = 2
H_SLOTS: Final = 3
H_FRAME_SAMPLES: Final = 4
H_SAMPLE_RATE: Final = 5
H_FORMAT: Final = 6
H_STREAM: Final = 7  # CLOCK_REALTIME ns at creation
H_BOOT_HIGH: Final = 8
H_BOOT_LOW: Final = 9
# Line 2: written once by each writer, but for H_SKIPPED_TO.
H_PID: Final = 16
H_START: Final = 17  # clock ticks since boot: tells a process from a later one with the same id
H_GENERATION: Final = 18  # how many writers there have been
H_FIRST_SEQ: Final = 19  # first seq of this generation
H_CLOSED: Final = 20  # 1 after a clean close
H_SKIPPED_TO: Final = 21  # where the last gap ends, so that a writer that dies in a gap leaves it on record
# Line 3: written with every frame.
H_CURSOR: Final = 24  # seq of the last published frame, 0 for none
H_HEAD: Final = 25  # sample index after that frame
H_HEARTBEAT: Final = 26  # CLOCK_MONOTONIC ns
H_XRUNS: Final = 27

# Slot header, as words from the slot's start. What the checksum covers is contiguous with the payload: one call.
S_SEQ: Final = 0  # 0 while the slot is being written
S_COMMIT: Final = 1  # seq once more
S_CRC: Final = 2  # crc32, seeded with the low half of seq, of everything from S_GENERATION to the last sample
S_GENERATION: Final = 4
S_LENGTH: Final = 5  # low half: samples in the slot; high half: suspended time of this boot, in ASLEEP_UNIT_NS
S_SAMPLE_INDEX: Final = 6
S_CAPTURE_NS: Final = 7
ASLEEP_UNIT_NS: Final = 100_000_000  # 32 bits of it are 13 years
CHECKED_OFFSET: Final = 8 * S_GENERATION
META: Final = struct.Struct("=4Q")  # the words from S_GENERATION on, for unpacking a copy


def slots_for(seconds: float) -> int:
    """Return how many slots hold `seconds` of audio, and never fewer than a reader needs to be lapped in order.

    Raises:
        ValueError: `seconds` is not a positive number.

    """
    if not (math.isfinite(seconds) and seconds > 0):
        raise ValueError(f"a ring of {seconds} seconds cannot be; give a positive number, such as 300")
    return max(MINIMUM_SLOTS, math.ceil(seconds * SAMPLE_RATE / FRAME_SAMPLES))


def file_bytes(slots: int) -> int:
    """Return the size of a ring file of `slots` slots, in bytes."""
    return HEADER_BYTES + slots * SLOT_BYTES


def oldest_seq(cursor: int, slots: int) -> int:
    """Return the seq of the oldest frame that may be read when `cursor` is the last one published.

    The slot after the cursor's may be half overwritten at this very moment, so what it holds is already given up.
    """
    return max(1, cursor + 2 - slots)


def fixed_words(slots: int) -> dict[int, int]:
    """Return what the header of a ring of `slots` slots must hold on this machine in this boot."""
    high, low = process.boot_id()
    return {
        H_HEADER_BYTES: HEADER_BYTES,
        H_SLOT_BYTES: SLOT_BYTES,
        H_SLOTS: slots,
        H_FRAME_SAMPLES: FRAME_SAMPLES,
        H_SAMPLE_RATE: SAMPLE_RATE,
        H_FORMAT: MONO_FLOAT32,
        H_BOOT_HIGH: high,
        H_BOOT_LOW: low,
    }


def validate(path: Path, header: bytes, size: int) -> int:
    """Check a ring file by its header and its size before anything maps it, and return how many slots it has.

    `header` is what could be read of the first HEADER_BYTES bytes. A mapping of a file that is shorter than it says
    would end in SIGBUS, hence the size.

    Raises:
        RingMissing: its creator has not got as far as the magic.
        RingStale: it comes from another boot.
        RingCorrupt: it is something else, or of another version or shape, or truncated.

    """
    if not header or not any(header[:8]):
        raise RingMissing(f"{path}: unfinished, its creator is still at work or has died; the next writer replaces it")
    if len(header) < HEADER_BYTES:
        raise RingCorrupt(f"{path}: {size} bytes are too few for the header of a ring; restart the capture")
    words = memoryview(header).cast("Q")
    if words[H_MAGIC] != MAGIC:
        raise RingCorrupt(f"{path}: not a ring of version {VERSION}; run one version of sottovoce, or restart it")
    slots = words[H_SLOTS]
    expected = fixed_words(slots)
    if any(words[word] != expected[word] for word in (H_BOOT_HIGH, H_BOOT_LOW)):
        raise RingStale(f"{path}: left behind by another boot of this machine; restart the capture")
    wrong = [word for word, value in expected.items() if words[word] != value]
    if wrong or slots < MINIMUM_SLOTS:
        raise RingCorrupt(f"{path}: header words {wrong or [H_SLOTS]} are not those of a ring; restart the capture")
    if size != file_bytes(slots):
        raise RingCorrupt(f"{path}: {size} bytes, but {slots} slots take {file_bytes(slots)}; restart the capture")
    return slots
