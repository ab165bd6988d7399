"""Connecting anew where zmq does not.

zmq makes a connection that broke anew, but not one whose peer broke the rules: sent a message beyond MAXMSGSIZE, or
something that is no ZMTP at all (session_base_t::engine_error, libzmq 4.3.5). A stage whose path somebody took over for
a moment would be deaf to the genuine one for as long as it lives.
"""

from __future__ import annotations

import time

import zmq
from zmq.utils.monitor import parse_monitor_message

_PATIENCE_S = 1.0  # zmq itself is back within 20 ms of the peer's return; who breaks the rules may do so once a second


class Reopener:
    """Watches the connections that a socket makes; its owner calls `turn` now and then.

    Args:
        socket: not connected yet.
    """

    def __init__(self, socket: zmq.Socket[bytes]) -> None:
        self._socket = socket
        # CONNECT_RETRIED would tell what is lost sooner, and come 50 times a second for each stage that does not run.
        self._events = socket.get_monitor_socket(zmq.EVENT_CONNECTED | zmq.EVENT_DISCONNECTED)
        self._lost: dict[str, float] = {}

    def turn(self) -> None:
        """Connect once more what has been lost for a second."""
        while True:
            try:
                event = parse_monitor_message(self._events.recv_multipart(zmq.NOBLOCK))
            except zmq.Again:
                break
            endpoint = event["endpoint"].decode()
            if event["event"] == zmq.EVENT_CONNECTED:
                self._lost.pop(endpoint, None)
            else:
                self._lost[endpoint] = time.monotonic() + _PATIENCE_S
        for endpoint in [endpoint for endpoint, due in self._lost.items() if time.monotonic() >= due]:
            del self._lost[endpoint]
            self._socket.disconnect(endpoint)
            self._socket.connect(endpoint)

    def close(self) -> None:
        """Stop watching; the socket is its owner's to close."""
        self._socket.disable_monitor()
        self._events.close()
