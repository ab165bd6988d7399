"""A server of OpenAI's API for chat completions, which answers as a test wants it to."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler
from typing import Any

from apiserver import Answer, Server, say


class ChatServer(Server):
    """Answers as it was last told. `asked`: path, headers, JSON of each POST; `looked`: path, headers of each GET."""

    def __init__(self) -> None:
        super().__init__()
        self.RequestHandlerClass = _Handler
        self.asked: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        self.looked: list[tuple[str, dict[str, str]]] = []


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ChatServer

    def setup(self) -> None:
        self.server.connections += 1
        super().setup()

    def do_GET(self) -> None:
        self.server.looked.append((self.path, dict(self.headers)))
        self.server.answer(self)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, dict(self.headers), body))
        self.server.answer(self)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Be quiet."""


def completion(text: str | None, finish_reason: str = "stop") -> Answer:
    """Return the answer of a server of this API whose model says `text`."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish_reason}
    return say({"id": "x", "object": "chat.completion", "choices": [choice], "usage": {"total_tokens": 9}})
