"""The verbs behind a key: what they answer, and what they do not load to do so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from sottovoce.ops.entry import HOT
from sottovoce.protocol.control import ControlServer
from sottovoce.protocol.exceptions import ControlError
from sottovoce.protocol.paths import Paths

STATE = {"state": "recording", "generation": 1, "source": "microphone", "waiting": 0, "changed": True}
# Engines and numbers, and what by itself takes longer to import than the answer takes to come.
HEAVY = {
    "av", "click", "numpy", "onnxruntime", "pydantic", "rich", "sherpa_onnx", "sounddevice", "soundfile", "soxr",
    "sqlite3", "structlog", "supervisor", "typer", "dataclasses", "inspect",
}  # fmt: skip
CHILD = "from sottovoce.ops.entry import main; main()"


@pytest.fixture
def server(paths: Paths) -> Iterator[ControlServer]:
    """Answer at the control socket in place of a conductor."""
    opened = ControlServer(paths.control)
    yield opened
    opened.close()


def ask(server: ControlServer, paths: Paths, *arguments: str) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """Run a command against the server; return how it ended and which verbs it asked for."""
    asked: list[str] = []

    def answer(verb: str, args: dict[str, Any]) -> dict[str, Any]:
        assert args == {}
        asked.append(verb)
        if verb == "cancel":
            raise ControlError("busy", "not now")
        return STATE

    process = subprocess.Popen(
        [sys.executable, "-P", "-X", "importtime", "-c", CHILD, *arguments],  # a line on stderr for each module
        env={**os.environ, **paths.environment(), "PYTHONUNBUFFERED": ""},  # what is not flushed shows
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while process.poll() is None:
        server.socket.poll(20)
        server.serve(answer)
    output, errors = process.communicate()
    return subprocess.CompletedProcess(arguments, process.returncode, output, errors), asked


@pytest.mark.parametrize("verb", [verb for verb in HOT if verb != "cancel"])
def test_a_hot_verb_prints_the_state_and_loads_nothing_heavy(server: ControlServer, paths: Paths, verb: str) -> None:
    """No numpy, no engine, no command line library stands between a key and the recording."""
    result, asked = ask(server, paths, verb)
    assert (result.returncode, result.stdout, asked) == (0, "recording\n", [verb])
    loaded = {module.partition(".")[0] for module in result.stderr.split()}
    assert "zmq" in loaded
    assert not loaded & HEAVY


def test_the_state_as_json(server: ControlServer, paths: Paths) -> None:
    """With `--json` the whole answer is printed, still without the command line library."""
    result, _ = ask(server, paths, "toggle", "--json")
    assert json.loads(result.stdout) == STATE
    assert "typer" not in result.stderr.split()


def test_a_refusal_is_one_line(server: ControlServer, paths: Paths) -> None:
    """What the conductor refuses ends with code 1 and its own words."""
    result, asked = ask(server, paths, "cancel")
    assert (result.returncode, result.stdout, asked) == (1, "", ["cancel"])
    assert [line for line in result.stderr.splitlines() if not line.startswith("import time:")] == [
        "sottovoce: not now"
    ]


def test_every_verb_is_also_a_command_with_help(server: ControlServer, paths: Paths) -> None:
    """What is not the plain verb goes to the command line library, which asks the conductor nothing."""
    result, asked = ask(server, paths, "toggle", "--help")
    assert (result.returncode, asked) == (0, [])
    assert "Bind this to a key" in result.stdout
