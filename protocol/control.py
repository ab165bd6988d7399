"""The control socket: one request, one reply, ids echoed.

A request is one frame of JSON, `{"id": "...", "verb": "toggle", "args": {...}}`; the reply is `{"id": "...", "ok":
true, "result": {...}}` or `{"id": "...", "ok": false, "error": {"code": "...", "text": "..."}}`. The client is light on
purpose: `sottovoce toggle` sits behind a key, and loads this module and zmq, nothing more.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

import zmq

from sottovoce.protocol.exceptions import ControlError

MAX_BYTES = 64 << 10
Handler = Callable[[str, dict[str, Any]], dict[str, Any]]


class ControlServer:
    """The answering end; the caller polls `socket` and calls `serve`."""

    def __init__(self, address: str) -> None:
        self._socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.ROUTER)
        self._socket.set(zmq.LINGER, 200)
        self._socket.set(zmq.MAXMSGSIZE, MAX_BYTES)
        self._socket.bind(address)

    @property
    def socket(self) -> zmq.Socket[bytes]:
        """The socket, to be polled."""
        return self._socket

    def serve(self, handler: Handler) -> None:
        """Answer every request that has arrived; a ControlError of `handler` becomes an error reply."""
        while self._socket.poll(0, zmq.POLLIN):
            frames = self._socket.recv_multipart()
            self._socket.send_multipart([*frames[:-1], json.dumps(_answer(frames[-1], handler)).encode()])

    def close(self) -> None:
        """Unbind."""
        self._socket.close()


def _answer(payload: bytes, handler: Handler) -> dict[str, Any]:
    request_id: Any = None
    try:
        request = json.loads(payload)
        if not isinstance(request, dict):
            raise TypeError("a request is a JSON object")
        request_id = request.get("id")
        verb, args = request.get("verb"), request.get("args", {})
        if not isinstance(verb, str) or not isinstance(args, dict):
            raise TypeError('a request has "verb" (string) and "args" (object)')
        return {"id": request_id, "ok": True, "result": handler(verb, args)}
    except ControlError as error:
        return {"id": request_id, "ok": False, "error": {"code": error.code, "text": str(error)}}
    except (ValueError, TypeError, RecursionError) as error:
        return {"id": request_id, "ok": False, "error": {"code": "malformed", "text": str(error)}}


def request(address: str, verb: str, args: dict[str, Any] | None = None, *, timeout: float = 5.0) -> dict[str, Any]:
    """Send one request and return its result.

    Args:
        address: the service's `Paths.control`.
        verb: what is asked for, e.g. `"toggle"`.
        args: its arguments.
        timeout: seconds to wait for the reply.

    Raises:
        ControlError: refused (`code` of the reply), or nobody answered (`code` "unreachable").
    """
    path = address.removeprefix("ipc://")
    unreachable = ControlError("unreachable", "the service does not answer; start it with `sottovoce up --detach`")
    if not os.path.exists(path):  # noqa: PTH110 - pathlib costs this hot start 3 ms
        raise unreachable
    request_id = os.urandom(8).hex()
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
    try:
        socket.set(zmq.LINGER, 0)
        socket.connect(address)
        # The empty frame is the delimiter that lets a plain REQ socket ask as well.
        socket.send_multipart([b"", json.dumps({"id": request_id, "verb": verb, "args": args or {}}).encode()])
        if not socket.poll(round(timeout * 1000)):
            raise unreachable
        reply = json.loads(socket.recv_multipart()[-1])
    finally:
        socket.close()
    if reply.get("id") != request_id:
        raise ControlError("malformed", "the reply belongs to another request; run the command again")
    if not reply["ok"]:
        raise ControlError(reply["error"]["code"], reply["error"]["text"])
    result: dict[str, Any] = reply["result"]
    return result
