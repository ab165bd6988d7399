"""The control socket: whoever asks gets an answer, whatever was asked."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import zmq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sottovoce.protocol.control import MAX_BYTES, ControlServer, request
from sottovoce.protocol.exceptions import ControlError
from sottovoce.protocol.paths import Paths


def handle(verb: str, args: dict[str, Any]) -> dict[str, Any]:
    """Answer as a conductor would."""
    if verb == "refuse":
        raise ControlError("busy", "there is a recording already")
    return {"verb": verb, "args": args}


@pytest.fixture
def address(paths: Paths) -> Iterator[str]:
    """Serve in a thread, as a conductor's loop does, and return the address."""
    over = threading.Event()
    ready = threading.Event()

    def serve() -> None:
        server = ControlServer(paths.control)
        ready.set()
        while not over.is_set():
            if server.socket.poll(5):
                server.serve(handle)
        server.close()

    thread = threading.Thread(target=serve)
    thread.start()
    assert ready.wait(10)
    yield paths.control
    over.set()
    thread.join()


@pytest.fixture
def dealer(address: str) -> Iterator[Callable[..., dict[str, Any]]]:
    """Return a function that sends raw frames and returns the reply's last frame, decoded."""
    with zmq.Context.instance().socket(zmq.DEALER) as socket:
        socket.set(zmq.LINGER, 0)
        socket.connect(address)

        def ask(*frames: bytes) -> dict[str, Any]:
            socket.send_multipart(frames)
            assert socket.poll(10_000), f"no answer to {frames!r:.200}"
            reply = socket.recv_multipart()
            assert reply[:-1] == list(frames[:-1])
            answer: dict[str, Any] = json.loads(reply[-1])
            return answer

        yield ask


def test_request_and_reply(address: str) -> None:
    """A verb and its arguments reach the handler, and its result comes back."""
    assert request(address, "start", {"source": {"type": "microphone"}}) == {
        "verb": "start", "args": {"source": {"type": "microphone"}},
    }  # fmt: skip
    assert request(address, "status") == {"verb": "status", "args": {}}


def test_refusal(address: str) -> None:
    """A refusal of the handler is raised at the client with its code and text."""
    with pytest.raises(ControlError, match="there is a recording already") as caught:
        request(address, "refuse")
    assert caught.value.code == "busy"


@pytest.mark.parametrize("request_id", ["a", "", 7, None, "é\u0000", [1, {"deep": []}]])
def test_id_is_echoed(dealer: Callable[..., dict[str, Any]], request_id: object) -> None:
    """The id of a request comes back in its reply, with a result or an error, whatever JSON it is."""
    for verb, ok in (("status", True), ("refuse", False), (5, False)):
        reply = dealer(json.dumps({"id": request_id, "verb": verb}).encode())
        assert (reply["id"], reply["ok"]) == (request_id, ok)


def test_plain_req_socket(address: str) -> None:
    """A plain REQ socket, as any zmq binding has, asks and is answered, several times over."""
    with zmq.Context.instance().socket(zmq.REQ) as socket:
        socket.set(zmq.LINGER, 0)
        socket.connect(address)
        for number in range(3):
            socket.send(json.dumps({"id": number, "verb": "toggle"}).encode())
            assert socket.poll(10_000)
            assert json.loads(socket.recv()) == {
                "id": number, "ok": True, "result": {"verb": "toggle", "args": {}},
            }  # fmt: skip


