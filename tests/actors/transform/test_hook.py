"""The hook, with real programs: those that answer, and all the ways not to."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from stages import wait_until

from sottovoce.actors.transform.hook import LONGEST, Hook, Key, Said
from sottovoce.actors.transform.refusals import HookFailed, Swallowed
from sottovoce.protocol.config_outside import HookConfig

SAID = Said(text="Hello, Zephyr.", heard="hello comma zephyr", language="en", mode="dictation", utterance=Key(7, 512))
Make = Callable[..., Hook]


@pytest.fixture
def hook(tmp_path: Path) -> Make:
    """Return a function that makes a hook of the text of a program."""

    def make(source: str, *, interpreter: str = "/bin/sh", timeout: float = 10.0, **config: object) -> Hook:
        program = tmp_path / "hook"
        program.write_text(f"#!{interpreter}\n{source}\n")
        program.chmod(0o700)
        return Hook(HookConfig(command=(str(program),), timeout=timeout, **config))  # type: ignore[arg-type]

    return make


@pytest.fixture
def marked(tmp_path: Path) -> Iterator[Callable[[], list[int]]]:
    """Return a function that finds the processes with MARK in their environment, as hooks of this test have it."""
    os.environ["MARK"] = str(tmp_path)
    wanted = f"MARK={tmp_path}".encode()

    def find() -> list[int]:
        found = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and wanted in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
        return found

    yield find
    del os.environ["MARK"]


def test_what_it_prints_is_the_text(hook: Make) -> None:
    """Its output is the text, less one newline; what is within, other languages and emoji too, stays."""
    source = "import json, sys\nprint(json.load(sys.stdin)['text'].upper() + ' Größe 👩\u200d🔬\\n')"
    assert hook(source, interpreter=sys.executable).apply(SAID) == "HELLO, ZEPHYR. Größe 👩\u200d🔬\n"
    assert hook("printf 'no newline'").apply(SAID) == "no newline"


def test_what_it_is_told(hook: Make, tmp_path: Path) -> None:
    """It reads one line of JSON with the version, the text, what was heard, language, mode, key and application."""
    assert hook(f"cat > {tmp_path}/told; echo fine").apply(SAID) == "fine"
    told = (tmp_path / "told").read_text()
    assert told.endswith("}\n")
    assert told.count("\n") == 1
    assert json.loads(told) == {
        "v": 1, "text": "Hello, Zephyr.", "heard": "hello comma zephyr", "language": "en", "mode": "dictation",
        "utterance": {"stream": 7, "first": 512}, "application": None,
    }  # fmt: skip


def test_nothing_private_is_around_it(hook: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of our environment it has a few variables and those that the configuration names; no text in it or in argv."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.setenv("DISPLAY", ":77")
    look = (
        f"tr '\\0' '\\n' < /proc/$$/environ > {tmp_path}/env; tr '\\0' ' ' < /proc/$$/cmdline > {tmp_path}/argv; echo x"
    )
    hook(look, environment=("DISPLAY",)).apply(SAID)
    environment, argv = (tmp_path / "env").read_text(), (tmp_path / "argv").read_text()
    assert "PATH=" in environment
    assert "DISPLAY=:77" in environment
    for private in ("sk-secret", "Zephyr", "zephyr"):
        assert private not in environment
        assert private not in argv


def test_an_exit_code_swallows(hook: Make) -> None:
    """With exit code 10 nothing is typed, whatever it has printed."""
    with pytest.raises(Swallowed):
        hook("cat; exit 10").apply(SAID)


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("cat; exit 3", "exit code 3"),
        ("kill -SEGV $$", "signal 11"),
        ("exit 0", "printed nothing"),
        ("echo", "printed nothing"),
        (r"printf '\377\376garbage'", "not UTF-8"),
        (r"printf 'rm \033[2K'", "control characters"),
        (r"printf 'a\000b'", "control characters"),
        (f"head -c {LONGEST + 1} /dev/zero | tr '\\0' x", "more than 10,000 characters"),
        ("yes quizzical zephyr", "more than 10,000 characters"),
    ],
)
def test_an_answer_that_cannot_be_used(hook: Make, source: str, why: str) -> None:
    """Crashes, garbage and floods are told apart, without a word of what was said or printed."""
    began = time.monotonic()
    with pytest.raises(HookFailed, match=why) as caught:
        hook(source).apply(SAID)
    assert time.monotonic() - began < 8
    assert "ephyr" not in str(caught.value)
    assert "garbage" not in str(caught.value)


@pytest.mark.parametrize(
    "source",
    ["sleep 60", "cat; exec >&-; sleep 60", "trap '' TERM; sleep 60 & sleep 60", "while :; do :; done"],
    ids=["says nothing", "closes its output", "ignores SIGTERM", "spins"],
)
def test_one_that_hangs_is_killed(hook: Make, marked: Callable[[], list[int]], source: str) -> None:
    """At the time-out it is killed with all of its group, and that is when `apply` returns."""
    began = time.monotonic()
    with pytest.raises(HookFailed, match="in time"):
        hook(source, timeout=0.3, environment=("MARK",)).apply(SAID)
    assert 0.3 <= time.monotonic() - began < 3
    wait_until(lambda: not marked(), 5)


def test_a_grandchild_costs_no_time(hook: Make, marked: Callable[[], list[int]]) -> None:
    """One that goes on in the background, with the output open, is not waited for, and is ended."""
    began = time.monotonic()
    assert hook("sleep 60 & echo done", environment=("MARK",)).apply(SAID) == "done"
    assert time.monotonic() - began < 5
    wait_until(lambda: not marked(), 5)


def test_one_that_does_not_read(hook: Make) -> None:
    """A text longer than a pipe holds does no harm to one that never reads it, or reads it at its leisure."""
    long = Said(text="x" * 300_000, heard="", language="en", mode="dictation", utterance=Key(1, 2))
    assert hook("echo unread").apply(long) == "unread"
    assert hook("exec <&-; echo closed").apply(long) == "closed"
    assert 300_000 < int(hook("sleep 0.1; wc -c").apply(long)) < 300_200


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("no-such-hook", "not installed"),
        ("/dev/null", "not to be run"),
        ("bin/hook", "must begin with"),
        ("~nobody-of-this-name/x", "not installed"),
    ],
)
def test_a_program_that_is_not_there(command: str, why: str) -> None:
    """A program that cannot be found or run is named, with how it could be."""
    hook = Hook(HookConfig(command=(command,)))
    assert why in hook.missing()
    with pytest.raises(HookFailed, match=re.escape(command)):
        hook.apply(SAID)


def test_a_program_of_the_path(tmp_path: Path) -> None:
    """A bare name is looked for on the PATH of the environment that the hook is given, `~` is the home."""
    program = tmp_path / "shout"
    program.write_text("#!/bin/sh\necho from the path\n")
    program.chmod(0o700)
    environ = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    assert Hook(HookConfig(command=("shout",), timeout=10), environ=environ).apply(SAID) == "from the path"


def test_no_descriptor_is_left(hook: Make) -> None:
    """Answers, failures and time-outs leave no descriptor open here."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    hook("echo x").apply(SAID)
    for source in ("exit 3", "sleep 60"):
        with pytest.raises(HookFailed):
            hook(source, timeout=0.2).apply(SAID)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
