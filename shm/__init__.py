"""The audio ring and the counters page: shared memory between processes that trust nothing they have not checked.

One process writes a ring, any number read it; the writer never waits and never knows its readers. Nothing here knows
about speech. Start at `RingWriter.open`, `RingReader.attach`, `CountersPage.create` and `CountersView.attach`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sottovoce.shm.lazy import lazy

if TYPE_CHECKING:
    from sottovoce.shm.counters import CountersPage, CountersView
    from sottovoce.shm.exceptions import (
        CountersInvalid,
        RingBusy,
        RingCorrupt,
        RingGap,
        RingLapped,
        RingMissing,
        RingRange,
        RingStale,
        ShmError,
        ShmFull,
        ShmInsecure,
        ShmNotTmpfs,
    )
    from sottovoce.shm.frame import Frame
    from sottovoce.shm.histogram import Histogram
    from sottovoce.shm.layout import FRAME_SAMPLES, SAMPLE_RATE
    from sottovoce.shm.mapping import choose_directory
    from sottovoce.shm.reader import RingReader
    from sottovoce.shm.statistics import ReaderStatistics, WriterStatistics
    from sottovoce.shm.writer import RingWriter

__all__ = [
    "FRAME_SAMPLES",
    "SAMPLE_RATE",
    "CountersInvalid",
    "CountersPage",
    "CountersView",
    "Frame",
    "Histogram",
    "ReaderStatistics",
    "RingBusy",
    "RingCorrupt",
    "RingGap",
    "RingLapped",
    "RingMissing",
    "RingRange",
    "RingReader",
    "RingStale",
    "RingWriter",
    "ShmError",
    "ShmFull",
    "ShmInsecure",
    "ShmNotTmpfs",
    "WriterStatistics",
    "choose_directory",
]

__getattr__ = lazy(
    __name__,
    {
        "counters": ("CountersPage", "CountersView"),
        "exceptions": (
            "CountersInvalid",
            "RingBusy",
            "RingCorrupt",
            "RingGap",
            "RingLapped",
            "RingMissing",
            "RingRange",
            "RingStale",
            "ShmError",
            "ShmFull",
            "ShmInsecure",
            "ShmNotTmpfs",
        ),
        "frame": ("Frame",),
        "histogram": ("Histogram",),
        "layout": ("FRAME_SAMPLES", "SAMPLE_RATE"),
        "mapping": ("choose_directory",),
        "reader": ("RingReader",),
        "statistics": ("ReaderStatistics", "WriterStatistics"),
        "writer": ("RingWriter",),
    },
)
