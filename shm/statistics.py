"""What a writer and a reader can tell about themselves."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WriterStatistics:
    """Counts of one `RingWriter` since it was opened, and where it stands."""

    frames: int
    """Frames published."""
    samples: int
    """Samples published."""
    skipped_samples: int
    """Samples that were never captured: the sum of all gaps."""
    xruns: int
    """Overruns that the source reported, over the life of the file."""
    generation: int
    """How many writers the file has had, this one included."""
    seq: int
    """Number of the last frame, over the life of the file; 0 for none."""
    position: int
    """Index of the next sample."""


@dataclass(frozen=True, slots=True)
class ReaderStatistics:
    """Counts of one `RingReader` since it was attached."""

    frames: int
    """Frames that `read` returned."""
    lost_frames: int
    """Frames that the writer overwrote before `read` got to them, or that were given up to get ahead of it."""
    lost_samples: int
    """Sample indices that went with them; gaps among them cannot be told from samples any more."""
    retries: int
    """Slots that had to be looked at again."""
    bad: int
    """Frames that `read` passed over because they failed their checks time and again."""
