"""Requests to a child of the bridge, and its answers: docs/bridge.md from the parent's side.

Whatever breaks the protocol is a `Mishap`, after which nothing that the child says can be trusted: it is to be ended.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Any

from sottovoce.models.bridge import wire
from sottovoce.models.engines.answers import Answer, Error, Hello, Loaded, Unloaded, decode
from sottovoce.models.engines.child import Child, ChildGone

_GRACE_S = 1.0
"""For the answer to a decode that was given up; a child that keeps it stays warm."""
_MESSAGE_CHARACTERS = 300


class Mishap(Exception):
    """The child has done something that it must not; the text says what, fit for a log."""


class Unanswered(Exception):
    """There was no answer in time, or nobody wants one any more. Unless `well`, the child must be ended."""

    def __init__(self, message: str, *, well: bool) -> None:
        super().__init__(message)
        self.well = well


class Conversation:
    """A child and what has been said so far. One thread speaks; `interrupt` and `end` may come from others.

    Args:
        command: the program and its arguments.

    Raises:
        Mishap: it cannot be started.
    """

    def __init__(self, command: Sequence[str]) -> None:
        try:
            self.child = Child(command)
        except ChildGone as error:
            raise Mishap(str(error)) from error
        self.hello = Hello(0, 0)
        """What it said of itself."""
        self._id = 0

    def greet(self, seconds: float, enough: Callable[[], bool]) -> None:
        """Agree on the protocol.

        Raises:
            Mishap, Unanswered: as of `ask`; also if the child does not want to, or speaks another one.
        """
        request = {"type": "hello", "protocols": [wire.VERSION], "software": "sottovoce"}
        answer = self.ask(request, seconds, enough)
        if isinstance(answer, Error):
            raise Mishap(f"does not want to speak with us: {reason(answer)}")
        if not isinstance(answer, Hello) or answer.protocol != wire.VERSION:
            raise Mishap(f"does not speak version {wire.VERSION} of the protocol (docs/bridge.md)")
        if "file" not in answer.audio:
            raise Mishap("does not take audio by file, which every child must (docs/bridge.md)")
        self.hello = answer

    def load(self, request: dict[str, Any], seconds: float, enough: Callable[[], bool]) -> str:
        """Have it load the model; return what it decodes on.

        Raises:
            Mishap, Unanswered: as of `ask`; also if it cannot.
        """
        answer = self.ask({"type": "load", **request}, seconds, enough)
        if isinstance(answer, Error):
            raise Mishap(f"cannot load the model: {reason(answer)}")
        if not isinstance(answer, Loaded):
            raise Mishap(f"answered {kind(answer)} when it was to load")
        return printable(answer.device)

    def unload(self, seconds: float, enough: Callable[[], bool]) -> None:
        """Have it free the model.

        Raises:
            Mishap, Unanswered: as of `ask`; also if it does not.
        """
        answer = self.ask({"type": "unload"}, seconds, enough)
        if not isinstance(answer, Unloaded):
            raise Mishap(f"answered {kind(answer)} when it was to unload")

    def ask(self, request: dict[str, Any], seconds: float, enough: Callable[[], bool]) -> Answer:
        """Return the answer to a request.

        Args:
            request: without its id.
            seconds: longest wait.
            enough: asked after an interruption by another thread, whether to give up.

        Raises:
            Mishap: the child has ended or broke the protocol.
            Unanswered: it was given up.
        """
        self._id += 1
        deadline = time.monotonic() + seconds
        try:
            if self.child.unasked():
                raise Mishap("has said something that nobody asked for")
            self.child.send(wire.encode({**request, "id": self._id}), deadline)
            while (line := self.child.receive(deadline)) is None:
                if enough() or time.monotonic() >= deadline:
                    why = f"has not answered {request['type']} within {seconds:.1f} s"
                    raise Unanswered(why, well=request["type"] == "decode" and self._cancel())
        except ChildGone as error:
            raise Mishap(str(error)) from error
        return self._read(line)

    def _cancel(self) -> bool:
        """Have the child give up the decode, if it can; tell whether it did."""
        if not self.hello.cancel:
            return False
        deadline = time.monotonic() + _GRACE_S
        line = None
        with contextlib.suppress(ChildGone):
            self.child.send(wire.encode({"type": "cancel", "id": self._id + 1, "target": self._id}), deadline)
            while line is None and time.monotonic() < deadline:
                line = self.child.receive(deadline)
        if line is None:
            return False
        self._read(line)
        self._id += 1
        return True

    def _read(self, line: bytes) -> Answer:
        try:
            answer = decode(line)
        except ValueError as error:
            raise Mishap(f"has said {len(line)} bytes that are no answer: {error}") from error
        if answer.id != self._id:
            raise Mishap(f"has answered request {answer.id} when request {self._id} was asked")
        return answer

    def farewell(self, seconds: float) -> None:
        """Say bye, without waiting for the answer."""
        self._id += 1
        with contextlib.suppress(ChildGone):
            self.child.send(wire.encode({"type": "bye", "id": self._id}), time.monotonic() + seconds)


def reason(error: Error) -> str:
    """Return what an error says, fit for a log, as the protocol wants it to be."""
    return printable(error.message) or printable(error.code)


def kind(answer: Answer) -> str:
    """Return the type of an answer."""
    return type(answer).__name__.lower()


def printable(text: str) -> str:
    """Return text in one line, of a length that can be looked at."""
    return "".join(c if c.isprintable() else " " for c in text)[:_MESSAGE_CHARACTERS]
