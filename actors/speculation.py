"""A decode ahead of the endpoint: what came of it, and which utterance it must not be tried with again."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from sottovoce.models import Result


class Speculation(NamedTuple):
    """What was heard ahead of the endpoint."""

    key: tuple[int, int, int]
    """Stream, first sample, the sample after the last."""
    result: Result
    window_id: int
    model: str


class Peril:
    """Names, in a file, the utterance that is decoded on speculation, for as long as that lasts.

    Such a decode has no row in the journal to be counted in. A process that finds the file knows of which utterance
    its predecessor died, and speculates on that one no more.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.shunned = path.read_text() if path.exists() else ""
        """The trace of the utterance that a predecessor died of; "" for none."""

    @contextlib.contextmanager
    def of(self, trace: str) -> Iterator[bool]:
        """Name an utterance within the block; False where there is no room for the name, and it must not be tried."""
        try:
            self._path.write_text(trace)
        except OSError:
            self._path.unlink(missing_ok=True)
            yield False
            return
        try:
            yield True
        finally:
            self._path.unlink()
