"""The conductor: knows whether somebody dictates, and is the one to ask.

It gives no orders. It writes what is wanted into the journal (a recording of this source, from now; no longer), and
the stages reconcile to that; its own state is read off the journal, too::

    IDLE --start--> RECORDING --stop, or the source's end--> PROCESSING --all typed or told--> IDLE

so a conductor that is killed and restarted is in the state in which it died, and nobody has to repeat anything.

A recording that push-to-talk began bears the time of the press, and is wanted for as long as the key is down
(`actors.key`); in each turn one whose key is up, or has been down beyond the limit, is ended. No edge ends another.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any, Literal

import msgspec
import zmq

from sottovoce.actors.base import Actor, run
from sottovoce.actors.counterpart import Counterpart
from sottovoce.actors.exceptions import ActorError
from sottovoce.actors.key import Key
from sottovoce.actors.parent import Parent
from sottovoce.actors.sources import AudioFile, Microphone, Source, dump_source, parse_source
from sottovoce.actors.supervisor import Supervisor, SupervisorUnreachable
from sottovoce.protocol.clocks import Calendar, boottime_ns, now_ns
from sottovoce.protocol.control import ControlServer
from sottovoce.protocol.exceptions import ControlError, JournalUnavailable
from sottovoce.protocol.journal import EVERYTHING
from sottovoce.protocol.messages import PipelineState
from sottovoce.protocol.rows import Recording

_DAY_NS = 86_400 * 10**9
_FORGET_EVERY_S = 3600.0
_LOCK_PATIENCE_S = 1.0
_HEARD_AFTER_S = 0.25
"""Until then subscribers have not all come back after a restart, and a notice would be heard by nobody."""
DRAIN_LIMIT_S = 10.0
"""How long `shutdown` waits for what is being said and typed, unless asked otherwise."""


class Conductor(Actor):
    """State machine and control socket."""

    name = "conductor"
    hears = ("capture.", "segment.", "transcript.", "inject.")

    def setup(self) -> None:
        """Open the control socket."""
        self.control = ControlServer(self.paths.control)
        self.poller.register(self.control.socket, zmq.POLLIN)
        self.state = PipelineState(state="idle", generation=0, source="", waiting=-1)
        self.shutdown_at: float | None = None
        self.ending: tuple[int, bool] | None = None
        self.forgot_at = float("-inf")
        self.calendar = Calendar()
        self.key = Key(self.paths.runtime / f"{self.name}.key")
        self.heard_at = time.monotonic() + _HEARD_AFTER_S
        self.warden = Counterpart(self.paths.counters("warden"), self.poller, patience=self.config.warden.stalled_after)
        self.parent = Parent(patience=2 * self.config.warden.stalled_after)

    def work(self) -> None:
        """Answer requests, close what is over, publish what changed."""
        if self.ending is not None:
            with contextlib.suppress(JournalUnavailable):
                self._end(*self.ending)
        self.control.serve(self._handle)
        self._watch_warden()  # before the journal, whose lock a frozen warden may hold
        # data_version does not move for this process's own commits, after which `state` is stale.
        if self.journal.changed() or self.state.state != "idle" or self.state.waiting:
            self._watch_key()
            for recording in self.journal.open_recordings():
                self.journal.close_recording(recording.generation)
            self._tell()
        self._forget()
        if self.shutdown_at is not None and (self.state.state == "idle" or time.monotonic() > self.shutdown_at):
            try:
                Supervisor(self.paths.supervisor_socket).shutdown()
            except SupervisorUnreachable as error:
                self.notice("warning", "shutdown", f"{error}; only the conductor stops")
                self.stopping = True
            self.shutdown_at = None

    def endure(self, error: JournalUnavailable) -> bool:
        """Give up soon: somebody waits for an answer, and a warden that holds the lock has to be ended."""
        return super().endure(error) and error.lock and self.unavailable_s < _LOCK_PATIENCE_S

    def _watch_warden(self) -> None:
        match self.warden.look():
            case "dead":
                with contextlib.suppress(ActorError):  # run by hand, or all is just ending
                    Supervisor(self.paths.supervisor_socket).wake()
            case "frozen":
                self.notice("warning", "stalled", "warden was stopped and is replaced")
        if (stopped := self.parent.look()) is not None:  # the warden has not seen to it
            self.notice("warning", "stalled", stopped)

    def _watch_key(self) -> None:
        """End the recording of a key that is up, which a predecessor may have been told, or is down for too long."""
        newest = self._held()
        if newest is None:
            return
        if not self.key.down:
            self._end(newest.generation)
        elif now_ns() - newest.requested_ns > self.config.ptt.limit * 1e9 and time.monotonic() > self.heard_at:
            self.notice(
                "warning", "ptt",
                f"the push-to-talk key has been down for {self.config.ptt.limit:g} s and is taken for released; what "
                "was said is typed. To dictate for longer: `sottovoce toggle`, or `[ptt] limit`",
            )  # fmt: skip
            self._end(newest.generation)

    def _held(self) -> Recording | None:
        """Return the recording that is on for as long as the key is down, if one is."""
        newest = self.journal.recording()
        if newest is None or not newest.wanted or (pressed_ns := parse_source(newest.source).hold) is None:
            return None
        self.key.press(pressed_ns)  # a predecessor may have died before it could note that
        return newest

    def _tell(self) -> None:
        newest = self.journal.recording()
        state: Literal["idle", "recording", "processing"] = "idle"
        if newest is not None and newest.closed_ns is None:
            state = "recording" if newest.wanted else "processing"
        now = PipelineState(
            state=state,
            generation=newest.generation if newest else 0,
            source=str(parse_source(newest.source)) if newest else "",
            waiting=self.journal.unfinished(),
        )
        if now != self.state:
            self.state = now
            self.publish(now)

    def _forget(self) -> None:
        """Delete what `[history] keep` says is too old: days, or all that was finished before this start."""
        if time.monotonic() - self.forgot_at < _FORGET_EVERY_S:
            return
        keep = self.config.history.keep
        if keep.endswith("d"):
            kept = int(keep[:-1]) * _DAY_NS
            self.journal.forget(before_wall_ns=self.calendar.now_ns() - kept, spoken_before_ns=boottime_ns() - kept)
        elif self.forgot_at == float("-inf"):
            self.journal.forget(before_wall_ns=EVERYTHING)
        self.forgot_at = time.monotonic()

    # -- requests ------------------------------------------------------------------------------------------------------

    def _handle(self, verb: str, args: dict[str, Any]) -> dict[str, Any]:
        verbs: dict[str, Callable[..., dict[str, Any]]] = {
            "start": self._start,
            "stop": self._stop_recording,
            "cancel": self._cancel,
            "toggle": self._toggle,
            "ptt": self._ptt,
            "status": self._status,
            "shutdown": self._shutdown,
        }
        if verb not in verbs:
            raise ControlError("unknown_verb", f"no verb {verb!r}; there are: {', '.join(verbs)}")
        try:
            return verbs[verb](**args)
        except JournalUnavailable as error:
            later = "; the recording is ended as soon as that has been done" if self.ending else ""
            raise ControlError("journal", f"{error}{later}") from error
        except TypeError as error:
            raise ControlError("bad_arguments", f"{verb}: {error}") from error

    def _start(self, source: dict[str, Any] | None = None) -> dict[str, Any]:
        """Want a recording; one that is on already is left alone."""
        wanted = self._source("start", source)
        newest = self.journal.recording()
        if newest is not None and newest.wanted:
            if isinstance(wanted, AudioFile):
                raise ControlError(
                    "busy", f"recording {newest.generation} is on; end it first with `sottovoce stop` or `cancel`"
                )
            return self._status(changed=False)
        self.journal.begin_recording(dump_source(wanted))
        return self._status(changed=True)

    def _source(self, verb: str, source: dict[str, Any] | None) -> Source:
        """Return the source that a request names.

        Raises:
            ControlError: it names none, or nothing can be begun any more.
        """
        try:
            wanted = Microphone() if source is None else parse_source(msgspec.json.encode(source))
        except msgspec.ValidationError as error:
            raise ControlError("bad_arguments", f"{verb}: {error} (of source)") from error
        if wanted.hold is not None:
            raise ControlError("bad_arguments", f"{verb}: `hold` of source is the conductor's; ask for `ptt`")
        if self.shutdown_at is not None:
            raise ControlError("stopping", "the service is shutting down; start it again with `sottovoce up --detach`")
        return wanted

    def _ptt(self, edge: str, at_ns: int | None = None, source: dict[str, Any] | None = None) -> dict[str, Any]:
        """Take in an edge of the push-to-talk key, made at `at_ns`; see `actors.key`."""
        now = now_ns()
        at_ns = now if at_ns is None else at_ns
        if edge not in ("down", "up") or (edge == "up" and source is not None):
            raise ControlError("bad_arguments", 'ptt: edge is "down", with or without a source, or "up"')
        if type(at_ns) is not int or not 0 < at_ns <= now:
            raise ControlError("bad_arguments", "ptt: at_ns is a CLOCK_MONOTONIC time in ns, and not one to come")
        if edge == "up":
            # Noted first: if it cannot be journalled now, or this process dies, it is done in a later turn.
            self.key.release(at_ns)
            held = self._held()
            return self._status(changed=held is not None and not self.key.down and self._end(held.generation))
        wanted = self._source("ptt", source)
        if self.ending is not None:
            self._end(*self.ending)  # else the recording of the last press would be taken for this one's
        self._held()
        newest = self.journal.recording()
        changed = (newest is None or not newest.wanted) and self.key.is_press(at_ns)
        if changed:
            self.journal.begin_recording(dump_source(msgspec.structs.replace(wanted, hold=at_ns)))
        self.key.press(at_ns)
        return self._status(changed=changed)

    def _stop_recording(self) -> dict[str, Any]:
        newest = self.journal.recording()
        changed = newest is not None and newest.wanted and self._end(newest.generation)
        return self._status(changed=changed)

    def _cancel(self) -> dict[str, Any]:
        """Stop, and give up whatever of it is not typed yet."""
        newest = self.journal.recording()
        if newest is None or newest.closed_ns is not None:
            return self._status(changed=False)
        self._end(newest.generation, cancel=True)
        return self._status(changed=True)

    def _end(self, generation: int, cancel: bool = False) -> bool:
        """Want it no longer; what cannot be journalled now is as soon as it can: nobody should have to say it twice.

        Raises:
            JournalUnavailable: not yet.
        """
        self.ending = (generation, cancel or self.ending == (generation, True))
        changed = self.journal.stop_recording(generation, cancel=self.ending[1])
        self.ending = None
        return changed

    def _toggle(self) -> dict[str, Any]:
        newest = self.journal.recording()
        return self._stop_recording() if newest is not None and newest.wanted else self._start()

    def _status(self, *, changed: bool | None = None) -> dict[str, Any]:
        self._tell()
        status = msgspec.to_builtins(self.state)
        status.pop("type", None)
        return status if changed is None else {**status, "changed": changed}

    def _shutdown(self, limit: float = DRAIN_LIMIT_S) -> dict[str, Any]:
        """End the service once what was said is typed, or after `limit` seconds."""
        if not isinstance(limit, int | float) or not 0 <= limit <= 3600:
            raise ControlError("bad_arguments", "shutdown: limit is a number of seconds from 0 to 3600")
        self.shutdown_at = time.monotonic() + limit
        self._stop_recording()
        return self._status(changed=True)

    def teardown(self) -> None:
        """Let the warden and the control socket go; with `keep = "session"` the session ends here."""
        self.warden.close()
        self.control.close()
        if self.config.history.keep == "session":
            self.journal.forget(before_wall_ns=EVERYTHING)


if __name__ == "__main__":
    run(Conductor)
