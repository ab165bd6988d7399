"""How one writer follows another: the lock on the file, and the place at which the one before it stopped."""

from __future__ import annotations

import os
from pathlib import Path

from sottovoce.shm import layout
from sottovoce.shm.exceptions import RingBusy, RingCorrupt
from sottovoce.shm.frame import copy_frame
from sottovoce.shm.layout import HEADER_BYTES
from sottovoce.shm.mapping import Mapping, is_current, try_lock

_COUNTS = {
    "cursor": layout.H_CURSOR, "head": layout.H_HEAD, "end of a gap": layout.H_SKIPPED_TO,
    "generation": layout.H_GENERATION, "count of xruns": layout.H_XRUNS,
}  # fmt: skip
_BEYOND = 1 << 62  # samples of 16 kHz: nine million years


def lock(path: Path, fd: int) -> bool:
    """Lock the ring file `fd`; False, with it closed, where `path` leads to another file by now.

    Raises:
        RingBusy: another process has the lock; `fd` is closed.

    """
    locked = try_lock(fd)
    if locked and is_current(path, fd):
        return True
    header = os.pread(fd, HEADER_BYTES, 0)
    os.close(fd)
    if locked:
        return False
    pid: int = memoryview(header).cast("Q")[layout.H_PID] if len(header) == HEADER_BYTES else 0
    who = f"process {pid}" if pid else "a process that is just starting"
    raise RingBusy(f"{path}: {who} is already writing it; stop that one first", pid)


def last_frame(mapping: Mapping, slots: int) -> tuple[int, int]:
    """Return the seq of the last whole frame and the index of the next sample, as a writer that died left them.

    A writer dies at any instant: with the next slot half written, which is then simply written again, or with the
    frame whole and the cursor not yet moved, in which case the frame counts.

    Raises:
        RingCorrupt: a count is beyond what any machine has counted to; or the last frame that the cursor vouches for
            is damaged. Numbering would have to go back over frames that readers have already seen, so the file is of
            no more use.

    """
    words = mapping.words
    for name, word in _COUNTS.items():
        if words[word] >= _BEYOND:
            raise RingCorrupt(f"{mapping.path}: its {name} is {words[word]}, which no writer has ever reached")
    cursor: int = words[layout.H_CURSOR]
    position: int = words[layout.H_SKIPPED_TO]
    for seq in (cursor + 1, cursor):
        if seq == 0:
            return 0, position
        frame = copy_frame(mapping.bytes, words, seq, slots)
        if frame is not None:
            words[layout.H_HEAD] = frame.end
            return seq, max(position, frame.end)
    raise RingCorrupt(f"{mapping.path}: frame {cursor}, the last one published, fails its checks")
