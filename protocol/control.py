"""The control socket: one request, one reply, ids echoed.

A request is one frame of JSON, `{"id": "...", "verb": "toggle", "args": {...}}`; the reply is `{"id": "...", "ok":
true, "result": {...}}` or `{"id": "...", "ok": false, "error": {"code": "...", "text": "..."}}`. The client is light on
purpose: `sottovoce toggle` sits behind a key, and loads this module and zmq, nothing more.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from typing import Any

import zmq

from sottovoce.protocol.exceptions import ControlError

MAX_BYTES = 64 << 10
_QUEUE = 16
_SERVE_S = 0.005  # some 50 requests; the longest that a flood of them holds up the rest of a turn
_REST_S = 0.005  # and the pause after it, in which zmq's marks hold the sender back
_TEXT_LIMIT = 1_000
_REPLY_BYTES = 1 << 20  # an id of 64 KB is written with six times as many signs at worst
_NOT_OURS = "the service's directory belongs to somebody else; look who made it, or set SOTTOVOCE_RUNTIME_DIR"
Handler = Callable[[str, dict[str, Any]], dict[str, Any]]


class ControlServer:
    """The answering end; the caller polls `socket` and calls `serve`."""

    def __init__(self, address: str) -> None:
        self._socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.ROUTER)
        self._socket.set(zmq.LINGER, 200)
        self._socket.set(zmq.MAXMSGSIZE, MAX_BYTES)
        # Requests and replies that are kept for each client: who asks and never reads costs a few replies of memory.
        self._socket.set(zmq.RCVHWM, _QUEUE)
        self._socket.set(zmq.SNDHWM, _QUEUE)
        self._socket.set(zmq.HANDSHAKE_IVL, 5_000)  # zmq's own 30 s let the descriptors of silent clients pile up
        self._socket.bind(address)

    @property
    def socket(self) -> zmq.Socket[bytes]:
        """The socket, to be polled."""
        return self._socket

    def serve(self, handler: Handler) -> None:
        """Answer the requests that have arrived, for some milliseconds; the rest waits for the next call.

        A ControlError of `handler` becomes an error reply.
        """
        until = time.monotonic() + _SERVE_S
        while time.monotonic() < until:
            try:
                frames = self._socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            self._socket.send_multipart([*frames[:-1], _answer(frames[-1], handler)])
        time.sleep(_REST_S)

    def close(self) -> None:
        """Unbind."""
        self._socket.close()


def _answer(payload: bytes, handler: Handler) -> bytes:
    request_id: Any = None
    try:
        request = json.loads(payload, parse_constant=_refuse_constant)
        if not isinstance(request, dict):
            raise TypeError("a request is a JSON object")
        # It may be nested so deeply that it can be read and not be written. A refusal is written some calls deeper.
        json.dumps([[[[request.get("id")]]]])
        request_id = request.get("id")
        verb, args = request.get("verb"), request.get("args", {})
        if not isinstance(verb, str) or not isinstance(args, dict):
            raise TypeError('a request has "verb" (string) and "args" (object)')
        return json.dumps({"id": request_id, "ok": True, "result": handler(verb, args)}).encode()
    except ControlError as error:
        return _refusal(request_id, error.code, error)
    # OverflowError: an integer that is too large for whoever reads it next.
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        return _refusal(request_id, "malformed", error)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _refusal(request_id: object, code: str, error: Exception) -> bytes:
    text = str(error)
    if len(text) > _TEXT_LIMIT:  # it quotes the request
        text = text[:_TEXT_LIMIT] + "..."
    return json.dumps({"id": request_id, "ok": False, "error": {"code": code, "text": text}}).encode()


def request(address: str, verb: str, args: dict[str, Any] | None = None, *, timeout: float = 5.0) -> dict[str, Any]:
    """Send one request and return its result.

    Args:
        address: the service's `Paths.control`.
        verb: what is asked for, e.g. `"toggle"`.
        args: its arguments.
        timeout: seconds to wait for the reply.

    Raises:
        ControlError: refused (`code` of the reply); nobody answered, or somebody else would (`code` "unreachable"); or
            what answered is no service ("malformed").
    """
    path = address.removeprefix("ipc://")
    unreachable = ControlError("unreachable", "the service does not answer; start it with `sottovoce up --detach`")
    try:
        owner = os.stat(path).st_uid  # noqa: PTH116 - pathlib costs this hot start 3 ms
    except FileNotFoundError:
        raise unreachable from None
    except OSError as error:
        raise ControlError("unreachable", f"{path}: {error.strerror}; {_NOT_OURS}") from error
    if owner != os.getuid():
        raise ControlError("unreachable", f"{path}: belongs to uid {owner}; {_NOT_OURS}")
    request_id = os.urandom(8).hex()
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
    try:
        socket.set(zmq.LINGER, 0)
        socket.set(zmq.MAXMSGSIZE, _REPLY_BYTES)
        socket.connect(address)
        # The empty frame is the delimiter that lets a plain REQ socket ask as well.
        socket.send_multipart([b"", json.dumps({"id": request_id, "verb": verb, "args": args or {}}).encode()])
        if not socket.poll(round(timeout * 1000)):
            raise unreachable
        return _result(socket.recv_multipart()[-1], request_id)
    finally:
        socket.close()


def _result(payload: bytes, request_id: str) -> dict[str, Any]:
    """Return the result that a reply holds.

    Raises:
        ControlError: it is a refusal, or no reply to this request.
    """
    try:
        reply = json.loads(payload)
        if reply["id"] != request_id:
            raise ControlError("malformed", "the reply belongs to another request; run the command again")
        if reply["ok"] is not True:
            raise ControlError(str(reply["error"]["code"]), str(reply["error"]["text"]))
        result = reply["result"]
        if not isinstance(result, dict):
            raise TypeError("its result is not an object")
    except (ValueError, TypeError, KeyError, IndexError, RecursionError) as error:
        raise ControlError(
            "malformed", f"what answers is not the service ({error!r:.200}); see who runs there"
        ) from None
    return result
