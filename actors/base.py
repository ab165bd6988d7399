"""The actor: one process, one loop, one thing to do.

Every stage is a subclass and says only what is its own: what to load, what to do in a turn. The base gives it

- its name, held by a flock, and the death of its parent as its own (`actors.process`);
- configuration, paths, journal, log, a counters page that says what it does and that it does something;
- a publisher and a subscriber on the bus, and a loop that turns whenever an event arrives and four times a second
  in any case: messages are hints, and what they hint at is in the journal;
- an orderly end on SIGTERM and SIGINT, and exit codes that tell the supervisor whether starting again can help.

The loop's turn count is the heartbeat. A timer thread would go on beating in a process whose loop is stuck; the warden
watches progress instead.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Iterator
from typing import ClassVar, Literal

import zmq

from sottovoce.actors import log
from sottovoce.actors.exceptions import EXIT_OK, EXIT_UNMENDABLE, Unmendable
from sottovoce.actors.health import Health
from sottovoce.actors.lossy import received
from sottovoce.actors.process import die_with_parent, keep_output
from sottovoce.models.exceptions import ModelError
from sottovoce.protocol.bus import STAGES, Publisher, Subscriber, raise_file_limit
from sottovoce.protocol.config import Config, load_config
from sottovoce.protocol.exceptions import JournalUnavailable, ProtocolError
from sottovoce.protocol.journal import Journal
from sottovoce.protocol.messages import Body, Event, Notice, StageState
from sottovoce.protocol.paths import Paths
from sottovoce.shm import CountersPage, ShmFull

TICK_MS = 250
"""Longest sleep of a loop while there is something to do, and so the longest that a lost message delays anything."""
IDLE_TICK_MS = 750
"""The same where nothing was heard for a while: a turn costs 0.35 to 0.6 ms, most of it since nothing of it is in a
cache any more. Eight stages that turn twice a second take up to 1.2 % of a core for nothing, where 1 % is allowed."""
_IDLE_AFTER_S = 5.0
_LOCK_PATIENCE_S = 2.0  # a lock is held for milliseconds, unless its holder is stopped, which the warden ends
STATES = ("loading", "ready", "busy", "stopping")
"""Meaning of the counter `state`."""


class Actor:
    """Base of all stages.

    Args:
        paths: the service's paths.
        config: the whole configuration.
        stdout: a descriptor of the process's real standard output.
    """

    name: ClassVar[str]
    hears: ClassVar[tuple[str, ...]] = ()
    """Topics that wake it."""
    counts: ClassVar[tuple[str, ...]] = ()
    times: ClassVar[tuple[str, ...]] = ()
    """Its own counters and histograms (microseconds)."""

    def __init__(self, paths: Paths, config: Config, stdout: int = 1) -> None:
        self.paths, self.config, self.stdout = paths, config, stdout
        self.log = log.get_logger()
        self.publisher = Publisher(paths, self.name)  # first: it owns the name, all else may be another's
        self.page = self._create_page()
        self.health = Health(self.page, self.notice)
        self.stopping = False
        self._wake = self._catch_signals()
        self._unavailable_at: float | None = None
        self._told_unavailable = False
        self._heard_at = time.monotonic()
        keep = config.history.keep
        self.journal = Journal(paths.journal(keep=keep), keep=keep, patience=self.endure)
        self.subscriber = Subscriber(paths, self.hears, stages=STAGES) if self.hears else None
        self.poller = zmq.Poller()
        self.poller.register(self.publisher.socket, zmq.POLLIN)
        if self.subscriber is not None:
            self.poller.register(self.subscriber.socket, zmq.POLLIN)
        self.poller.register(self._wake, zmq.POLLIN)

    # -- what a stage overrides ----------------------------------------------------------------------------------------

    def setup(self) -> None:
        """Load what takes long; the stage counts as loading until this returns.

        Raises:
            Unmendable, ModelError, ProtocolError: starting again would not help.
        """

    def hear(self, event: Event) -> None:
        """Take in one event."""

    def work(self) -> None:
        """Do whatever waits; called once a turn, returns when nothing is left to do."""

    def teardown(self) -> None:
        """Let go of what `setup` took."""

    # -- what a stage uses ---------------------------------------------------------------------------------------------

    def publish(self, body: Body) -> None:
        """Tell the bus."""
        self.publisher.publish(body)

    def notice(self, level: Literal["info", "warning", "error"], code: str, text: str) -> None:
        """Tell the person: on the bus, where `watch` and trays show it, and in the log. Never holds dictated text."""
        self.publish(Notice(level=level, stage=self.name, code=code, text=text))
        getattr(self.log, level)(text, code=code)

    @contextlib.contextmanager
    def busy(self) -> Iterator[None]:
        """Mark a long native call, for which the warden allows more time than for a turn."""
        self.page.set("state", STATES.index("busy"))
        try:
            yield
        finally:
            self.page.set("state", STATES.index("ready"))

    def endure(self, error: JournalUnavailable) -> bool:
        """Wait a moment for a journal that cannot be read or written, a full disk for one; False once told to stop.

        The stage stays where it is, with all it has in memory: to die would cost the restarts that the warden allows,
        and an injector would die in doubt of what it has just typed. Audio waits in the ring meanwhile.
        """
        self._unavailable_at = self._unavailable_at or time.monotonic()
        if not self._told_unavailable and (not error.lock or self.unavailable_s >= _LOCK_PATIENCE_S):
            self._told_unavailable = True
            self.notice("error", "journal", f"{error}; dictation waits and goes on by itself")
        self.page.add("turns")
        self.publisher.welcome()
        if not error.lock:  # for a lock SQLite has waited that long already
            select.select([self._wake], (), (), TICK_MS / 1000)
        return not self.stopping

    @property
    def unavailable_s(self) -> float:
        """For how long the journal could not be read or written."""
        return 0.0 if self._unavailable_at is None else time.monotonic() - self._unavailable_at

    def sleep_ms(self) -> int:
        """Return how long the loop may sleep at most; a stage with a timer of its own returns less."""
        return TICK_MS if time.monotonic() - self._heard_at < _IDLE_AFTER_S else IDLE_TICK_MS

    # -- the loop ------------------------------------------------------------------------------------------------------

    def run(self, flush: log.LogFile) -> None:
        """Set up, turn until told to stop, tear down."""
        self._say("loading")
        self.setup()
        self._say("ready")
        turns = self.page.counter("turns")
        try:
            while not self.stopping:
                self.health.look()
                turns.add(1)
                self.hear_all()
                with contextlib.suppress(JournalUnavailable):  # told by `endure`; what waits is in the journal still
                    self.work()
                    self._available()
                flush.flush()
                self.poller.poll(self.sleep_ms())
                self._swallow(self._wake)
        finally:
            if self.stopping:  # else it dies, and the warden counts that
                self._say("stopping")
            self.teardown()

    def _create_page(self) -> CountersPage:
        """Make the counters page; wait while the memory file system is full, since to die of that would help nobody."""
        told = False
        while True:
            try:
                return CountersPage.create(
                    self.paths.counters(self.name),
                    counters=("turns", "state", "events", "malformed", *self.counts),
                    histograms=self.times,
                )
            except ShmFull as error:
                if not told:
                    told = True
                    self.notice("error", "full", f"{self.name} cannot start: {error}; it does so once there is room")
                self.publisher.welcome()
                time.sleep(TICK_MS / 1000)  # no handler is installed yet: SIGTERM ends it

    def _catch_signals(self) -> socket.socket:
        # A signal that lands between the last check and poll(2) would else be noticed a whole tick late.
        read, write = socket.socketpair()
        read.setblocking(False)
        write.setblocking(False)
        signal.set_wakeup_fd(write.fileno())
        self._wake_write = write
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        return read

    def _available(self) -> None:
        if self._told_unavailable:
            self.journal.touch()
            self.notice("info", "journal", "the journal can be read and written again")
        self._unavailable_at, self._told_unavailable = None, False

    def _stop(self, *_: object) -> None:
        self.stopping = True

    @staticmethod
    def _swallow(wake: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError):
            wake.recv(64)

    def hear_all(self) -> None:
        """Take in the events that have come; the loop does it once a turn."""
        self.publisher.welcome()
        if self.subscriber is not None:
            heard = 0
            for event in received(self.subscriber.drain()):
                heard += 1
                self.hear(event)
            if heard:
                self._heard_at = time.monotonic()
                self.page.add("events", heard)
            self.page.set("malformed", self.subscriber.malformed)

    def _say(self, state: Literal["loading", "ready", "stopping"]) -> None:
        self.page.set("state", STATES.index(state))
        self.publish(StageState(stage=self.name, pid=os.getpid(), state=state))
        self.log.info(state)

    def close(self) -> None:
        """Free the name and the files."""
        self.page.close(unlink=True)
        if self.subscriber is not None:
            self.subscriber.close()
        self.publisher.close()
        self.journal.close()
        # zmq sends in a thread of its own, which an exit may outrun: the last word, why it ends, would be lost.
        zmq.Context.instance().destroy(linger=200)


def run(actor: type[Actor]) -> None:
    """Be that actor: the whole of a stage's `__main__`. Never returns; see `actors.exceptions` for exit codes."""
    os.umask(0o077)
    raise_file_limit()
    try:
        die_with_parent()
        paths = Paths.from_environment().ensure()
        config = load_config(paths.config)
        stdout = keep_output(paths.logs / f"{actor.name}.native.log")
        file = log.configure(paths.logs / f"{actor.name}.jsonl", level=config.log.level, stage=actor.name)
    except (Unmendable, ProtocolError) as error:
        print(f"{actor.name}: {error}", file=sys.stderr)  # noqa: T201 - there is no log yet
        sys.exit(EXIT_UNMENDABLE)
    code = EXIT_OK
    try:
        self = actor(paths, config, stdout)
        try:
            self.run(file)
        except JournalUnavailable as error:
            log.get_logger().warning("stopped", error=str(error))
        except (Unmendable, ModelError, ProtocolError) as error:
            self.notice("error", "unmendable", str(error))
            code = EXIT_UNMENDABLE
        finally:
            self.close()
    except ProtocolError as error:
        log.get_logger().error(str(error))
        code = EXIT_UNMENDABLE
    except BaseException:
        log.get_logger().exception("crashed")
        raise
    finally:
        file.close()
    sys.exit(code)
