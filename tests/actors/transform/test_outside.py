"""Hook and rewrite together: who is asked for what, what is told of failures, and what the next text goes on from."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from apiserver import hang, say
from chatserver import ChatServer, completion

from sottovoce.actors.transform import Context, Transformer
from sottovoce.actors.transform.outside import Outside, fitted
from sottovoce.actors.transform.refusals import Swallowed
from sottovoce.protocol.config import Config
from sottovoce.protocol.rows import UtteranceRow

ROW = msgspec.convert(
    {name: None for name in UtteranceRow.__struct_fields__ if name not in {"state", "boot"}}
    | dict.fromkeys(
        ("ordinal", "stream", "first", "end", "speech_end", "generation", "spoken_ns", "asleep_ns", "wall_ns",
         "segmented_ns"), 1
    )
    | {"boot": "", "state": "transcribed", "heard": "hello there"},
    UtteranceRow,
)  # fmt: skip


class Trial:
    """An `Outside`, what it tells, and its clock."""

    def __init__(self, outside: Callable[..., Outside], config: Config) -> None:
        self.told: list[tuple[str, str, str]] = []
        self.now = 100.0
        self.outside = outside(config, lambda *notice: self.told.append(notice), clock=lambda: self.now)

    def apply(self, text: str, **about: Any) -> str:
        """Return what is typed for a text."""
        return self.outside.apply(text, ROW, **about)


@pytest.fixture
def server() -> Iterator[ChatServer]:
    """A server whose model is content with what it reads."""
    running = ChatServer()
    running.answer = completion("Rewritten by it.")
    yield running
    running.close()


@pytest.fixture
def trial(tmp_path: Path) -> Iterator[Callable[..., Trial]]:
    """Return a function that makes a trial: with a hook of shell, with a rewrite by a server, or both."""
    made: list[Trial] = []

    def make(hook: str = "", server: ChatServer | None = None, **limits: float) -> Trial:
        config: dict[str, Any] = {}
        if hook:
            (tmp_path / "hook").write_text(f"#!/bin/sh\n{hook}\n")
            (tmp_path / "hook").chmod(0o700)
            config["hook"] = {"command": [str(tmp_path / "hook")], "timeout": limits.get("timeout", 5.0)}
        if server is not None:
            config["rewrite"] = {"url": server.url, "model": "m", "timeout": limits.get("timeout", 5.0)}
        made.append(Trial(Outside, msgspec.convert(config, Config)))
        return made[-1]

    yield make
    for one in made:
        one.outside.close()


def test_nobody_is_asked_by_default(trial: Callable[..., Trial]) -> None:
    """Without a configuration there is nothing outside, and a text is what it was."""
    one = trial()
    assert not one.outside.wanted
    assert one.apply(" Hello there.") == " Hello there."


def test_the_space_before_stays(trial: Callable[..., Trial], tmp_path: Path) -> None:
    """The space that parts a text from the one before is not shown to the hook, and stands before what it says."""
    one = trial(f"cat > {tmp_path}/told; echo Good day.")
    assert one.apply(" Hello there.") == " Good day."
    assert b'"text":"Hello there."' in (tmp_path / "told").read_bytes()
    assert one.apply("\n") == "Good day."
    assert b'"text":"\\n"' in (tmp_path / "told").read_bytes()


def test_the_hook_then_the_rewrite(trial: Callable[..., Trial], server: ChatServer) -> None:
    """The model is given what the hook has made; what the hook swallows goes nowhere."""
    assert trial("echo Hooked words.", server).apply(" Hello there.") == " Rewritten by it."
    assert [body["messages"][1]["content"] for _, _, body in server.asked] == ["Hooked words."]
    with pytest.raises(Swallowed):
        trial("exit 10", server).apply("A secret.")
    assert len(server.asked) == 1


@pytest.mark.parametrize(("text", "mode"), [("x = 1", "code"), ("...", "dictation"), ("\n\n", "dictation")])
def test_only_prose_is_rewritten(trial: Callable[..., Trial], server: ChatServer, text: str, mode: str) -> None:
    """Code, and what has no word in it, goes to no server."""
    assert trial(server=server).apply(text, mode=mode) == text
    assert server.asked == []


def test_failures_are_told_once(trial: Callable[..., Trial], server: ChatServer) -> None:
    """While it fails the text is typed as it was; that is told once, and when it works again, without a word of it."""
    one = trial(server=server)
    server.answer = say({"error": {"message": "zephyr"}}, 500)
    assert [one.apply("A zephyr."), one.apply("A zephyr.")] == ["A zephyr."] * 2
    server.answer = completion("Zephyrs.")
    assert one.apply("A zephyr.") == "Zephyrs."
    assert [(level, code) for level, code, _ in one.told] == [("warning", "rewrite"), ("info", "rewrite")]
    assert "status 500" in one.told[0][2]
    assert not any("zephyr" in text.lower() for *_, text in one.told)


def test_who_keeps_failing_rests(trial: Callable[..., Trial], server: ChatServer) -> None:
    """After three failures in a row it is not asked for half a minute, and after that once in half a minute."""
    one = trial(server=server, timeout=0.1)
    server.answer = hang
    for _ in range(5):
        assert one.apply("A zephyr.") == "A zephyr."
    assert len(server.asked) == 3
    one.now += 30
    for _ in range(2):
        one.apply("A zephyr.")
    assert len(server.asked) == 4
    one.now += 30
    server.answer = completion("Zephyrs.")
    assert [one.apply("A zephyr."), one.apply("A zephyr.")] == ["Zephyrs."] * 2
    assert [code for _, code, _ in one.told] == ["rewrite", "rewrite"]


def test_a_broken_configuration_is_told_at_once() -> None:
    """A program that is not there and a server that may not be used are told at the start, and cost no text."""
    config = msgspec.convert(
        {"hook": {"command": ["no-such-hook"]}, "rewrite": {"url": "http://example.org/v1", "model": "m"}}, Config
    )
    one = Trial(Outside, config)
    assert [(level, code) for level, code, _ in one.told] == [("warning", "hook"), ("warning", "rewrite")]
    assert "no-such-hook is not installed" in one.told[0][2]
    assert "https" in one.told[1][2]
    assert one.apply("Hello there.") == "Hello there."


def test_what_cannot_be_sent(trial: Callable[..., Trial], server: ChatServer) -> None:
    """A text that has no UTF-8, which is an error of ours wherever it comes from, is typed all the same."""
    one = trial("echo changed", server)
    assert one.apply("zephyr \ud800") == "zephyr \ud800"
    assert [(code, "please report" in text, "zephyr" in text) for _, code, text in one.told] == [
        ("hook", True, False), ("rewrite", True, False),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("typed", "then", "expected"),
    [
        ("It is done.", "and then", " And then"),
        ("Is it?", "Yes", " Yes"),
        ("it goes on,", "And then", " and then"),
        ("no mark at all", "And then", " And then"),
        ("no mark at all", "comma and then", ", and then"),
        ("A list:\n", "apples", "Apples"),
        ("open (", "apples", "apples"),
        ("blank ", "apples", "apples"),
    ],
)
def test_the_next_text_goes_on_from_what_was_typed(typed: str, then: str, expected: str) -> None:
    """Space and capital of the next text follow what came from outside, not what the rules had made."""
    context = fitted(Context(glue=False, case="start", mark="."), typed)
    assert Transformer.load("en").apply(then, context)[0] == expected


@pytest.mark.parametrize("typed", ["Changed.", "changed", "Changed!"])
def test_no_mark_from_outside_is_taken_back(typed: str) -> None:
    """What the recogniser thinks better of is a mark of its own, not one that came from outside."""
    context = Context(glue=False, case="start", mark=".", open=("quote",))
    assert context.mended(",") is not None
    assert fitted(context, typed).mended(",") is None
    assert fitted(context, typed).open == ("quote",)


def test_what_is_off_costs_nothing() -> None:
    """A stage without hook and rewrite loads none of what they need."""
    look = (
        "import sys, sottovoce.actors.transform.stage as s\n"
        "from sottovoce.protocol.config import Config\n"
        "s.Outside(Config(), print)\n"
        "print(sorted(m for m in sys.modules if m in ('numpy', 'httpx2') or m.endswith(('.hook', '.rewrite'))))"
    )
    found = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"
