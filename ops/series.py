"""What a soak samples, as series over simulated time, and which of them must stay flat."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

from sottovoce.ops.sample import Stages, process, size
from sottovoce.ops.trend import Tolerance, Trend, rates, rounds, trend
from sottovoce.protocol.clocks import SAMPLE_RATE
from sottovoce.protocol.journal import Journal
from sottovoce.protocol.paths import Paths
from sottovoce.shm import Histogram

_CYCLES_H: Final = 3.0  # a session, a rest, an open microphone, a rest: 40 minutes on average
_POINTS: Final = 120  # of a series in the report


@dataclass(frozen=True, slots=True)
class Kind:
    """How a series is judged."""

    must: bool
    """Whether it must be flat."""
    tolerance: Tolerance


_BUSY: Final = Kind(must=False, tolerance=Tolerance(share=0.5))
_COUNT: Final = Tolerance(day=0.9, run=0.5)
KINDS: Final[dict[str, Kind]] = {
    # A page that other processes on the machine map as well (the C library) counts less the more of them there are.
    "pss_kib": Kind(must=False, tolerance=Tolerance(day=2048, run=512)),
    "rss_kib": Kind(must=False, tolerance=Tolerance(day=2048, run=512)),
    "anon_kib": Kind(must=True, tolerance=Tolerance(day=2048, run=512)),
    # A recogniser maps the whole ring and touches the pages with speech, until it has touched each once.
    "shared_kib": Kind(must=False, tolerance=Tolerance(day=64, run=64)),
    "maps": Kind(must=True, tolerance=Tolerance(day=10, run=3)),
    "fds": Kind(must=True, tolerance=_COUNT),
    "threads": Kind(must=True, tolerance=_COUNT),
    "cpu_s_per_h": _BUSY,
    "switches_per_h": _BUSY,
    "lag_s": Kind(must=True, tolerance=Tolerance(day=2, run=1, share=0.5, least_h=_CYCLES_H)),
    "waiting": Kind(must=True, tolerance=Tolerance(day=1, run=1, share=0.5, least_h=_CYCLES_H)),
    "latency_ms": Kind(must=True, tolerance=Tolerance(day=20, run=10, share=0.5, least_h=_CYCLES_H)),
    "decode_ms": _BUSY,
    "frame_ms": _BUSY,
    # The history itself. `[history] keep` bounds it, by the clock of the wall.
    "database_kib": Kind(must=False, tolerance=Tolerance()),
    # It fills up to SQLite's 1000 pages, and is then written from its beginning again.
    "wal_kib": Kind(must=True, tolerance=Tolerance(run=4200)),
    # Rotated at 4 MiB, one older file kept.
    "log_kib": Kind(must=False, tolerance=Tolerance()),
    "native_log_kib": Kind(must=True, tolerance=Tolerance(day=1)),
    "files": Kind(must=True, tolerance=_COUNT),
    "runtime_kib": Kind(must=True, tolerance=Tolerance(day=64, run=16)),
}
"""By the last part of a series' name."""
_TOTALS: Final = ("cpu_s", "switches")
_HISTOGRAMS: Final = {  # stage and histogram (microseconds): the series of its means
    ("vad", "frame_us"): "vad.frame_ms",
    ("stt-final", "decode_us"): "stt-final.decode_ms",
    ("stt-draft", "decode_us"): "stt-draft.decode_ms",
}


def kind_of(name: str) -> Kind:
    """Return how the series `name` is judged."""
    return KINDS[name.rpartition(".")[2]]


class Sampler:
    """Takes samples of a service.

    Args:
        paths: the service's paths.
        journal: a connection to its journal.
    """

    def __init__(self, paths: Paths, journal: Journal) -> None:
        self._paths, self._journal = paths, journal
        self.stages = Stages(paths)
        self._before: dict[tuple[str, str], Histogram] = {}
        self.hours: list[float] = []
        """When each sample was taken, in hours of the simulated day."""
        self._rows: list[dict[str, float]] = []
        self.latencies: list[float] = []
        """Milliseconds, of what was typed since the last sample; whoever hears of it adds it here."""

    @property
    def last(self) -> Mapping[str, float]:
        """The last sample; empty before the first."""
        return self._rows[-1] if self._rows else {}

    def take(self, hour: float) -> None:
        """Take one sample."""
        row = dict[str, float]()
        for stage, pid in self.stages.look().items():
            try:
                figures = process(pid)
            except (FileNotFoundError, ProcessLookupError):
                continue  # it has just died; the next sample tells of its successor
            row |= {f"{stage}.{name}": value for name, value in figures.items()}
        row |= self._lags() | self._means() | self._files()
        row["waiting"] = self._journal.unfinished()
        if self.latencies:
            row["latency_ms"] = median(self.latencies)
            self.latencies.clear()
        self.hours.append(hour)
        self._rows.append(row)

    def _lags(self) -> dict[str, float]:
        """Return how far behind the newest sample of the ring the readers are that must have read all of it."""
        head = self.stages.counters("capture").get("position", 0)
        seen = self.stages.counters("vad").get("position", head)
        oldest = self._journal.oldest("segmented")
        decoded = seen if oldest is None else oldest.first
        return {
            "vad.lag_s": max(0, head - seen) / SAMPLE_RATE,
            "stt-final.lag_s": max(0, head - decoded) / SAMPLE_RATE,
        }

    def _means(self) -> dict[str, float]:
        means = {}
        for (stage, histogram), name in _HISTOGRAMS.items():
            now = self.stages.histograms(stage).get(histogram)
            before = self._before.get((stage, histogram))
            if now is None:
                continue
            self._before[stage, histogram] = now
            if before is not None and now.count > before.count:
                means[name] = (now.sum - before.sum) / (now.count - before.count) / 1000
        return means

    def _files(self) -> dict[str, float]:
        def kib(*patterns: str, folder: Path = self._paths.logs) -> float:
            return size(folder, *patterns)[1] / 1024

        from_runtime = [size(folder, "*", ".*") for folder in {self._paths.runtime, self._paths.shared}]
        return {
            "journal.database_kib": kib("journal.db", folder=self._paths.state),
            "journal.wal_kib": kib("journal.db-wal", folder=self._paths.state),
            "logs.log_kib": kib("*.jsonl*", "supervisord.log*"),
            "logs.native_log_kib": kib("*.native.log*"),
            "state.files": size(self._paths.state, "*", "log/*")[0],
            "runtime.files": sum(count for count, _ in from_runtime),
            "runtime.runtime_kib": sum(total for _, total in from_runtime) / 1024,
        }

    def series(self) -> dict[str, list[float]]:
        """Return every series, NaN where a sample has no such value; running totals as what they grow by an hour."""
        names = dict.fromkeys(name for row in self._rows for name in row)
        found = {}
        for name in names:
            values = [row.get(name, math.nan) for row in self._rows]
            if name.rpartition(".")[2] in _TOTALS:
                name, values = f"{name}_per_h", rates(self.hours, values)  # noqa: PLW2901
            found[name] = values
        return found

    def trends(self) -> dict[str, Trend]:
        """Judge every series."""
        return {name: trend(self.hours, values, kind_of(name).tolerance) for name, values in self.series().items()}

    def thinned(self) -> dict[str, list[Any]]:
        """Return the series for the report: of at most 120 stretches of the samples the last value of each."""
        step = -(-len(self.hours) // _POINTS)
        every = {"hours": self.hours, **self.series()}
        return {name: [rounds(value) for value in values[step - 1 :: step]] for name, values in every.items()}

    def close(self) -> None:
        """Let the pages go."""
        self.stages.close()
