"""A server of OpenAI's API for transcriptions, which answers as a test wants it to."""

from __future__ import annotations

import email.parser
import email.policy
import json
import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Callable[[BaseHTTPRequestHandler], None]


class Server(ThreadingHTTPServer):
    """Answers as it was last told, and remembers what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer: Answer = say({"text": " Hello, world. "})
        self.connections = 0
        self.requests: list[tuple[str, str, dict[str, str], dict[str, list[bytes]]]] = []
        self.release = threading.Event()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def url(self) -> str:
        """Of the API."""
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def close(self) -> None:
        """Let go of who hangs, and stop."""
        self.release.set()
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def setup(self) -> None:
        self.server.connections += 1
        super().setup()

    def do_GET(self) -> None:
        self.server.requests.append((self.command, self.path, dict(self.headers), {}))
        self.server.answer(self)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        form: dict[str, list[bytes]] = {}
        for part in email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + body).iter_parts():
            content = part.get_payload(decode=True)
            assert isinstance(content, bytes)
            form.setdefault(str(part.get_param("name", header="Content-Disposition")), []).append(content)
        self.server.requests.append((self.command, self.path, dict(self.headers), form))
        self.server.answer(self)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Be quiet."""


def say(answer: Any, status: int = 200, kind: str = "application/json") -> Answer:
    """Return an answer of JSON, or of bytes."""
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()

    def send(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return send


def drop(handler: BaseHTTPRequestHandler) -> None:
    """Hang up without a word."""
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


def hang(handler: BaseHTTPRequestHandler) -> None:
    """Say nothing until the test lets go."""
    assert isinstance(handler.server, Server)
    handler.server.release.wait(30)
    handler.close_connection = True


def drip(handler: BaseHTTPRequestHandler) -> None:
    """Send a byte now and then, for ever: no read takes long, and the whole never ends."""
    assert isinstance(handler.server, Server)
    handler.send_response(200)
    handler.send_header("Content-Length", "1000000")
    handler.end_headers()
    handler.close_connection = True
    while not handler.server.release.wait(0.02):
        try:
            handler.wfile.write(b" ")
        except OSError:
            return
