"""The warden: sees to it that every stage makes progress, and that a hopeless one is left alone.

supervisord restarts what dies. It cannot see a stage that lives and does nothing, and it restarts for ever one that
dies a second after its start. The warden watches the turn counters of all stages:

- no turn within the limit of what the stage says it is doing (loading, busy in a native call, ready): its stacks are
  asked for, then it is killed, and supervisord brings it back. Who loads or decodes is given more time, unless the
  kernel says that it is stopped, when it does neither;
- more than `restarts` deaths within `window`: the recogniser gets its fallback model, any other stage, or a recogniser
  that has it already, is parked. The person is told what goes on without it;
- more memory than it may: it is asked to end between two utterances, and started again (`actors.memory`);
- memory short on the machine: the draft's model goes, then caches, and the person is told (`actors.pressure`);
- an orderly end that supervisord did not ask for counts as a death, and the stage is started again. One that it did ask
  for (`sottovoce restart`) counts for nothing.

When a stage dies, supervisord may sleep up to a second before it looks; the warden hears of the death at once through a
pidfd and wakes it.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Callable
from functools import partial

import zmq

from sottovoce.actors import blame
from sottovoce.actors.base import IDLE_TICK_MS, STATES, Actor, run
from sottovoce.actors.exceptions import EXIT_OK, EXIT_UNMENDABLE, ActorError
from sottovoce.actors.fallback import STAGE as FINAL
from sottovoce.actors.fallback import Fallback
from sottovoce.actors.memory import Quiet, Scales
from sottovoce.actors.parent import Parent
from sottovoce.actors.pressure import PressureWatch
from sottovoce.actors.process import STACKS_SIGNAL, frozen
from sottovoce.actors.supervisor import Supervisor
from sottovoce.actors.watched import WITHOUT, Watched
from sottovoce.protocol.bus import STAGES
from sottovoce.protocol.choice import settled
from sottovoce.protocol.exceptions import JournalUnavailable, ProtocolError
from sottovoce.protocol.messages import Event
from sottovoce.shm import CountersView, ShmError


class Warden(Actor):
    """Watches all stages but itself, which the conductor does (`actors.counterpart`)."""

    name = "warden"
    hears = ("speech.", "segment.")
    counts = ("kills", "parked", "renewed")
    watching = False

    def setup(self) -> None:
        """Begin to watch."""
        self.supervisor = Supervisor(self.paths.supervisor_socket)
        self.parent = Parent(patience=self.config.warden.stalled_after)
        self.watched = {name: Watched() for name in STAGES if name != self.name}
        self.checked = 0.0
        self.watched_s, self.ticked_at = 0.0, time.monotonic()
        config = self.config.warden
        self.scales = Scales(growth=config.growth, limits=config.memory, every=config.memory_every)
        self.quiet = Quiet(self.journal, max_segment=self.config.vad.max_segment)
        self.pressure = PressureWatch(self.paths, self.config)
        self.watching = True

    def hear(self, event: Event) -> None:
        """Follow who speaks."""
        self.quiet.hear(event)

    def endure(self, error: JournalUnavailable) -> bool:
        """Wait for no journal while there are stages to watch: it only tells whether the moment is quiet."""
        return not self.watching and super().endure(error)

    def work(self) -> None:
        """Look at supervisord and every stage once."""
        self._tick()
        if (stopped := self.parent.look()) is not None:
            self.notice("warning", "stalled", stopped)
        for stage, watched in self.watched.items():
            self._attach(stage, watched)
            if watched.parking:
                self._supervise(partial(self._park, stage, watched))
            if watched.view is not None:
                self._watch(stage, watched, watched.view)
        self._weigh()
        for level, text in self.pressure.look():
            self.notice(level, "pressure", text)
        # Asking costs supervisord and this process a millisecond each, so only while somebody is missing.
        missing = any(watched.view is None for watched in self.watched.values())
        if missing and not self.parent.stopped and time.monotonic() - self.checked >= 1.0:
            self.checked = time.monotonic()
            self._ask()

    def _tick(self) -> None:
        """Let the time that counts for stages go on, by its own longest sleep in one turn at most.

        So whoever was stopped together with the warden is not taken for hung: where all were stopped for 6 s and the
        warden went on half a second before the others, it killed up to five of them.
        """
        elapsed, self.ticked_at = time.monotonic() - self.ticked_at, time.monotonic()
        self.watched_s += min(elapsed, IDLE_TICK_MS / 1000)

    def _attach(self, stage: str, watched: Watched) -> None:
        """Follow the process that has the stage's name now."""
        if watched.view is not None:
            # Not `stale`: who ends in order takes its page away before it is gone.
            if watched.pidfd is not None and not select.select([watched.pidfd], (), (), 0)[0]:
                return
            self._detach(watched)
            watched.doing = self._last(watched.view)
            watched.view.close()
            watched.view, dead, watched.pid = None, watched.pid, 0
            self._death(stage, watched, dead, in_order=watched.doing == "stopping")
        with contextlib.suppress(ShmError):
            view = CountersView.attach(self.paths.counters(stage))
            if not view.alive:  # a page that a killed process left behind
                view.close()
                return
            self._know(stage, watched, view.pid)
            watched.view, watched.turns, watched.moved_at, watched.dumping = view, -1, self.watched_s, False
            with contextlib.suppress(ProcessLookupError):
                watched.pidfd = os.pidfd_open(view.pid)
                self.poller.register(watched.pidfd, zmq.POLLIN)

    def _know(self, stage: str, watched: Watched, pid: int) -> None:
        """Take note of a stage's process; another than before means a death that went by unseen."""
        before, watched.pid = watched.pid, pid
        if before != pid:
            watched.seen_at = self.watched_s
            if before:
                self._death(stage, watched, before)

    def _detach(self, watched: Watched) -> None:
        if watched.pidfd is not None:
            self.poller.unregister(watched.pidfd)
            os.close(watched.pidfd)
            watched.pidfd = None

    def _death(self, stage: str, watched: Watched, pid: int, *, in_order: bool = False) -> None:
        asked, watched.ending, watched.excess = watched.ending == pid, 0, None
        self.checked = 0.0
        # Somebody asked for an orderly end. If it was not through supervisord, that leaves the stage to `_ask`.
        watched.unasked = in_order and not asked
        if in_order or asked or not self._count(stage, watched):
            self._supervise(self.supervisor.wake)

    def _count(self, stage: str, watched: Watched) -> bool:
        """Count a death; return whether it was one too many."""
        now = time.monotonic()
        watched.deaths.append(now)
        while watched.deaths[0] < now - self.config.warden.window:
            watched.deaths.popleft()
        if len(watched.deaths) <= self.config.warden.restarts:
            return False
        watched.deaths.clear()
        self._give_up(stage, watched)
        return True

    def _give_up(self, stage: str, watched: Watched) -> None:
        """A stage has used up its restarts: give it another model, if there is one, or park it."""
        died = f"died more than {self.config.warden.restarts} times in {self.config.warden.window:g} s"
        why = ""
        try:
            stt = settled(self.paths, self.config).stt
        except ProtocolError:  # a damaged choice, which the stage itself tells of
            stt = self.config.stt
        fallback = Fallback(self.paths, stt.final)
        if stage == FINAL and not (why := fallback.refusal()):
            accused = blame.accuse(stage, stt, watched.doing, died)
            self.notice("warning", "fallback", fallback.take(f"with which {stage} {died}{accused}"))
            if watched.pid:  # it was started while nobody looked, with the model that it dies of
                with contextlib.suppress(ProcessLookupError):
                    os.kill(watched.pid, signal.SIGKILL)
            self._supervise(self.supervisor.wake)
            return
        self.page.add("parked")
        # What is typed hangs on the final: there a doubtful model is better than none.
        accused = "" if stage == FINAL else blame.accuse(stage, stt, watched.doing, died)
        self._tell(stage, watched, f"{stage} {died} and is parked{f' ({why})' if why else ''}{accused}")
        watched.parking = True
        self._supervise(partial(self._park, stage, watched))

    def _park(self, stage: str, watched: Watched) -> None:
        watched.parking = not self.supervisor.park(stage)

    def _watch(self, stage: str, watched: Watched, view: CountersView) -> None:
        now, counters = self.watched_s, self._counters(watched, view)
        if counters["turns"] != watched.turns:
            watched.turns, watched.moved_at, watched.dumping, watched.told = counters["turns"], now, False, ""
            if counters["turns"] and (impossible := self.scales.first(stage, view.pid)):
                self.notice("warning", "memory", impossible)
            return
        config = self.config.warden
        state = self._state(counters)
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

    @staticmethod
    def _state(counters: dict[str, int]) -> str:
        return STATES[counters["state"]] if 0 <= counters["state"] < len(STATES) else "ready"

    @classmethod
    def _last(cls, view: CountersView) -> str:
        """Return what a process that is gone said last, whoever has its name by now."""
        try:
            return cls._state(view.counters())
        except ShmError:
            return "ready"

    def _counters(self, watched: Watched, view: CountersView) -> dict[str, int]:
        """Read a page, which a living stage mends in each turn (`actors.health`): a damaged one is no progress."""
        try:
            view.follow()
            return view.counters()
        except ShmError:
            return {"turns": watched.turns, "state": STATES.index("ready")}

    def _weigh(self) -> None:
        """Find out who has grown too much, and replace it once nobody would notice."""
        if (excess := self.scales.weigh()) is not None and (watched := self.watched[excess.stage]).pid == excess.pid:
            if watched.excess is None:
                self.log.info("memory", of=excess.stage, pss=str(excess))
            watched.excess = excess
        for stage, watched in self.watched.items():
            if watched.excess is None or watched.ending or watched.view is None:
                continue
            if self.quiet.now(stage):
                watched.ending = watched.pid
                self.page.add("renewed")
                self.notice("warning", "memory", f"{stage} had grown to {watched.excess}, and is restarted in a pause")
                self._signal(watched.view, signal.SIGTERM)

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
        """Find the stages that die before they have a page, and those that supervisord does not start by itself."""
        try:
            processes = self.supervisor.processes()
        except ActorError:
            return  # run by hand, or supervisord is just going
        for stage, watched in self.watched.items():
            info = processes.get(stage)
            if info is None:
                continue
            if info["pid"] and watched.view is None:
                self._know(stage, watched, info["pid"])
                self._starting(stage, watched, info["pid"])
            elif info["statename"] == "EXITED" and info["exitstatus"] == EXIT_OK:
                if watched.unasked:
                    watched.unasked = False
                    self._count(stage, watched)  # if it is to be parked, it must run: only then can it be stopped
                self._supervise(partial(self.supervisor.start, stage))
            elif (info["statename"], info["exitstatus"]) == ("EXITED", EXIT_UNMENDABLE) or info["statename"] == "FATAL":
                self._tell(stage, watched, f"{stage} cannot start")

    def _starting(self, stage: str, watched: Watched, pid: int) -> None:
        """Kill a process that has no page yet and is stopped, when it is looked at a second time, or takes too long."""
        if not frozen(pid):
            watched.dumping = False
            if self.watched_s - watched.seen_at < self.config.warden.starting_limit:
                return
            what = f"did not begin to work within {self.config.warden.starting_limit:g} s"
        elif not watched.dumping:
            watched.dumping = True
            return
        else:
            what = "was stopped while it started"
        self.page.add("kills")
        self.notice("warning", "stalled", f"{stage} {what} and is replaced")
        watched.seen_at = self.watched_s
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)  # supervisord's own child, which it has not reaped

    def _tell(self, stage: str, watched: Watched, what: str) -> None:
        """Tell the person once that a stage is gone, what goes on without it, and what to do."""
        if watched.told != what:
            watched.told = what
            self.notice(
                "error", f"parked.{stage}",
                f"{what}: {WITHOUT[stage]}; see `sottovoce logs {stage}`, mend the cause, then: "
                f"sottovoce restart {stage}",
            )  # fmt: skip

    def _supervise(self, call: Callable[[], None]) -> None:
        try:
            call()
        except ActorError as error:
            self.log.warning("supervisor", error=str(error))

    def teardown(self) -> None:
        """Let all go."""
        self.pressure.close()
        for watched in self.watched.values():
            self._detach(watched)
            if watched.view is not None:
                watched.view.close()


if __name__ == "__main__":
    run(Warden)