@pytest.mark.parametrize(
    "payload",
    [
        b"", b"{", b"\xff\xfe", b"null", b"[]", b'"toggle"', b"{}", b'{"verb": 1}', b'{"verb": "a", "args": []}',
        b'{"verb": "a", "args": null}', b"[" * 60_000, b'{"id":' * 10_000, b"1" * 60_000,
    ],
)  # fmt: skip
def test_malformed(dealer: Callable[..., dict[str, Any]], payload: bytes) -> None:
    """What is no request gets the error `malformed` with a text, and the server goes on."""
    reply = dealer(b"", payload)
    assert reply["ok"] is False
    assert reply["error"]["code"] == "malformed"
    assert reply["error"]["text"]
    assert dealer(b"", b'{"verb": "status"}')["ok"] is True


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None)
@given(
    payload=st.binary(max_size=200)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["id", "verb", "args"]) | st.text(), inner),
    ).map(lambda value: json.dumps(value).encode())
)
def test_every_request_is_answered(dealer: Callable[..., dict[str, Any]], payload: bytes) -> None:
    """Any bytes at all get one well-formed reply."""
    reply = dealer(b"", payload)
    assert set(reply) == ({"id", "ok", "result"} if reply["ok"] else {"id", "ok", "error"})


def test_oversize(address: str) -> None:
    """A request of more than 64 KB is not read: its sender is cut off, others are served."""
    with pytest.raises(ControlError) as caught:
        request(address, "start", {"filler": "x" * MAX_BYTES}, timeout=0.3)
    assert caught.value.code == "unreachable"
    filler = "x" * (MAX_BYTES - 200)
    assert request(address, "start", {"filler": filler})["args"] == {"filler": filler}


def test_several_clients_at_once(address: str) -> None:
    """Clients that ask at the same time each get their own answers."""

    def ask(client: int) -> list[object]:
        return [request(address, "status", {"n": [client, number]})["args"]["n"] for number in range(40)]

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(ask, range(4)))
    assert answers == [[[client, number] for number in range(40)] for client in range(4)]


def test_nobody_there(paths: Paths) -> None:
    """Without a socket the client says at once that the service does not run, and how to start it."""
    began = time.monotonic()
    with pytest.raises(ControlError, match="sottovoce up") as caught:
        request(paths.control, "status")
    assert caught.value.code == "unreachable"
    assert time.monotonic() - began < 1.0


def test_nobody_answers(paths: Paths) -> None:
    """A service that hangs costs the client its time-out, not its life."""
    server = ControlServer(paths.control)
    began = time.monotonic()
    with pytest.raises(ControlError) as caught:
        request(paths.control, "status", timeout=0.2)
    assert caught.value.code == "unreachable"
    assert 0.15 < time.monotonic() - began < 5.0
    server.close()


def test_killed_server(paths: Paths, child: Callable[..., Any]) -> None:
    """The socket file of a server that was killed ends in the same error, and a new server takes its place."""
    server = child(
        "import sys\nfrom sottovoce.protocol.control import ControlServer\n"
        "server = ControlServer(sys.argv[1])\nprint('up', flush=True)\nsys.stdin.read()",
        paths.control,
    )
    assert server.line() == "up"
    server.kill()
    with pytest.raises(ControlError) as caught:
        request(paths.control, "status", timeout=0.2)
    assert caught.value.code == "unreachable"
    ControlServer(paths.control).close()


def test_own_defect_is_not_hidden(paths: Paths, until: Callable[..., None]) -> None:
    """An error that is none of the client's comes out of `serve`, for the supervisor to see, and is no reply."""

    def broken(verb: str, args: dict[str, Any]) -> dict[str, Any]:
        raise RuntimeError("the disk is full")

    server = ControlServer(paths.control)
    with zmq.Context.instance().socket(zmq.DEALER) as socket:
        socket.connect(paths.control)
        socket.send(b'{"verb": "status"}')
        until(lambda: server.socket.poll(0))
        with pytest.raises(RuntimeError, match="the disk is full"):
            server.serve(broken)
    server.close()


def test_client_is_light(child: Callable[..., Any]) -> None:
    """What sits behind a hot key loads neither numpy nor the message types nor the journal."""
    loaded = child(
        "import sys\nfrom sottovoce.protocol import request, Paths\n"
        "print([name for name in ('numpy', 'msgspec', 'sqlite3', 'asyncio') if name in sys.modules], flush=True)"
    )
    assert loaded.line() == "[]"
