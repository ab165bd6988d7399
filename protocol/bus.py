"""The event bus: every publisher binds its own socket, every subscriber connects to all it finds.

There is no broker, so there is none to crash or to add a hop. What a broker would give is had otherwise:

- *Late subscribers*: publishers are XPUB sockets, which see a subscription arrive. The publisher then sends the last
  message of each state topic again (a last-value cache), so whoever attaches is consistent at once. The repeat goes to
  all subscribers, since PUB cannot address one; it keeps its `t_ns`, by which a reader that has it drops it.
- *Slow subscribers*: a high-water mark bounds what is kept for them, and XPUB drops at the mark; it never blocks.
  An observer that stops reading therefore costs the service 1,000 messages of memory and no time.
- *Finding each other*: endpoints are files in the runtime directory. The stages' own are connected before they exist,
  since zmq retries; observers find others by looking again once a second. Stages listen to stages only.
- *Floods*: whatever arrives is taken in batches, and a full batch is followed by a short rest, in which zmq's own
  marks hold the sender back. A sender of 100,000 messages a second thus costs a stage a quarter of a core and some
  milliseconds, not its heartbeat. (A rest after each 32 was tried: half the turns, no less latency.)
"""

from __future__ import annotations

import os
import re
import resource
import time
from collections.abc import Iterable, Iterator

import zmq

from sottovoce.protocol.clocks import boot_id, now_ns
from sottovoce.protocol.exceptions import MessageError
from sottovoce.protocol.locks import NameLock
from sottovoce.protocol.messages import MAX_BYTES, Body, Event, decode, encode, topic_of
from sottovoce.protocol.paths import Paths, require_ours
from sottovoce.protocol.reopen import Reopener
from sottovoce.protocol.runtime import SUN_PATH_MAX

STAGES = ("conductor", "capture", "vad", "stt-draft", "stt-final", "transform", "inject", "warden")
HIGH_WATER = 1_000  # messages kept for a subscriber that does not read: under 1 MB
_RECONNECT_MS = 20  # a restarted stage is heard again within this; an idle retry costs one failed connect(2)
_RESCAN_S = 1.0
BATCH = 256
"""Messages or subscriptions that are taken in a turn; a busy service makes some 50 a second."""
REST_S = 0.005
"""Pause after a full batch: it holds a flood to 50,000 a second, and adds so much to the latency of a turn."""
_REPEAT_S = 0.02  # between two repeats of the state topics: each goes to all subscribers, so one must not cause many
_SUBSCRIPTION_BYTES = 256  # the longest topic has 21; zmq's greeting, which counts too, has 40
_SUBSCRIPTIONS = 64  # kept unread for each connection; the rest waits in the sender
HANDSHAKE_MS = 5_000  # who has connected and not greeted by then is dropped; zmq's own 30 s let descriptors pile up
_STRANGERS = 64  # publishers beside the stages that a reader connects to
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def raise_file_limit() -> None:
    """Let this process open as many files as it may at all.

    zmq ends the process (abort) when accept(2) finds no free descriptor, and the usual soft limit is 1,024: any
    program of the user that leaks connections would take the stage with it.
    """
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Publisher:
    """The one socket at which a process tells what happens in it; owns the process's name.

    Args:
        paths: the service's paths.
        name: the process's name; its endpoint is `<runtime>/<name>.events`.

    Raises:
        EndpointBusy: a living process has this name.
    """

    def __init__(self, paths: Paths, name: str) -> None:
        self.name = name
        self._lock = NameLock(paths.lock(name))
        self._socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.XPUB)
        self._socket.set(zmq.SNDHWM, HIGH_WATER)
        self._socket.set(zmq.LINGER, 200)
        self._socket.set(zmq.XPUB_VERBOSE, 1)  # show repeated subscriptions: each may be another late observer
        self._socket.set(zmq.RCVHWM, _SUBSCRIPTIONS)
        self._socket.set(zmq.MAXMSGSIZE, _SUBSCRIPTION_BYTES)
        self._socket.set(zmq.HANDSHAKE_IVL, HANDSHAKE_MS)
        self._socket.bind(paths.endpoint(name))
        self._seq = self._t_ns = 0
        self._last: dict[bytes, tuple[bytes, bytes]] = {}
        self._asked: set[bytes] = set()
        self._repeat_at = 0.0
        self.unsent = 0
        """Messages that were dropped because they were larger than a reader takes."""

    @property
    def socket(self) -> zmq.Socket[bytes]:
        """The socket, to be polled for `welcome`."""
        return self._socket

    def publish(self, body: Body) -> None:
        """Send `body` to whoever listens; state topics are kept for those who come later."""
        self._seq += 1
        # Strictly growing, so that no two messages of one topic look like a repeat.
        self._t_ns = max(now_ns(), self._t_ns + 1)
        frames = encode(body, src=self.name, boot=boot_id(), seq=self._seq, t_ns=self._t_ns)
        if len(frames[1]) > MAX_BYTES:  # readers would cut the connection, and miss more than this one
            self.unsent += 1
            return
        if topic_of(body).startswith("state."):
            self._last[frames[0]] = frames
        self._socket.send_multipart(frames)

    def welcome(self) -> None:
        """Answer subscriptions that have arrived with the last values they ask for.

        To be called when the socket is readable and a few times a second in any case: an answer that would follow
        too soon upon another waits for the next call.
        """
        for _ in range(BATCH):
            try:
                frame = self._socket.recv(zmq.NOBLOCK)
            except zmq.Again:
                break
            if frame[:1] == b"\x01":
                self._asked.update(topic for topic in self._last if topic.startswith(frame[1:]))
        else:
            time.sleep(REST_S)
        if self._asked and time.monotonic() >= self._repeat_at:
            for topic in self._asked:
                self._socket.send_multipart(self._last[topic])
            self._asked.clear()
            self._repeat_at = time.monotonic() + _REPEAT_S

    def close(self) -> None:
        """Send what is queued (200 ms at most), unbind, free the name."""
        self._socket.close()
        self._lock.release()


