"""The warden: sees to it that every stage makes progress, and that a hopeless one is left alone.

supervisord restarts what dies. It cannot see a stage that lives and does nothing, and it restarts for ever one that
dies a second after its start. The warden watches the turn counters of all stages:

- no turn within the limit of what the stage says it is doing (loading, busy in a native call, ready): its stacks are
  asked for, then it is killed, and supervisord brings it back. Who loads or decodes is given more time, unless the
  kernel says that it is stopped, when it does neither;
- more than `restarts` deaths within `window`: the stage is parked and the person is told.

When a stage dies, supervisord may sleep up to a second before it looks; the warden hears of the death at once through a
pidfd and wakes it.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import zmq

from sottovoce.actors.base import STATES, Actor, run
from sottovoce.actors.exceptions import EXIT_UNMENDABLE, ActorError
from sottovoce.actors.process import STACKS_SIGNAL, frozen
from sottovoce.actors.supervisor import Supervisor
from sottovoce.protocol.bus import STAGES
from sottovoce.shm import CountersView, ShmError

_FATAL = ("FATAL", "EXITED")


@dataclass
class Watched:
    """What the warden knows of a stage."""

    view: CountersView | None = None
    pid: int = 0
    """The process that is known to have lived last and not yet known to have died; 0 for none."""
    pidfd: int | None = None
    turns: int = -1
    moved_at: float = 0.0
    deaths: deque[float] = field(default_factory=deque)
    dumping: bool = False
    told: str = ""


class Warden(Actor):
    """Watches all stages but itself, which the conductor does (`actors.counterpart`)."""

    name = "warden"
    counts = ("kills", "parked")

    def setup(self) -> None:
        """Begin to watch."""
        self.supervisor = Supervisor(self.paths.supervisor_socket)
        self.watched = {name: Watched() for name in STAGES if name != self.name}
        self.checked = 0.0

    def work(self) -> None:
        """Look at every stage once."""
        for stage, watched in self.watched.items():
            self._attach(stage, watched)
            if watched.view is not None:
                self._watch(stage, watched, watched.view)
        # Asking costs supervisord and this process a millisecond each, so only while somebody is missing.
        if any(watched.view is None for watched in self.watched.values()) and time.monotonic() - self.checked >= 1.0:
            self.checked = time.monotonic()
            self._ask()

    def _attach(self, stage: str, watched: Watched) -> None:
        """Follow the process that has the stage's name now."""
        view = watched.view
        if view is not None:
            dead = watched.pidfd is None or bool(select.select([watched.pidfd], (), (), 0)[0])
            if not dead and not view.stale():
                return
            self._detach(watched)
            if dead:
                watched.pid = 0
                self._death(stage, watched)
            view.close()
            watched.view = None
        with contextlib.suppress(ShmError):
            view = CountersView.attach(self.paths.counters(stage))
            if not view.alive:  # a page that a killed process left behind
                view.close()
                return
            self._know(stage, watched, view.pid)
            watched.view, watched.turns, watched.moved_at, watched.dumping = view, -1, time.monotonic(), False
            with contextlib.suppress(ProcessLookupError):
                watched.pidfd = os.pidfd_open(view.pid)
                self.poller.register(watched.pidfd, zmq.POLLIN)

    def _know(self, stage: str, watched: Watched, pid: int) -> None:
        """Take note of a stage's process; another than before means a death that went by unseen."""
        before, watched.pid = watched.pid, pid
        if before not in (0, pid):
            self._death(stage, watched)

    def _detach(self, watched: Watched) -> None:
        if watched.pidfd is not None:
            self.poller.unregister(watched.pidfd)
            os.close(watched.pidfd)
            watched.pidfd = None

    def _death(self, stage: str, watched: Watched) -> None:
        now = time.monotonic()
        watched.deaths.append(now)
        while watched.deaths[0] < now - self.config.warden.window:
            watched.deaths.popleft()
        if len(watched.deaths) > self.config.warden.restarts:
            watched.deaths.clear()
            self.page.add("parked")
            self._tell(
                stage, watched,
                f"{stage} died more than {self.config.warden.restarts} times in {self.config.warden.window:g} s and is "
                f"parked; see `sottovoce logs {stage}`, mend the cause, then: sottovoce restart {stage}",
            )  # fmt: skip
            self._supervise(lambda: self.supervisor.park(stage))
        else:
            self._supervise(self.supervisor.wake)

    def _watch(self, stage: str, watched: Watched, view: CountersView) -> None:
        now, counters = time.monotonic(), view.counters()
        if counters["turns"] != watched.turns:
            watched.turns, watched.moved_at, watched.dumping, watched.told = counters["turns"], now, False, ""
            return
        config = self.config.warden
        state = STATES[counters["state"]]
        limit = {"loading": config.loading_limit, "busy": config.busy_limit}.get(state, config.stalled_after)
        still = now - watched.moved_at
        if still < min(limit, config.stalled_after) or (still < limit and not frozen(view.pid)):
            return
        if not watched.dumping:
            # One tick for the stacks, which a stopped process cannot write anyway; then the kill.
            watched.dumping = True
            self._signal(view, STACKS_SIGNAL)
            return
        self.page.add("kills")
        self.notice("warning", "stalled", f"{stage} ({state}) made no progress for {still:.1f} s and is replaced")
        self._signal(view, signal.SIGKILL)
        watched.moved_at = now

    def _signal(self, view: CountersView, number: signal.Signals) -> None:
        """Signal the very process that owns the page: a pidfd cannot hit a stranger who got its number."""
        with contextlib.suppress(ProcessLookupError):
            pidfd = os.pidfd_open(view.pid)
            try:
                if view.alive:
                    signal.pidfd_send_signal(pidfd, number)
            finally:
                os.close(pidfd)

    def _ask(self) -> None:
        """Find the stages that die before they have a page, and those that supervisord has given up."""
        try:
            processes = self.supervisor.processes()
        except ActorError:
            return  # run by hand, or supervisord is just going
        for stage, watched in self.watched.items():
            info = processes.get(stage)
            if info is not None and info["pid"] and watched.view is None:
                self._know(stage, watched, info["pid"])
                self._thaw(stage, watched, info["pid"])
            if info is None or info["statename"] not in _FATAL or info["exitstatus"] not in (EXIT_UNMENDABLE, 1):
                continue
            self._tell(
                stage, watched,
                f"{stage} cannot start; see `sottovoce logs {stage}`, mend the cause, then: sottovoce restart {stage}",
            )  # fmt: skip

    def _thaw(self, stage: str, watched: Watched, pid: int) -> None:
        """Kill a process that was stopped before it had a page, and is so when it is looked at a second time."""
        if not frozen(pid):
            watched.dumping = False
        elif not watched.dumping:
            watched.dumping = True
        else:
            self.page.add("kills")
            self.notice("warning", "stalled", f"{stage} was stopped while it started and is replaced")
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)  # supervisord's own child, which it has not reaped

    def _tell(self, stage: str, watched: Watched, text: str) -> None:
        if watched.told != text:
            watched.told = text
            self.notice("error", f"parked.{stage}", text)

    def _supervise(self, call: Callable[[], None]) -> None:
        try:
            call()
        except ActorError as error:
            self.log.warning("supervisor", error=str(error))

    def teardown(self) -> None:
        """Let all go."""
        for watched in self.watched.values():
            self._detach(watched)
            if watched.view is not None:
                watched.view.close()


if __name__ == "__main__":
    run(Warden)
