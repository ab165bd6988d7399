"""What `sottovoce transform --stdin` shows: utterances of one session, with edits among them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sottovoce.actors.transform import Context, Transformer
from sottovoce.actors.transform.edits import Edits
from sottovoce.ops.session import Session
from sottovoce.protocol.paths import Paths
from sottovoce.protocol.rows import Edit

ENGLISH = Transformer.load("en")


def spoken(*utterances: str) -> list[str]:
    """Return what each writes."""
    session = Session(ENGLISH, Context(), edits=Edits(ENGLISH.rules, keys=True))
    return [session.say(text).text for text in utterances]


@pytest.mark.parametrize(
    ("said", "typed"),
    [
        (("we met period", "scratch that", "they met"), ["We met.", "", "They met"]),
        (("we met", "and left", "scratch that", "or stayed"), ["We met", " and left", "", " or stayed"]),
        (("we met", "scratch that", "undo that", "and left"), ["We met", "", "", " and left"]),
        (("we met", "undo that", "they met"), ["We met", "", "They met"]),
        (("we met. they left", "delete last word", "delete last word", "it rains"),
         ["We met. They left", "", "", " It rains"]),
        (("she said quote yes", "delete last word", "no close quote"), ['She said "Yes', "", ' no"']),
        (("We go tomorrow. Scratch that.", "we stay"), ["", "We stay"]),
        (("We go tomorrow. Delete last word.", "today"), ["We go", " today"]),
        (("we met", "press enter", "they left"), ["We met", "", "They left"]),
        (("scratch that", "caps on", "scratch that", "we"), ["", "", "", "WE"]),
        (("literal scratch that",), ["Scratch that"]),
    ],
)  # fmt: skip
def test_edits_are_done_to_what_was_said_before(said: tuple[str, ...], typed: list[str]) -> None:
    """An edit writes nothing, and what comes next stands where the edit has left the cursor."""
    assert spoken(*said) == typed


def test_an_edit_is_told() -> None:
    """As a step, with the words that asked for it, and as what is to be done to what was typed, if anything is."""
    session = Session(ENGLISH, Context(), edits=Edits(ENGLISH.rules, keys=True))
    said = session.say("Press control c.")
    assert (said.edit, said.steps[0].result) == (Edit(does="press", keys="ctrl+c"), "ctrl+c")
    said = session.say("delete last word")
    assert said.edit == Edit(does="word")
    assert [(step.did, step.heard, step.result) for step in said.steps] == [("edit", "delete last word", "word")]
    said = session.say("We go. Delete last word.")
    assert (said.edit, said.steps[-1].heard, said.steps[-1].result) == (None, "Delete last word.", "word")


def test_without_edits_they_are_words() -> None:
    """Where the configuration switches them off."""
    assert Session(ENGLISH, Context()).say("scratch that").text == "Scratch that"


def test_the_command_shows_them(paths: Paths) -> None:
    """`transform --stdin --json` has an edit's line with no text and `edit`; the settings decide whether it is one."""

    def lines(*arguments: str) -> list[str]:
        done = subprocess.run(
            [Path(sys.executable).with_name("sottovoce"), "transform", "--stdin", *arguments],
            env={**os.environ, **paths.environment()}, input=b"we met\nscratch that\npress enter\nso\n",
            capture_output=True, timeout=60, check=True,
        )  # fmt: skip
        return done.stdout.decode().splitlines()

    assert lines() == ["We met", "", "Press enter", " so"]
    shown = json.loads(lines("--json")[1])
    assert (shown["text"], shown["edit"], shown["steps"][0]["did"]) == ("", {"does": "scratch"}, "edit")
    paths.config.write_text("[edits]\nkeys = true\n")
    assert lines() == ["We met", "", "", "So"]
    paths.config.write_text("[edits]\nenabled = false\n")
    assert lines() == ["We met", " scratch that", " press enter", " so"]
