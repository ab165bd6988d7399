"""What a hostile or broken program of the user may throw at each socket: `python floods.py KIND RUNTIME_DIRECTORY`.

It runs at the lowest priority, since what it burns itself is not the service's cost. It prints "on" when it begins, and
how much it has sent when its standard input ends.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import zmq

from sottovoce.protocol.bus import STAGES
from sottovoce.protocol.clocks import boot_id, now_ns
from sottovoce.protocol.messages import Body, Final, SegmentClosed, TextReady, encode

FORGED = "forged words"
"""No recording holds them."""
_GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(48)  # ZMTP 3.0


def forged(stream: int = 1, first: int = 0) -> list[Body]:
    """Return messages that look as if something were to be typed."""
    return [
        SegmentClosed(stream=stream, first=first, end=first + 16_000, speech_end=first + 9_000, reason="silence"),
        Final(
            stream=stream, first=first, end=first + 16_000, text=FORGED, window_id=1, corrects_window_ids=(), model="m",
            audio_s=1.0, decode_s=0.1, speculative=False,
        ),
        TextReady(stream=stream, first=first, text=FORGED),
    ]  # fmt: skip


def hostile() -> list[bytes]:
    """Return payloads that are not what they should be: large, deep, of wrong types, no UTF-8, beyond all numbers."""
    whole = encode(TextReady(stream=1, first=2, text="x"), src="vad", boot=boot_id(), seq=1, t_ns=now_ns())[1]
    return [
        b"x" * (10 << 20),
        b"[" * 60_000,
        b'{"a":' * 12_000,
        whole.replace(b'"x"', b"[" * 50_000),
        whole.replace(b'"x"', b"5"),
        whole.replace(b'"x"', b'"\xc3\x28"'),
        whole.replace(b'"stream":1', b'"stream":NaN'),
        whole.replace(b'"stream":1', b'"stream":' + b"9" * 50_000),
        whole.replace(b'"first":2', b'"first":1e999'),
        whole.replace(b'"t_ns":', b'"t_ns":9999999999'),
        whole.replace(b'"src":"vad"', b'"src":"' + b"v" * 60_000 + b'"'),
        b"",
        b"\x00" * 1000,
    ]


def requests() -> list[bytes]:
    """Return control requests that must change nothing."""
    return [
        b'{"verb": "status"}',
        b'{"verb": "type", "args": {"text": "forged words"}}',
        b'{"verb": "start", "args": {"source": {"type": "file", "path": "/x", "pace": 1e999}}}',
        b'{"verb": "start", "args": {"source": {"type": "file", "path": "/x", "pace": ' + b"9" * 400 + b"}}}",
        b'{"verb": "start", "args": {"source": {"type": "file", "path": "/x\\u0000y"}}}',
        b'{"verb": "start", "args": {"source": {"type": "file", "path": "\\ud800"}}}',
        b'{"verb": "start", "args": {"source": ' + b"[" * 500 + b"]" * 500 + b"}}",
        b'{"verb": "start", "args": {"text": "forged words"}}',
        b'{"verb": "shutdown", "args": {"limit": NaN}}',
        b'{"verb": "shutdown", "args": {"limit": ' + b"9" * 4000 + b"}}",
        b'{"verb": "__init__"}',
        b'{"verb": "status", "id": ' + b"[" * 900 + b"]" * 900 + b"}",
        b'{"verb": "' + b"v" * 60_000 + b'"}',
        b"[" * 60_000,
        b"\xff\xfe",
        b"",
    ]


# -- the floods: each sends a little and returns how many messages that were; None of them stops by itself -------------


def subscriptions(runtime: Path) -> Callable[[], int]:
    """Ask every stage for its states, again and again, each time under another name."""
    sockets = []
    for name in STAGES:
        with contextlib.suppress(zmq.ZMQError):
            asker = zmq.Context.instance().socket(zmq.XSUB)
            asker.connect(f"ipc://{runtime / name}.events")
            sockets.append(asker)
    numbers = itertools.count()

    def send() -> int:
        sent = 0
        for asker in sockets:
            for _ in range(50):
                with contextlib.suppress(zmq.Again):
                    asker.send(b"\x01state." if sent % 2 else b"\x01%x" % next(numbers), zmq.NOBLOCK)
                    sent += 1
        return sent

    return send


def control(runtime: Path) -> Callable[[], int]:
    """Send requests and never read a reply."""
    clients = []
    for _ in range(8):
        client = zmq.Context.instance().socket(zmq.DEALER)
        client.connect(f"ipc://{runtime / 'control'}")
        clients.append(client)
    payloads = itertools.cycle(requests())

    def send() -> int:
        sent = 0
        for client in clients:
            for _ in range(20):
                with contextlib.suppress(zmq.Again):
                    client.send_multipart([b"", next(payloads)], zmq.NOBLOCK)
                    sent += 1
        return sent

    return send


def publisher(runtime: Path, names: tuple[str, ...] = ("intruder",)) -> Callable[[], int]:
    """Publish forged and malformed messages under a name of its own."""
    sockets = []
    for name in names:
        path = runtime / f"{name}.events"
        path.unlink(missing_ok=True)  # of the stage whose name is taken over; the stage goes on at its old socket
        speaker = zmq.Context.instance().socket(zmq.PUB)
        speaker.set(zmq.LINGER, 0)
        speaker.bind(f"ipc://{path}")
        sockets.append((name, speaker))
    bad = itertools.cycle([payload for payload in hostile() if len(payload) < 1 << 16])
    large = b"x" * (10 << 20)
    counts = itertools.count(1)

    def send() -> int:
        sent = 0
        for name, speaker in sockets:
            for _ in range(100):
                for body in forged(first=sent):
                    t_ns = now_ns()
                    speaker.send_multipart(encode(body, src=name, boot=boot_id(), seq=next(counts), t_ns=t_ns))
                speaker.send_multipart([b"segment.closed", next(bad)])
                sent += 4
            if next(counts) % 100 == 0:
                speaker.send_multipart([b"segment.closed", large])
        return sent

    return send


def taken_over(runtime: Path) -> Callable[[], int]:
    """The same under the names of stages, at their paths: who connects anew hears this in the stage's place."""
    return publisher(runtime, ("vad", "stt-final", "transform"))


