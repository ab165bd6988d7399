"""What a stage's memory has grown to, and the moments in which a stage may be replaced for that.

Measured is PSS, the proportional set size (proc(5), `smaps_rollup`): what several processes share, here the code of
ONNX Runtime, counts in each by its share, so that the sum over all stages is what the service takes.

How far a stage grows by itself: with `moonshine-tiny-en`, segments of 24 s, the longest there are, take the recognisers
from 135 MB to 210 and 240 MB and no further; ten-second clips take 8 MB, and the other stages grow by 3 MB at most.
The default of 500 MB is five times the largest, for larger models. A sibling's death, after which pages are shared with
fewer, adds less than 1 MB.

An engine may be a program that a recogniser has started (`models.engines.bridge`), and its model then is in that
program's memory: a recogniser is weighed with all that it has started. The other stages are not: what they start, a
hook or `wtype`, is the person's or is gone before anybody could restart the stage for it.

A sample walks all pages of a process: 0.4 ms for a small stage, 1.5 ms for a recogniser with 140 MB, and 5 ms more to
find out what that has started. One stage in 5 s is 0.1 % of a core at most: a model of some GB takes longer, so a
sample is followed by a rest of a thousand times its cost.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sottovoce.models.footprint import family, footprint
from sottovoce.protocol.config import Stage
from sottovoce.protocol.exceptions import JournalUnavailable
from sottovoce.protocol.journal import Journal
from sottovoce.protocol.messages import Event, SegmentClosed, SegmentsDrained, SpeechOnset, SpeechPause, SpeechResumed

RECOGNISERS: Final = ("stt-draft", "stt-final")
"""The stages whose engine may be in a program of its own."""
_REST = 1000
_MB = 1_000_000


def pss(stage: str, pid: int) -> int | None:
    """Return what a stage takes in bytes, as PSS; None if its process has ended, or is another user's.

    Args:
        stage: its name; a recogniser counts with all that it has started.
        pid: its process.
    """
    found = family(pid) if stage in RECOGNISERS else footprint(pid)
    return None if found is None else found.pss


@dataclass(frozen=True, slots=True)
class Excess:
    """A stage that needs more memory than it may."""

    stage: str
    pid: int
    now: int
    first: int
    """Bytes, now and when it was first ready."""

    def __str__(self) -> str:
        """Return the figures."""
        return f"{self.now / _MB:.0f} MB, {self.first / _MB:.0f} MB when it was ready"


class Scales:
    """Weighs one stage at a time, each in turn.

    Args:
        growth: MB that a stage may need more than when it was first ready.
        limits: MB that a stage may need in all, by its name; for the stages that have such a limit.
        every: seconds from one sample to the next.
    """

    def __init__(self, *, growth: int, limits: Mapping[Stage, int], every: float) -> None:
        self._growth, self._every = growth * _MB, every
        self._limits: dict[str, int] = {stage: limit * _MB for stage, limit in limits.items()}
        self._first: dict[str, tuple[int, int]] = {}
        self._due = 0.0

    def first(self, stage: str, pid: int) -> str | None:
        """Weigh a process that is ready for the first time; return why its absolute limit cannot be held, if so."""
        if self._first.get(stage, (0, 0))[0] == pid:
            return None
        size = pss(stage, pid)
        if size is None:
            return None
        self._first.pop(stage, None)
        self._first[stage] = (pid, size)  # last in turn
        limit = self._limits.get(stage)
        if limit is None or size < limit:
            return None
        return (
            f"{stage} needs {size / _MB:.0f} MB to be ready, so [warden.memory] {stage} = {limit // _MB} is ignored; "
            "raise it"
        )

    def weigh(self) -> Excess | None:
        """Weigh the next in turn, if it is time, and return it if it is too heavy."""
        if time.monotonic() < self._due or not self._first:
            return None
        stage, (pid, first) = next(iter(self._first.items()))
        del self._first[stage]
        spent = time.thread_time()  # not by the clock: on a busy machine that would count what others took
        size = pss(stage, pid)
        self._due = time.monotonic() + max(self._every, _REST * (time.thread_time() - spent))
        if size is None:  # it has ended; its successor will be weighed when it is ready
            return None
        self._first[stage] = (pid, first)
        limit = self._limits.get(stage)
        too_heavy = size - first > self._growth or (limit is not None and first < limit < size)
        return Excess(stage, pid, size, first) if too_heavy else None


class Quiet:
    """Knows whether this is a moment between two utterances.

    Args:
        journal: has what is not typed yet.
        max_segment: seconds that an utterance lasts at most, so that a lost message does not count as speech for ever.
    """

    def __init__(self, journal: Journal, *, max_segment: float) -> None:
        self._journal, self._patience = journal, max_segment + 5.0
        self._until = 0.0

    def hear(self, event: Event) -> None:
        """Follow who speaks."""
        if isinstance(event.body, SpeechOnset | SpeechPause | SpeechResumed):
            self._until = time.monotonic() + self._patience
        elif isinstance(event.body, SegmentClosed | SegmentsDrained):
            self._until = 0.0

    def now(self, stage: str) -> bool:
        """Tell whether a stage may be replaced without anybody's noticing: nobody speaks, and all is typed.

        Capture is not replaced in a recording at all: a microphone does not wait for its successor.
        """
        if time.monotonic() < self._until:
            return False
        try:
            newest = self._journal.recording()
            recording = newest is not None and newest.wanted
            return self._journal.unfinished() == 0 and not (recording and stage == "capture")
        except JournalUnavailable:
            return False
