"""The library for children: what it answers, and how little it asks of the environment."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sottovoce.models.bridge import languages, wire

ECHO = [sys.executable, str(Path(__file__).with_name("echo.py"))]


def talk(*requests: dict[str, Any] | bytes) -> list[dict[str, Any]]:
    """Return what the echo answers to these requests, after which its input ends."""
    lines = [request if isinstance(request, bytes) else wire.encode(request) for request in requests]
    done = subprocess.run(ECHO, input=b"".join(lines), capture_output=True, timeout=60, check=True)
    return [wire.decode(line) for line in done.stdout.splitlines()]


HELLO = {"type": "hello", "id": 1, "protocols": [1, 7]}
LOAD = {"type": "load", "id": 2, "model": "m", "threads": 1, "something": "that a later version says"}


def test_a_conversation(tmp_path: Path) -> None:
    """Each request has one answer, of its id; bye ends it, and what comes after is not read."""
    np.ones(100, "<f4").tofile(tmp_path / "audio")
    audio = {"kind": "file", "path": str(tmp_path / "audio"), "samples": 100}
    hello, loaded, result, unloaded, bye = talk(
        HELLO,
        LOAD,
        {"type": "decode", "id": 3, "audio": audio},
        {"type": "unload", "id": 4},
        {"type": "bye", "id": 5},
        LOAD,
    )
    assert hello.items() >= {"type": "hello", "id": 1, "protocol": 1, "name": "echo", "cancel": True}.items()
    assert hello["audio"] == ["ring", "file"]
    assert (loaded["type"], loaded["id"]) == ("loaded", 2)
    assert (result["type"], result["id"], result["text"]) == ("result", 3, "100 samples, peak 1.0000")
    assert (unloaded["type"], unloaded["id"]) == ("unloaded", 4)
    assert bye == {"type": "bye", "id": 5}


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"type": "hello", "protocols": [2]}, "unsupported", "version 1"),
    ({"type": "sing"}, "unsupported", "'sing'"),
    ({"type": "decode", "audio": {}}, "not-loaded", "no model"),
]


@pytest.mark.parametrize(("request_", "code", "why"), REFUSED)
def test_what_cannot_be_is_refused(request_: dict[str, Any], code: str, why: str) -> None:
    """A request that cannot be met has an error for an answer, and the next one is heard."""
    error, bye = talk({**request_, "id": 1}, {"type": "bye", "id": 2})
    assert (error["type"], error["code"]) == ("error", code)
    assert why in error["message"]
    assert bye["type"] == "bye"


AUDIO: list[tuple[Any, str]] = [
    ({}, "failed"),
    ([], "failed"),
    ({"kind": "telepathy"}, "failed"),
    ({"kind": "file", "path": "/nowhere/at/all", "samples": 1}, "audio-gone"),
    ({"kind": "file", "path": "/dev/null", "samples": 1}, "audio-gone"),
    ({"kind": "ring", "path": "/nowhere/at/all", "stream": 1, "first": 0, "end": 1}, "audio-gone"),
]


@pytest.mark.parametrize(("audio", "code"), AUDIO)
def test_audio_that_cannot_be_had_is_told(audio: Any, code: str) -> None:
    """Samples that are not there, or are named otherwise than the protocol does, are an error of that decode."""
    *_, error, bye = talk(HELLO, LOAD, {"type": "decode", "id": 3, "audio": audio}, {"type": "bye", "id": 4})
    assert (error["type"], error["code"]) == ("error", code)
    assert bye["type"] == "bye"


def test_a_cancelled_decode_is_answered(tmp_path: Path) -> None:
    """The answer to a decode that was cancelled is an error with that code; a cancel has no answer of its own."""
    np.ones(100, "<f4").tofile(tmp_path / "audio")
    audio = {"kind": "file", "path": str(tmp_path / "audio"), "samples": 100}
    *_, error, bye = talk(
        HELLO,
        LOAD | {"options": {"sleep_s": 60}},
        {"type": "decode", "id": 3, "audio": audio},
        {"type": "cancel", "id": 4, "target": 3},
        {"type": "bye", "id": 5},
    )
    assert (error["id"], error["code"]) == (3, "cancelled")
    assert bye["type"] == "bye"


@pytest.mark.parametrize("line", [b"\n", b"{}\n", b"[1]\n", b'{"type": "hello"}\n', b"\xff\n", b"{"])
def test_a_line_that_is_no_request_ends_it(line: bytes) -> None:
    """Who does not speak the protocol is no parent: the child ends, in order."""
    assert [answer["type"] for answer in talk(HELLO, line, LOAD)] == ["hello"]


def test_the_library_is_light() -> None:
    """A child's environment needs numpy at most: nothing else is imported from outside the standard library."""
    script = """
import sys
before = set(sys.modules)
import sottovoce.models.bridge, sottovoce.models.bridge.serve, sottovoce.models.bridge.once
import sottovoce.models.bridge.whisper, sottovoce.models.bridge.qwen3
new = {name.split(".")[0] for name in set(sys.modules) - before}
print(sorted(new - sys.stdlib_module_names))
import sottovoce.shm.reader
new = {name.split(".")[0] for name in set(sys.modules) - before}
print(sorted(new - sys.stdlib_module_names))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines() == ["['sottovoce']", "['numpy', 'sottovoce']"]


def test_a_message_is_always_the_same_line() -> None:
    """The order of keys does not matter, everything is ASCII in one line, and what JSON cannot say is refused."""
    line = wire.encode({"b": "ü\u2028\n", "a": 1})
    assert line == b'{"a":1,"b":"\\u00fc\\u2028\\n"}\n' == wire.encode({"a": 1, "b": "ü\u2028\n"})
    assert json.loads(line) == {"a": 1, "b": "ü\u2028\n"}
    with pytest.raises(ValueError, match="not JSON compliant"):
        wire.encode({"a": float("nan")})


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("Klingon", ""),
        ("e1", ""),
        ("none", ""),
        ("English", "en"),
        ("english", "en"),
        ("en", "en"),
        ("pt-BR", "pt"),
        ("zh_CN", "zh"),
        ("yue", "yue"),
        ("", ""),
    ],
)
def test_languages_have_codes(said: str, code: str) -> None:
    """A language is understood by its English name, its code or a locale."""
    assert languages.code(said) == code


def test_languages_have_names() -> None:
    """A code has its name, and what is no code has none."""
    assert [languages.name(code) for code in ("de", "yue", "tlh", "")] == ["german", "cantonese", "", ""]