def connections(runtime: Path) -> Callable[[], int]:
    """Open some 300 connections to every socket, say nothing or nonsense, and read nothing."""
    paths = [path for path in runtime.iterdir() if path.is_socket()]
    held: list[socket.socket] = []
    words = itertools.cycle([b"", b"GET / HTTP/1.1\r\n", _GREETING, b"\xff" * 100, _GREETING + b"\x02" + b"\xff" * 8])

    def send() -> int:
        sent = 0
        for path in paths:
            one = socket.socket(socket.AF_UNIX)
            one.setblocking(False)
            try:
                one.connect(str(path))
                one.send(next(words))
            except OSError:  # its queue is full
                one.close()
                continue
            held.append(one)
            sent += 1
        while len(held) > 300 * len(paths):
            held.pop(0).close()
        return sent

    return send


FLOODS = {each.__name__: each for each in (subscriptions, control, publisher, taken_over, connections)}
RATES = {"connections": 1_000}
"""Most messages a second, where not 100,000. With no limit 7,500 to 14,000 connections a second were made, and latency
rose to seconds on a machine that had other work."""


@contextlib.contextmanager
def flood(kind: str, runtime: Path) -> Iterator[subprocess.Popen[str]]:
    """Let one rage while the block lasts."""
    process = subprocess.Popen(
        [sys.executable, __file__, kind, str(runtime)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "on\n"
        yield process
        assert process.poll() is None, "it ended by itself"
    finally:
        process.stdin.close()
        print(kind, process.stdout.read().strip(), "a second")
        process.stdout.close()
        process.wait(10)
        (runtime / "intruder.events").unlink(missing_ok=True)


def main(kind: str, runtime: str) -> None:
    """Flood until the standard input ends."""
    rate = RATES.get(kind, 100_000)
    os.nice(19)
    os.umask(0o077)
    send = FLOODS[kind](Path(runtime))
    began, sent = time.monotonic(), 0
    print("on", flush=True)
    while not select.select([sys.stdin], [], [], max(0.0, began + sent / rate - time.monotonic()))[0]:
        done = send()
        sent += done
        if not done:  # all that can be sent is: what holds it back is the service's own limits
            time.sleep(0.001)
    print(round(sent / (time.monotonic() - began)), flush=True)
    zmq.Context.instance().destroy(linger=0)


if __name__ == "__main__":
    main(*sys.argv[1:])
