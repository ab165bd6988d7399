"""Striking at the stages of a service: SIGKILL and SIGSTOP at random instants, and at fail points."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sottovoce.actors import failpoints
from sottovoce.protocol.clocks import now_ns
from sottovoce.protocol.messages import Event, StageState
from sottovoce.protocol.paths import Paths


@dataclass
class Strike:
    """A signal that a stage's process was sent, or sent itself."""

    stage: str
    pid: int
    number: signal.Signals
    t_ns: int
    point: str | None = None
    back_ns: int | None = None
    """When the next process of the stage said that it was ready."""


class Attack:
    """Strikes until `kills` processes are killed.

    Args:
        paths: of the service.
        folder: where its fail points are armed.
        rng: makes every choice.
        kills: how many.
        every: mean seconds between two strikes; the gaps are exponential, so strikes also come in volleys.
        aimed: share of them that arm a fail point.
        frozen: share of them that freeze.
    """

    def __init__(
        self, paths: Paths, folder: Path, rng: random.Random, *, kills: int, every: float, aimed: float, frozen: float
    ) -> None:
        self._folder, self._rng, self._kills, self._every = folder, rng, kills, every
        self._aimed, self._frozen = aimed, frozen
        self._supervisor = int((paths.runtime / "supervisord.pid").read_text())
        self._fired = 0
        self._next = time.monotonic()
        points = list(failpoints.POINTS)
        rng.shuffle(points)
        self._points = itertools.cycle(points)
        self.strikes: list[Strike] = []

    @property
    def done(self) -> int:
        """How many processes were killed so far."""
        return sum(strike.number == signal.SIGKILL for strike in self.strikes)

    @property
    def over(self) -> bool:
        """Whether it is finished."""
        return self.done >= self._kills

    def turn(self) -> None:
        """Note which fail points were reached; strike if it is time."""
        self._collect()
        if self.over:
            for point in failpoints.POINTS:
                failpoints.disarm(self._folder, point)
            return
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + self._rng.expovariate(1 / self._every)
        number = signal.SIGSTOP if self._rng.random() < self._frozen else signal.SIGKILL
        if self._rng.random() < self._aimed:
            failpoints.arm(self._folder, next(self._points), number)
        else:
            self._strike(number)

    def _strike(self, number: signal.Signals) -> None:
        there = processes(self._supervisor)
        if not there:
            return
        stage = self._rng.choice(sorted(there))
        with contextlib.suppress(ProcessLookupError):
            os.kill(there[stage], number)
            self.strikes.append(Strike(stage, there[stage], number, now_ns()))

    def _collect(self) -> None:
        file = self._folder / failpoints.FIRED
        lines = file.read_text().splitlines(keepends=True) if file.exists() else []
        for line in lines[self._fired :]:
            if line.endswith("\n"):
                self._fired += 1
                point, pid, number, t_ns = line.split()
                stage = point.split(".")[0]
                self.strikes.append(Strike(stage, int(pid), signal.Signals[number], int(t_ns), point))

    def hear(self, event: Event) -> None:
        """Note which stage is back."""
        body = event.body
        if isinstance(body, StageState) and body.state == "ready":
            for strike in self.strikes:
                successor = strike.stage == body.stage and strike.pid != body.pid and event.t_ns > strike.t_ns
                if strike.back_ns is None and successor:
                    strike.back_ns = event.t_ns

    @property
    def waiting(self) -> bool:
        """Whether a stage that was struck is not back yet."""
        return any(strike.back_ns is None for strike in self.strikes)

    def report(self) -> dict[str, Any]:
        """Return what was struck, how often, and how long it took to be back.

        Recovery goes from the signal to the `ready` of the stage's next process; a process that is struck while it
        starts counts from both signals. `alone` are the kills in whose recovery no other signal fell.
        """
        struck: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for strike in self.strikes:
            struck[strike.stage][strike.number.name] += 1
        killed = {
            stage: [s for s in self.strikes if s.stage == stage and s.number == signal.SIGKILL]
            for stage in sorted(struck)
        }
        return {
            "not_back": sum(strike.back_ns is None for strike in self.strikes),
            "recovery_s": _spread([s for s in self.strikes if s.number == signal.SIGKILL]),
            "recovery_alone_s": _spread([s for s in self.strikes if s.number == signal.SIGKILL and self._alone(s)]),
            "recovery_frozen_s": _spread([s for s in self.strikes if s.number == signal.SIGSTOP]),
            "recovery_by_stage_s": {stage: _spread(strikes) for stage, strikes in killed.items()},
            "struck": {stage: dict(struck[stage]) for stage in sorted(struck)},
            "points": dict(sorted(Counter(s.point for s in self.strikes if s.point).items())),
        }

    def _alone(self, strike: Strike) -> bool:
        """Whether nothing else was struck, or lay frozen, until the stage was back."""
        return strike.back_ns is not None and not any(
            other is not strike
            and other.t_ns < strike.back_ns
            and (other.back_ns is None or other.back_ns > strike.t_ns)
            for other in self.strikes
        )


def _spread(strikes: Sequence[Strike]) -> dict[str, float]:
    """Return how many recovered, and the percentiles of the seconds that it took."""
    seconds = [(strike.back_ns - strike.t_ns) / 1e9 for strike in strikes if strike.back_ns is not None]
    if not seconds:
        return {}
    p50, p95 = np.percentile(seconds, [50, 95])
    return {"n": len(seconds), "p50": round(float(p50), 3), "p95": round(float(p95), 3), "max": round(max(seconds), 3)}


def processes(supervisor: int) -> dict[str, int]:
    """Return the process id of each stage, read from /proc: to ask supervisord would wake it, and spoil the figures."""
    found = {}
    for pid in Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            arguments = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
            if "-m" in arguments and (module := arguments[arguments.index("-m") + 1]).startswith("sottovoce.actors."):
                role = arguments[arguments.index("--role") + 1 :][:1] if "--role" in arguments else []
                found["-".join([module.rsplit(".", 1)[1], *role])] = int(pid)
    return found
