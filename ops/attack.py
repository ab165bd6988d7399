"""Striking at the processes of a service: SIGKILL and SIGSTOP at random instants, and at fail points.

supervisord is struck, too. When it is killed, all stages end with it, and somebody runs the next `up`: here that is
the attack itself. When it is stopped, it is killed within 3 s every other time, and else left to the warden.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sottovoce.actors import failpoints
from sottovoce.actors.process import frozen
from sottovoce.ops import census
from sottovoce.ops.census import SUPERVISORD
from sottovoce.ops.exceptions import ServiceError
from sottovoce.ops.private import PrivateService
from sottovoce.protocol.clocks import now_ns
from sottovoce.protocol.messages import Event, StageState

ENGINES = ("vad", "stt-draft", "stt-final")
"""Stages that load an engine."""
ORPHAN_S = 2.0
"""For so long a process may outlive its supervisord."""
_ORPHAN_LIMIT_S = 10.0
_COUNT_EVERY_S = 0.5  # a look at /proc costs some 5 ms
_SUPERVISORD_FROZEN = 1 / 3  # share of the strikes at supervisord
_KILLED_WITHIN_S = 3.0
_THAW_S = 15.0  # the warden needs 2.5 s, the conductor 5 s
_UPS = 3  # what a person would try


@dataclass
class Strike:
    """A signal that a process was sent, or sent itself."""

    stage: str
    pid: int
    number: signal.Signals
    t_ns: int
    point: str | None = None
    back_ns: int | None = None
    """When the next process of the stage said that it was ready; of supervisord, when all had, or when it went on."""
    successor: int = 0
    """The process id of the one that did."""


@dataclass
class Ice:
    """A supervisord that is stopped."""

    strike: Strike
    kill_at: float | None
    """When it is killed; None to leave it to the warden."""
    thaw_at: float


class Attack:
    """Strikes until `kills` processes are killed.

    Args:
        service: what is struck.
        folder: where its fail points are armed.
        rng: makes every choice.
        kills: how many.
        every: mean seconds between two strikes; the gaps are exponential, so strikes also come in volleys.
        aimed: share of them that arm a fail point.
        frozen: share of them that freeze.
        supervisord: share of them that hit supervisord.
    """

    def __init__(
        self, service: PrivateService, folder: Path, rng: random.Random, *, kills: int, every: float, aimed: float,
        frozen: float, supervisord: float,
    ) -> None:  # fmt: skip
        self._service, self._folder, self._rng, self._kills, self._every = service, folder, rng, kills, every
        self._aimed, self._frozen, self._supervisord = aimed, frozen, supervisord
        self._fired = 0
        self._next = self._count_at = time.monotonic()
        points = list(failpoints.POINTS)
        rng.shuffle(points)
        self._points = itertools.cycle(points)
        self._ice: Ice | None = None
        self.strikes: list[Strike] = []
        self.orphans_s: list[float] = []
        """For each kill of supervisord, how long its last process lived on."""
        self.duplicates = 0
        """How often a second process of one name was seen."""
        self.up_failed: list[str] = []
        self.thawed = 0
        """How often nobody but this class let a stopped supervisord go on."""

    @property
    def done(self) -> int:
        """How many processes were killed so far."""
        return sum(strike.number == signal.SIGKILL for strike in self.strikes)

    @property
    def over(self) -> bool:
        """Whether it is finished."""
        return self.done >= self._kills and self._ice is None

    def turn(self) -> None:
        """Note which fail points were reached and what processes there are; strike if it is time.

        Raises:
            ServiceError: the service could not be started again after supervisord was killed.
        """
        self._collect()
        self._count()
        if self._ice is not None:
            self._watch(self._ice)
        if self.done >= self._kills:
            for point in failpoints.POINTS:
                failpoints.disarm(self._folder, point)
            return
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + self._rng.expovariate(1 / self._every)
        chance = self._rng.random()
        if chance < self._supervisord:
            self._strike_supervisord()
            return
        number = signal.SIGSTOP if self._rng.random() < self._frozen else signal.SIGKILL
        if chance < self._supervisord + (1 - self._supervisord) * self._aimed:
            failpoints.arm(self._folder, next(self._points), number)
        else:
            self._strike(number)

    def _strike(self, number: signal.Signals) -> None:
        there = census.children(self._supervisor)
        if not there:
            return
        stage = self._rng.choice(sorted(there))
        with contextlib.suppress(ProcessLookupError):
            os.kill(there[stage], number)
            self.strikes.append(Strike(stage, there[stage], number, now_ns()))

    @property
    def _supervisor(self) -> int:
        assert self._service.process is not None  # noqa: S101 - the bench has started the service itself
        return self._service.process.pid

    # -- supervisord ---------------------------------------------------------------------------------------------------

    def _strike_supervisord(self) -> None:
        if self._ice is not None:
            return
        if self._rng.random() >= _SUPERVISORD_FROZEN:
            self._fell()
            return
        pid, now = self._supervisor, time.monotonic()
        os.kill(pid, signal.SIGSTOP)
        strike = Strike(SUPERVISORD, pid, signal.SIGSTOP, now_ns())
        self.strikes.append(strike)
        kill_at = now + self._rng.uniform(0, _KILLED_WITHIN_S) if self._rng.random() < 0.5 else None
        self._ice = Ice(strike, kill_at, now + _THAW_S)

    def _watch(self, ice: Ice) -> None:
        now = time.monotonic()
        if ice.kill_at is not None and now >= ice.kill_at:
            self._ice = None
            self._fell()
            ice.strike.back_ns, ice.strike.successor = now_ns(), self._supervisor
        elif not frozen(ice.strike.pid) and now_ns() - ice.strike.t_ns > 10**8:  # a signal takes a moment, too
            ice.strike.back_ns, self._ice = now_ns(), None
        elif now >= ice.thaw_at:
            self.thawed += 1
            os.kill(ice.strike.pid, signal.SIGCONT)

    def _fell(self) -> None:
        """Kill supervisord, see its processes end, and start the service again.

        Raises:
            ServiceError: it does not start.
        """
        pid = self._supervisor
        there = set(census.children(pid).values())
        os.kill(pid, signal.SIGKILL)
        strike = Strike(SUPERVISORD, pid, signal.SIGKILL, now_ns())
        self.strikes.append(strike)
        at_once = self._rng.random() < 0.5  # as systemd would; a person looks first
        if not at_once:
            self._bury(strike, None)
        self._up()
        strike.back_ns = now_ns()
        if at_once:
            self._bury(strike, there)

    def _bury(self, strike: Strike, those: set[int] | None) -> None:
        """Wait for the end of all the processes, or of those, and note how long the last took."""
        lived = 0.0
        while lived < _ORPHAN_LIMIT_S:
            found = {pid for pids in census.everybody(self._service.paths).values() for pid in pids}
            if not (found if those is None else found & those):
                break
            lived = (now_ns() - strike.t_ns) / 1e9
            time.sleep(0.005)
        self.orphans_s.append(lived)

    def _up(self) -> None:
        for last in range(_UPS):
            try:
                self._service.up()
            except ServiceError as error:
                self.up_failed.append(str(error))
                if last == _UPS - 1:
                    raise
            else:
                break
        self._count_at = 0.0
        self._count()

    def _count(self) -> None:
        if time.monotonic() < self._count_at:
            return
        self._count_at = time.monotonic() + _COUNT_EVERY_S
        self.duplicates += sum(len(pids) - 1 for pids in census.everybody(self._service.paths).values() if pids)

    # -- what came of it -----------------------------------------------------------------------------------------------

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
            self._collect()  # while `up` ran, a stage may have fallen at a fail point and come back
            for strike in self.strikes:
                successor = strike.stage == body.stage and strike.pid != body.pid and event.t_ns > strike.t_ns
                if strike.back_ns is None and successor:
                    strike.back_ns, strike.successor = event.t_ns, body.pid

    @property
    def waiting(self) -> bool:
        """Whether a stage that was struck is not back yet."""
        return any(strike.back_ns is None for strike in self.strikes)

    def report(self, loads: Mapping[tuple[str, int], float]) -> dict[str, Any]:
        """Return what was struck, how often, and how long it took to be back.

        Recovery goes from the signal to the `ready` of the stage's next process; a process that is struck while it
        starts counts from both signals. `alone` are the kills in whose recovery no other signal fell. `without_load`
        leaves out what the engine of the process that became ready took to load.

        Args:
            loads: seconds that each process took to load, by stage and process id.
        """
        struck: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for strike in self.strikes:
            struck[strike.stage][strike.number.name] += 1
        killed = [s for s in self.strikes if s.number == signal.SIGKILL and s.stage != SUPERVISORD]
        alone = [s for s in killed if self._alone(s)]
        loaded = {stage: [s for (name, _), s in loads.items() if name == stage] for stage in ENGINES}
        supervisors = [s for s in self.strikes if s.stage == SUPERVISORD]
        return {
            "not_back": sum(strike.back_ns is None for strike in self.strikes),
            "recovery_s": _spread(_seconds(killed)),
            "recovery_without_load_s": _spread(_seconds(killed, loads)),
            "recovery_alone_s": _spread(_seconds(alone)),
            "recovery_alone_without_load_s": _spread(_seconds(alone, loads)),
            "load_s": {stage: _spread(seconds) for stage, seconds in loaded.items()},
            "recovery_frozen_s": _spread(
                _seconds([s for s in self.strikes if s.number == signal.SIGSTOP and s.stage != SUPERVISORD])
            ),
            "recovery_by_stage_s": {
                stage: _spread(_seconds([s for s in killed if s.stage == stage]))
                for stage in sorted(struck) if stage != SUPERVISORD
            },
            "supervisord_kills": struck[SUPERVISORD]["SIGKILL"],
            "supervisord_stops": struck[SUPERVISORD]["SIGSTOP"],
            "supervisord_thawed_by_bench": self.thawed,
            "supervisord_frozen_s": _spread(
                _seconds([s for s in supervisors if s.number == signal.SIGSTOP and not s.successor])
            ),
            "orphans_s": _spread(self.orphans_s),
            "up_again_s": _spread(_seconds([s for s in supervisors if s.number == signal.SIGKILL])),
            "up_failed": self.up_failed,
            "struck": {stage: dict(struck[stage]) for stage in sorted(struck) if struck[stage]},
            "points": dict(sorted(Counter(s.point for s in self.strikes if s.point).items())),
        }  # fmt: skip

    def _alone(self, strike: Strike) -> bool:
        """Whether nothing else was struck, or lay frozen, until the stage was back."""
        return strike.back_ns is not None and not any(
            other is not strike
            and other.t_ns < strike.back_ns
            and (other.back_ns is None or other.back_ns > strike.t_ns)
            for other in self.strikes
        )


def _seconds(strikes: Sequence[Strike], loads: Mapping[tuple[str, int], float] | None = None) -> list[float]:
    """Return how long each took to recover; with `loads`, without that, and of those only whose load is known."""
    seconds = []
    for strike in strikes:
        load: float | None = 0.0
        if loads is not None and strike.stage in ENGINES:
            load = loads.get((strike.stage, strike.successor))
        if strike.back_ns is not None and load is not None:
            seconds.append((strike.back_ns - strike.t_ns) / 1e9 - load)
    return seconds


def _spread(seconds: Sequence[float]) -> dict[str, float]:
    """Return how many there are, and their percentiles."""
    if not seconds:
        return {}
    p50, p95 = np.percentile(seconds, [50, 95])
    return {"n": len(seconds), "p50": round(float(p50), 3), "p95": round(float(p95), 3), "max": round(max(seconds), 3)}
