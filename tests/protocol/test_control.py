"""The control socket: whoever asks gets an answer, whatever was asked."""

from __future__ import annotations

import contextlib
import json
import resource
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
    if verb == "overflow":
        raise OverflowError("Integer value out of range")
    if len(verb) > 1_000:
        raise ControlError("unknown_verb", f"no verb {verb!r}")
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
        b'{"verb": "a", "args": null}', b"[" * 60_000, b'{"id":' * 10_000, b"1" * 60_000, b'{"verb": "a", "id": NaN}',
        b'{"verb": "a", "args": {"x": Infinity}}', b'{"verb": "overflow"}',
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


@pytest.mark.parametrize("verb", ["status", "refuse"])
def test_deep_ids(address: str, verb: str) -> None:
    """An id of any depth is either echoed or refused: none that can be read and not be written ends the server."""
    echoed = []
    with zmq.Context.instance().socket(zmq.REQ) as client:
        client.set(zmq.LINGER, 0)
        client.connect(address)
        for depth in range(900, 1_010):
            client.send(b'{"verb": "%b", "id": ' % verb.encode() + b"[" * depth + b"]" * depth + b"}")
            assert client.poll(10_000), f"no answer to an id of depth {depth}"
            reply = client.recv()  # not to be decoded here, where the stack is deeper
            echoed.append(reply.startswith(b'{"id": ['))
            assert echoed[-1] or reply.startswith(b'{"id": null, "ok": false, "error": {"code": "malformed"')
            assert (b'"ok": true' in reply) == (echoed[-1] and verb == "status")
    assert set(echoed) == {True, False}


def test_refusals_are_short(dealer: Callable[..., dict[str, Any]]) -> None:
    """A refusal quotes a thousand signs of a request at most, not 60,000."""
    reply = dealer(b"", json.dumps({"verb": "v" * 60_000}).encode())
    assert reply["error"]["code"] == "unknown_verb"
    assert len(reply["error"]["text"]) < 1_100


def test_who_never_reads_costs_little(paths: Paths) -> None:
    """Of the replies to a client that asks on and on and reads none, a few are kept; others are answered meanwhile."""
    server = ControlServer(paths.control)
    deadline = time.monotonic() + 60
    payload = json.dumps({"verb": "status", "id": "é" * 10_000}).encode()
    answered = 0

    def answer(verb: str, args: dict[str, Any]) -> dict[str, Any]:
        nonlocal answered
        answered += 1
        return {"filler": "x" * 50_000}

    with zmq.Context.instance().socket(zmq.DEALER) as deaf, zmq.Context.instance().socket(zmq.DEALER) as other:
        for client in (deaf, other):
            client.set(zmq.LINGER, 0)
        deaf.set(zmq.RCVHWM, 1)
        deaf.connect(paths.control)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        while answered < 2_000 and time.monotonic() < deadline:  # 220 MB of replies
            with contextlib.suppress(zmq.Again):
                deaf.send_multipart([b"", payload], zmq.NOBLOCK)
            server.serve(answer)
        assert answered >= 2_000
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60_000
        other.connect(paths.control)
        other.send_multipart([b"", b'{"verb": "status"}'])
        while not other.poll(5):
            assert time.monotonic() < deadline
            server.serve(answer)
    server.close()


def test_a_turn_is_short(paths: Paths, until: Callable[..., None]) -> None:
    """However many requests wait, `serve` returns after some milliseconds, and answers the rest when called again."""
    server = ControlServer(paths.control)
    answered = 0

    def slow(verb: str, args: dict[str, Any]) -> dict[str, Any]:
        nonlocal answered
        answered += 1
        time.sleep(0.002)
        return {}

    with zmq.Context.instance().socket(zmq.DEALER) as client:
        client.set(zmq.LINGER, 0)
        client.connect(paths.control)
        for _ in range(50):
            client.send_multipart([b"", b'{"verb": "status"}'])
        until(lambda: server.socket.poll(0))
        turns = 0
        while answered < 50:
            server.serve(slow)
            turns += 1
        assert turns > 5
    server.close()


@pytest.mark.parametrize(
    "reply",
    [
        b"", b"[]", b"{}", b"\xff", b"[" * 10_000, b'{"id": 1}', b'{"id": "ID", "ok": false}',
        b'{"id": "ID", "ok": true}',
        b'{"id": "ID", "ok": true, "result": 5}', b'{"id": "ID", "ok": false, "error": "x"}', b'{"id": "other"}',
        b'{"id": "ID", "ok": 1, "result": {}}',
    ],
)  # fmt: skip
def test_odd_replies(paths: Paths, reply: bytes) -> None:
    """Whatever answers in the service's place ends in a ControlError for the client, and in no other."""
    over = threading.Event()

    def answer() -> None:
        with zmq.Context.instance().socket(zmq.ROUTER) as false:
            false.set(zmq.LINGER, 200)
            false.bind(paths.control)
            over.set()
            assert false.poll(10_000)
            frames = false.recv_multipart()
            asked = json.loads(frames[-1])["id"].encode()
            false.send_multipart([*frames[:-1], reply.replace(b"ID", asked)])

    thread = threading.Thread(target=answer)
    thread.start()
    assert over.wait(10)
    with pytest.raises(ControlError) as caught:
        request(paths.control, "status", timeout=10.0)
    assert caught.value.code == "malformed"
    thread.join()


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