class Subscriber:
    """Reads the events of all publishers of a service.

    Args:
        paths: the service's paths.
        prefixes: topic prefixes, e.g. `"transcript."`; none means everything.
        stages: names to connect to; by default all stages and whatever else publishes there.

    Raises:
        PathError: the runtime directory is there and belongs to somebody else.
    """

    def __init__(self, paths: Paths, prefixes: Iterable[str] = (), *, stages: Iterable[str] | None = None) -> None:
        require_ours(paths.runtime)
        self._paths = paths
        self._socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.SUB)
        self._socket.set(zmq.RCVHWM, HIGH_WATER)
        self._socket.set(zmq.MAXMSGSIZE, MAX_BYTES)
        self._socket.set(zmq.LINGER, 0)
        self._socket.set(zmq.RECONNECT_IVL, _RECONNECT_MS)
        for prefix in tuple(prefixes) or ("",):
            self._socket.set(zmq.SUBSCRIBE, prefix.encode())
        self._reopener = Reopener(self._socket)
        self._discover = stages is None
        self._known: set[str] = set()
        self._scanned = float("-inf")
        self._latest: dict[tuple[str, str], int] = {}
        self.malformed = 0
        """Messages that were dropped because they were not what they said."""
        for name in STAGES if stages is None else stages:
            self._connect(name)
        self.rescan()

    @property
    def socket(self) -> zmq.Socket[bytes]:
        """The socket, to be polled."""
        return self._socket

    def _connect(self, name: str) -> None:
        self._known.add(name)
        self._socket.connect(self._paths.endpoint(name))

    def rescan(self) -> None:
        """Connect to publishers that have appeared, at most once a second."""
        if self._discover and time.monotonic() - self._scanned >= _RESCAN_S:
            self._scanned = time.monotonic()
            for path in self._paths.runtime.glob("*.events"):
                if len(self._known) >= len(STAGES) + _STRANGERS:
                    return
                fits = _NAME.fullmatch(path.stem) and len(os.fsencode(path)) <= SUN_PATH_MAX
                if fits and path.stem not in self._known:
                    self._connect(path.stem)

    def drain(self) -> Iterator[Event]:
        """Yield the events that have arrived, without waiting for more; of very many, a batch.

        What is no message, says that it comes from nobody whom this reader listens to, or (where that is stages only)
        from the future is counted as malformed and dropped: a forged time would make the genuine messages after it
        look like repeats.
        """
        self._reopener.turn()
        for _ in range(BATCH):
            try:
                frames = self._socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            try:
                event = decode(frames[-1])
            except MessageError:
                self.malformed += 1
                continue
            if event is None:
                continue  # newer than this reader
            # Observers may sit in another time namespace, whose CLOCK_MONOTONIC is another.
            if event.src not in self._known or (not self._discover and event.t_ns > now_ns()):
                self.malformed += 1
                continue
            if self._latest.get((event.src, event.topic), -1) >= event.t_ns:
                continue  # repeated for somebody who came later
            self._latest[event.src, event.topic] = event.t_ns
            yield event
        time.sleep(REST_S)

    def wait(self, seconds: float | None) -> bool:
        """Wait until an event may have arrived; False when the time is over."""
        return bool(self._socket.poll(None if seconds is None else max(0, round(seconds * 1000))))

    def close(self) -> None:
        """Disconnect."""
        self._reopener.close()
        self._socket.close()
