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
import signal
import socket
import sys
from collections.abc import Iterator
from typing import ClassVar, Literal

import structlog
import zmq

from sottovoce.actors import log
from sottovoce.actors.exceptions import EXIT_OK, EXIT_UNMENDABLE, Unmendable
from sottovoce.actors.process import die_with_parent, keep_output
from sottovoce.models.exceptions import ModelError
from sottovoce.protocol.bus import Publisher, Subscriber
from sottovoce.protocol.config import Config, load_config
from sottovoce.protocol.exceptions import ProtocolError
from sottovoce.protocol.journal import Journal
from sottovoce.protocol.messages import Body, Event, Notice, StageState
from sottovoce.protocol.paths import Paths
from sottovoce.shm import CountersPage

TICK_MS = 250
"""Longest sleep of a loop, and so the longest that a lost message delays anything."""
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
        self.log = structlog.get_logger()
        self.publisher = Publisher(paths, self.name)  # first: it owns the name, all else may be another's
        self.page = CountersPage.create(
            paths.counters(self.name),
            counters=("turns", "state", "events", "malformed", *self.counts),
            histograms=("turn_us", *self.times),
        )
        self.journal = Journal(paths.journal(keep=config.history.keep), keep=config.history.keep)
        self.subscriber = Subscriber(paths, self.hears) if self.hears else None
        self.poller = zmq.Poller()
        self.poller.register(self.publisher.socket, zmq.POLLIN)
        if self.subscriber is not None:
            self.poller.register(self.subscriber.socket, zmq.POLLIN)
        self.stopping = False

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

    def sleep_ms(self) -> int:
        """Return how long the loop may sleep at most; a stage with a timer of its own returns less."""
        return TICK_MS

    # -- the loop ------------------------------------------------------------------------------------------------------

    def run(self, flush: log.LogFile) -> None:
        """Set up, turn until told to stop, tear down."""
        wake = self._catch_signals()
        self._say("loading")
        self.setup()
        self._say("ready")
        turns = self.page.counter("turns")
        try:
            while not self.stopping:
                turns.add(1)
                self._hear_all()
                self.work()
                flush.flush()
                self.poller.poll(self.sleep_ms())
                self._swallow(wake)
        finally:
            self._say("stopping")
            self.teardown()

    def _catch_signals(self) -> socket.socket:
        # A signal that lands between the last check and poll(2) would else be noticed a whole tick late.
        read, write = socket.socketpair()
        read.setblocking(False)
        write.setblocking(False)
        signal.set_wakeup_fd(write.fileno())
        self._wake_write = write
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        self.poller.register(read, zmq.POLLIN)
        return read

    def _stop(self, *_: object) -> None:
        self.stopping = True

    @staticmethod
    def _swallow(wake: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError):
            wake.recv(64)

    def _hear_all(self) -> None:
        self.publisher.welcome()
        if self.subscriber is not None:
            heard = 0
            for event in self.subscriber.drain():
                heard += 1
                self.hear(event)
            if heard:
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
        except (Unmendable, ModelError, ProtocolError) as error:
            self.notice("error", "unmendable", str(error))
            code = EXIT_UNMENDABLE
        finally:
            self.close()
    except ProtocolError as error:
        structlog.get_logger().error(str(error))
        code = EXIT_UNMENDABLE
    except BaseException:
        structlog.get_logger().exception("crashed")
        raise
    finally:
        file.close()
    sys.exit(code)
