"""The event bus: every publisher binds its own socket, every subscriber connects to all it finds.

There is no broker, so there is none to crash or to add a hop. What a broker would give is had otherwise:

- *Late subscribers*: publishers are XPUB sockets, which see a subscription arrive. The publisher then sends the last
  message of each state topic again (a last-value cache), so whoever attaches is consistent at once. The repeat goes to
  all subscribers, since PUB cannot address one; it keeps its `t_ns`, by which a reader that has it drops it.
- *Slow subscribers*: a high-water mark bounds what is kept for them, and XPUB drops at the mark; it never blocks.
  An observer that stops reading therefore costs the service 1,000 messages of memory and no time.
- *Finding each other*: endpoints are files in the runtime directory. The stages' own are connected before they exist,
  since zmq retries; others are found by looking again once a second.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

import zmq

from sottovoce.protocol.clocks import boot_id, now_ns
from sottovoce.protocol.exceptions import MessageError
from sottovoce.protocol.locks import NameLock
from sottovoce.protocol.messages import Body, Event, decode, encode, topic_of
from sottovoce.protocol.paths import Paths

STAGES = ("conductor", "capture", "vad", "stt-draft", "stt-final", "transform", "inject", "warden")
HIGH_WATER = 1_000  # messages kept for a subscriber that does not read: under 1 MB
_RECONNECT_MS = 20  # a restarted stage is heard again within this; an idle retry costs one failed connect(2)
_RESCAN_S = 1.0


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
        self._socket.bind(paths.endpoint(name))
        self._seq = self._t_ns = 0
        self._last: dict[bytes, tuple[bytes, bytes]] = {}

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
        if topic_of(body).startswith("state."):
            self._last[frames[0]] = frames
        self._socket.send_multipart(frames)

    def welcome(self) -> None:
        """Answer subscriptions that have arrived with the last values they ask for."""
        while self._socket.poll(0, zmq.POLLIN):
            frame = self._socket.recv()
            if frame[:1] == b"\x01":
                for topic, frames in self._last.items():
                    if topic.startswith(frame[1:]):
                        self._socket.send_multipart(frames)

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
    """

    def __init__(self, paths: Paths, prefixes: Iterable[str] = (), *, stages: Iterable[str] | None = None) -> None:
        self._paths = paths
        self._socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.SUB)
        self._socket.set(zmq.RCVHWM, HIGH_WATER)
        self._socket.set(zmq.LINGER, 0)
        self._socket.set(zmq.RECONNECT_IVL, _RECONNECT_MS)
        for prefix in tuple(prefixes) or ("",):
            self._socket.set(zmq.SUBSCRIBE, prefix.encode())
        self._discover = stages is None
        self._known: set[str] = set()
        self._scanned = 0.0
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
                if path.stem not in self._known:
                    self._connect(path.stem)

    def drain(self) -> Iterator[Event]:
        """Yield the events that have arrived, without waiting. Malformed ones are counted, not raised."""
        while True:
            try:
                frames = self._socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            try:
                event = decode(frames[-1])
            except MessageError:
                self.malformed += 1
                continue
            if event is None or self._latest.get((event.src, event.topic), -1) >= event.t_ns:
                continue  # newer than this reader, or repeated for somebody who came later
            self._latest[event.src, event.topic] = event.t_ns
            yield event

    def wait(self, seconds: float | None) -> bool:
        """Wait until an event may have arrived; False when the time is over."""
        return bool(self._socket.poll(None if seconds is None else max(0, round(seconds * 1000))))

    def close(self) -> None:
        """Disconnect."""
        self._socket.close()
