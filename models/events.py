"""What a pull tells while it goes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from sottovoce.models.catalogue import Entry
from sottovoce.models.source import Source

Stage = Literal["waiting", "downloading", "retrying", "checking", "ready", "cached"]


@dataclass(frozen=True, slots=True)
class PullEvent:
    """One step of a pull."""

    stage: Stage
    """waiting: another process pulls it; retrying: something is amiss and is tried again; ready: installed just now;
    cached: was installed and is sound."""
    models: tuple[str, ...]
    """The models concerned: one download may serve several."""
    source: str
    """What is downloaded, as `name==version`, `owner/repository asset`, `hf:owner/repository`, or an address."""
    done: int = 0
    """Bytes so far (downloading, retrying)."""
    total: int | None = None
    """Bytes in all; None while unknown."""
    detail: str = ""
    """What is amiss (retrying)."""


Tell = Callable[[PullEvent], None]


def event(stage: Stage, group: Sequence[Entry], source: Source | None = None) -> PullEvent:
    """Return an event for models that come of one source, the first of theirs if None."""
    source = source or next(iter(group[0].sources), None)
    return PullEvent(stage, tuple(entry.name for entry in group), "" if source is None else source.title)
