"""The transform stage as a process of its own, with a hook and a server outside."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from chatserver import ChatServer, completion
from stages import Stages, wait_until

from sottovoce.protocol.clocks import now_ns
from sottovoce.protocol.journal import Journal
from sottovoce.protocol.paths import Paths
from sottovoce.protocol.rows import UtteranceRow

Configure = Callable[..., None]
SAME = r"""sed 's/.*"text":"\([^"]*\)".*/\1/'"""
"""A hook that prints the text as it is."""


@pytest.fixture
def configure(paths: Paths, tmp_path: Path) -> Configure:
    """Return a function that writes the configuration with a hook of shell, and more."""

    def write(hook: str, more: str = "", *, timeout: float = 5.0) -> None:
        program = tmp_path / "hook"
        program.write_text(f"#!/bin/sh\n{hook}\n")
        program.chmod(0o700)
        paths.config.write_text(f"[hook]\ncommand = [{json.dumps(str(program))}]\ntimeout = {timeout}\n{more}")

    return write


def say(journal: Journal, *texts: str, mend: str | None = None) -> None:
    """Enter utterances as the recogniser leaves them."""
    known = len(journal.utterances())
    generation = journal.begin_recording("{}") if not known else 1
    for number, text in enumerate(texts, known):
        journal.segmented(
            generation=generation, stream=1, first=number * 1000, end=number * 1000 + 900, speech_end=number * 1000,
            spoken_ns=now_ns(), position=number * 1000 + 901, wall_ns=0,
        )  # fmt: skip
        assert journal.transcribed(number + 1, text=text, model="tiny", mend=mend)


def end(stages: Stages, journal: Journal, *ordinals: int) -> list[UtteranceRow]:
    """Wait until utterances have left the transform, and return them."""
    stages.wait_until(lambda: all(journal.utterance(o).state in ("transformed", "suppressed") for o in ordinals))
    return [journal.utterance(ordinal) for ordinal in ordinals]


def test_both_texts_are_in_the_journal(stages: Stages, journal: Journal, configure: Configure) -> None:
    """Of a text that was changed the journal has the plain one, too; no mended form is offered of it, in order."""
    configure(f"{SAME} | tr '[:lower:]' '[:upper:]'")
    say(journal, "it is done.", "And then some.", mend=",")
    stages.start("transform")
    first, second = end(stages, journal, 1, 2)
    assert (first.plain, first.text) == ("It is done.", "IT IS DONE.")
    assert (second.plain, second.text, second.mended) == (" And then some.", " AND THEN SOME.", None)
    assert (first.transformed_ns or 0) < (second.transformed_ns or 0)


def test_a_text_that_was_not_changed(stages: Stages, journal: Journal, configure: Configure) -> None:
    """Where the hook leaves a text as it is there is no plain one beside it, and what could be mended still can."""
    configure(SAME)
    say(journal, "it is done.", "And then some.", mend=",")
    stages.start("transform")
    first, second = end(stages, journal, 1, 2)
    assert (first.plain, first.text) == (None, "It is done.")
    assert (second.plain, second.text, second.mended) == (None, " And then some.", ", and then some.")


def test_a_mark_that_is_said_stands_for_the_recognisers_full_stop(stages: Stages, journal: Journal) -> None:
    """Behind a pause, where the full stop is typed already, it is offered to go; a full stop that was said is not."""
    say(journal, "Yes.", "Exclamation mark.", "Thanks.", "Comma, bye.", "hello period", "Comma, Tom.")
    stages.start("transform")
    rows = end(stages, journal, 1, 2, 3, 4, 5, 6)
    assert [(row.text, row.mended) for row in rows] == [
        ("Yes.", None), ("!", "!"), (" Thanks.", None), (", bye.", ", bye."), (" Hello.", None), (", Tom.", None),
    ]  # fmt: skip


def test_what_is_swallowed_is_suppressed(stages: Stages, journal: Journal, configure: Configure) -> None:
    """What the hook swallows is suppressed with that reason and kept; the next text goes on as if it had not been."""
    configure("grep -q computer && exit 10; echo typed.")
    say(journal, "computer, lights on.", "hello there")
    stages.start("transform")
    first, second = end(stages, journal, 1, 2)
    assert (first.state, first.reason, first.text) == ("suppressed", "the hook swallowed it", None)
    assert first.heard == "computer, lights on."
    assert (second.text, second.plain) == ("typed.", "Hello there")


def test_many_hangs_in_a_row(stages: Stages, journal: Journal, configure: Configure, paths: Paths) -> None:
    """With a hook that hangs each text is typed as it was, the stage lives, and no log has a word that was said."""
    configure("cat; echo quizzical >&2; sleep 60", timeout=0.4)
    process = stages.start("transform")
    say(journal, *["Quizzical zephyr."] * 5)
    rows = end(stages, journal, 1, 2, 3, 4, 5)
    assert [row.text for row in rows] == ["Quizzical zephyr.", *[" Quizzical zephyr."] * 4]
    assert [row.plain for row in rows] == [None] * 5
    assert process.poll() is None
    stages.wait_until(lambda: "did not end in time" in stages.log())
    assert stages.log().count("did not end in time") == 1
    assert "zephyr" not in stages.log().lower()
    assert "quizzical" not in stages.log().lower()


def test_the_stage_is_killed_while_a_hook_runs(
    stages: Stages, journal: Journal, configure: Configure, tmp_path: Path
) -> None:
    """The hook ends with a stage that is killed; the next stage asks again, and the text is there once."""
    configure(f"echo $$ >> {tmp_path}/pids; test -e {tmp_path}/go || exec sleep 60; echo Typed.", timeout=10.0)
    process = stages.start("transform")
    say(journal, "hello there")
    pids = tmp_path / "pids"
    wait_until(lambda: pids.exists() and pids.read_text().endswith("\n"))
    pid = int(pids.read_text())
    process.kill()
    process.wait()
    wait_until(lambda: not Path(f"/proc/{pid}").exists())
    (tmp_path / "go").touch()
    stages.start("transform")
    (row,) = end(stages, journal, 1)
    assert (row.text, row.plain) == ("Typed.", "Hello there")
    assert len(pids.read_text().split()) == 2


def test_a_rewrite(stages: Stages, journal: Journal, configure: Configure) -> None:
    """The model's text is typed, and the plain one is beside it."""
    server = ChatServer()
    try:
        server.answer = completion("I saw him.")
        configure(SAME, f'[rewrite]\nurl = "{server.url}"\nmodel = "m"\n')
        say(journal, "i seen him")
        stages.start("transform")
        (row,) = end(stages, journal, 1)
        assert (row.plain, row.text) == ("I seen him", "I saw him.")
    finally:
        server.close()
