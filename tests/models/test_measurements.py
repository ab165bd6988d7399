"""What is concluded from figures: how many threads, how much memory."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sottovoce.models.measurements import Probe, Run


def probe(*runs: Run) -> Probe:
    """Return a probe with these runs."""
    return Probe("x", "", datetime.now(UTC), "", 4, {}, runs)


def run(threads: int, decode_s: float, outcome: str = "passed", peak: int = 0) -> Run:
    """Return a run of ten seconds of audio."""
    return Run(threads, outcome, decode_s=decode_s, audio_s=10.0, peak=peak)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("times", "threads"),
    [
        ({1: 1.0}, 1),
        ({1: 1.0, 2: 0.9}, 1),
        ({1: 1.0, 2: 0.6, 4: 0.55}, 2),
        ({1: 1.0, 2: 0.6, 4: 0.35}, 4),
        ({1: 1.0, 2: 0.9, 4: 0.5}, 4),
        ({4: 0.5, 2: 0.9, 1: 1.0}, 4),
        ({1: 1.0, 2: 1.4}, 1),
    ],
)  # fmt: skip
def test_threads_that_are_worth_it(times: dict[int, float], threads: int) -> None:
    """More threads are taken only where they save a good part of the time."""
    best = probe(*(run(count, decode_s) for count, decode_s in times.items())).best
    assert best is not None
    assert best.threads == threads


def test_what_did_not_pass_counts_for_nothing() -> None:
    """A run that died has no figures to go by, and the whole did not pass."""
    found = probe(run(1, 1.0, peak=100), run(2, 0.1, "died", peak=900))
    assert not found.passed
    assert found.trouble is found.runs[1]
    assert (found.best, found.memory) == (found.runs[0], 100)
    assert probe().best is None
    assert not probe().passed


def test_the_most_memory_of_all() -> None:
    """A budget has to allow what the greediest number of threads took."""
    assert probe(run(1, 1.0, peak=100), run(2, 0.5, peak=120)).memory == 120


def test_derived_figures() -> None:
    """The real-time factor, and what the first decode costs beyond the others, which is never less than nothing."""
    assert run(1, 2.5).rtf == 0.25
    assert Run(1, "passed", first_s=3.0, decode_s=1.0).first_penalty_s == 2.0
    assert Run(1, "passed", first_s=0.9, decode_s=1.0).first_penalty_s == 0.0
    assert Run(1, "died").rtf == 0.0
