"""What probes have measured, kept for those who choose a model, its threads and its room in memory.

    <cache root>/probes/<name>.json

A measurement holds for the same files, engine and processor (`fingerprint`); after a change there is none.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from sottovoce.models.fingerprint import fingerprint
from sottovoce.models.record import keep, recall
from sottovoce.models.store import Store

_WORTH = 0.85
"""A larger number of threads is taken if it brings the time below this share of the smaller one's: four threads that
save a tenth take three cores from everybody else."""


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What a child has measured of a model. Seconds and bytes; 0 for what was not reached."""

    load_s: float = 0.0
    first_s: float = 0.0
    """The first decode of the sample."""
    decode_s: float = 0.0
    """The same later on: the median of three."""
    audio_s: float = 0.0
    """Length of the sample."""
    long_s: float = 0.0
    """Decode of 30 s."""
    pss: int = 0
    """Proportional set size after that."""
    peak: int = 0
    """The most that was ever resident until then."""
    pss_closed: int = 0
    """Proportional set size once the model was closed and freed memory given back."""
    text: str = ""
    """What it heard in the sample."""
    providers: tuple[str, ...] = ()
    """Where ONNX Runtime ran it, from engines that tell."""


class Run(Figures, frozen=True):
    """One child: a model with so many threads."""

    threads: int
    outcome: Literal["passed", "refused", "died", "hung"]
    """refused: the engine said why it cannot be used; died: it took the process with it; hung: its time was up."""
    reason: str = ""
    """What went wrong, as a clause without a subject; "" if nothing."""
    said: tuple[str, ...] = ()
    """The last lines on its standard error stream, where something went wrong."""

    @property
    def rtf(self) -> float:
        """Return the real-time factor: seconds of work for a second of audio."""
        return self.decode_s / self.audio_s if self.audio_s else 0.0

    @property
    def first_penalty_s(self) -> float:
        """Return what the first decode costs beyond the others."""
        return max(0.0, self.first_s - self.decode_s)


class Probe(msgspec.Struct, frozen=True):
    """All that is known of a model on this machine."""

    model: str
    fingerprint: str
    at: datetime
    cpu: str
    cores: int
    versions: dict[str, str]
    """Of the packages that ran it."""
    runs: tuple[Run, ...]
    provider: str = "auto"
    """What was asked to run it, see `EngineSettings`."""
    notice: str = ""
    """Why it did not run there; "" if it did."""

    @property
    def passed(self) -> bool:
        """Whether nothing went wrong."""
        return bool(self.runs) and all(run.outcome == "passed" for run in self.runs)

    @property
    def trouble(self) -> Run | None:
        """Return the first run that did not pass."""
        return next((run for run in self.runs if run.outcome != "passed"), None)

    @property
    def best(self) -> Run | None:
        """Return the run with the number of threads to be used: the smallest that more would not help much."""
        chosen = None
        for run in sorted((run for run in self.runs if run.outcome == "passed"), key=lambda run: run.threads):
            if chosen is None or run.decode_s < _WORTH * chosen.decode_s:
                chosen = run
        return chosen

    @property
    def memory(self) -> int:
        """Return the bytes that a process with this model takes (the most of all runs): what a budget has to allow."""
        return max((run.peak for run in self.runs if run.outcome == "passed"), default=0)


def save(store: Store, found: Probe) -> None:
    """Keep a probe, in the place of the one before.

    Raises:
        OSError: it cannot be written.
    """
    keep(store.root / "probes" / f"{found.model}.json", found)


def last_probe(name: str, store: Store) -> Probe | None:
    """Return the last probe of a model, whatever came of it, if it still holds; None otherwise.

    Raises:
        UnknownModel: no model has this name.
    """
    entry = store.catalogue[name]
    found = recall(store.root / "probes" / f"{name}.json", Probe)
    if found is None or not store.installed(name):
        return None
    return found if found.fingerprint == fingerprint(entry, store.path(name)) else None


def measured(name: str, store: Store | None = None) -> Probe | None:
    """Return the last probe of a model, if it still holds and went well; None otherwise, or if the model is not here.

    Raises:
        UnknownModel: no model has this name.
    """
    found = last_probe(name, Store() if store is None else store)
    return found if found is not None and found.passed else None


def best_threads(name: str, store: Store | None = None) -> int:
    """Return the number of threads that suits a model here; 1 where it was not probed.

    Raises:
        UnknownModel: no model has this name.
    """
    found = measured(name, store)
    return 1 if found is None or found.best is None else found.best.threads
