"""The example of docs/examples: a client with nothing but a socket and JSON."""

from __future__ import annotations

import ast
import os
import selectors
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sottovoce.protocol.bus import Publisher
from sottovoce.protocol.messages import Draft, Final, Notice, PipelineState
from sottovoce.protocol.paths import Paths

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "subscriber.py"
Open = Callable[..., Any]


def final(text: str) -> Final:
    """Return a final transcript."""
    return Final(
        stream=1, first=0, end=9, text=text, window_id=2, corrects_window_ids=(1,), model="m", audio_s=1.0,
        decode_s=0.1, speculative=False,
    )  # fmt: skip


class Example:
    """The example as a running process, with the lines that it has printed."""

    def __init__(self, paths: Paths) -> None:
        self.process = subprocess.Popen(
            [sys.executable, EXAMPLE], stdout=subprocess.PIPE, env=os.environ | paths.environment()
        )
        assert self.process.stdout is not None
        self._pipe = self.process.stdout
        os.set_blocking(self._pipe.fileno(), False)
        self._printed = b""

    def lines(self) -> list[str]:
        """Return all complete lines so far."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._pipe, selectors.EVENT_READ)
            if selector.select(0):
                self._printed += os.read(self._pipe.fileno(), 1 << 16)
        assert self.process.poll() is None, "the example ended"
        return self._printed.decode().split("\n")[:-1]

    def stop(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()
        self._pipe.close()


@pytest.fixture
def example(paths: Paths) -> Iterator[Example]:
    """Run the example for as long as the test lasts."""
    running = Example(paths)
    yield running
    running.stop()


def test_prints_what_is_published(example: Example, publisher: Open, until: Open) -> None:
    """It attaches late, prints the state it missed, then drafts and finals as they come, each once."""
    conductor: Publisher = publisher("conductor")
    stt: Publisher = publisher("stt-final")

    def welcome() -> None:
        conductor.welcome()
        stt.welcome()

    conductor.publish(PipelineState(state="recording", generation=1, source="microphone", waiting=0))
    until(lambda: "state: conductor recording" in example.lines(), welcome)
    # It may have found the other publisher a second later: wait for its subscription there.
    stt.publish(final("are you there?"))
    until(lambda: example.lines()[1:], lambda: (welcome(), stt.publish(final("are you there?"))))
    conductor.publish(PipelineState(state="recording", generation=2, source="microphone", waiting=0))
    stt.publish(Notice(level="info", stage="stt-final", code="x", text="not subscribed to"))
    stt.publish(Draft(stream=1, first=0, end=5, text="ever tried", stable=0, window_id=1))
    stt.publish(final("Ever tried, ever failed. Ünïcode 🎙"))
    until(lambda: "final: Ever tried, ever failed. Ünïcode 🎙" in example.lines(), welcome)
    conductor.publish(PipelineState(state="idle", generation=2, source="microphone", waiting=0))
    until(lambda: "state: conductor idle" in example.lines(), welcome)
    said = [line for line in example.lines() if "are you there?" not in line]
    assert sorted(said) == sorted([
        "state: conductor recording", "state: conductor recording", "draft: ever tried",
        "final: Ever tried, ever failed. Ünïcode 🎙", "state: conductor idle",
    ])  # fmt: skip
    assert said.index("draft: ever tried") < said.index("final: Ever tried, ever failed. Ünïcode 🎙")


def test_a_repeat_is_printed_once(
    example: Example, paths: Paths, publisher: Open, subscriber: Open, until: Open
) -> None:
    """When another observer attaches, the state that is sent again for it is not printed a second time."""
    conductor: Publisher = publisher("conductor")
    conductor.publish(PipelineState(state="recording", generation=1, source="microphone", waiting=0))
    until(example.lines, conductor.welcome)
    for _ in range(3):
        other = subscriber("state.")
        until(lambda: list(other.drain()), conductor.welcome)  # noqa: B023 - called here, not kept
    conductor.publish(PipelineState(state="idle", generation=1, source="microphone", waiting=0))
    until(lambda: example.lines()[1:], conductor.welcome)
    assert example.lines() == ["state: conductor recording", "state: conductor idle"]


def test_outlives_the_service(example: Example, publisher: Open, until: Open) -> None:
    """It may be started before the service, and hears the next one as well."""
    for generation in (1, 2):
        conductor: Publisher = publisher("conductor")
        conductor.publish(PipelineState(state="recording", generation=generation, source="microphone", waiting=0))
        until(lambda: len(example.lines()) == generation, conductor.welcome)  # noqa: B023 - called here, not kept
        conductor.close()


def test_needs_only_a_socket_and_json() -> None:
    """It imports nothing but pyzmq and the standard library, so that it translates into any language."""
    imports = [
        node for node in ast.walk(ast.parse(EXAMPLE.read_text())) if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    modules = {node.module if isinstance(node, ast.ImportFrom) else node.names[0].name for node in imports}
    assert modules == {"zmq", "json", "os", "pathlib"}
    assert len(EXAMPLE.read_text().splitlines()) <= 50
