"""Edits by voice through the real transform and injector, each a process of its own, into a file."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from stages import Stages, wait_until

from sottovoce.actors.failpoints import VARIABLE, arm
from sottovoce.protocol.bus import Publisher, Subscriber
from sottovoce.protocol.clocks import now_ns
from sottovoce.protocol.journal import Journal
from sottovoce.protocol.messages import Final, Notice
from sottovoce.protocol.paths import Paths
from sottovoce.protocol.rows import UNFINISHED, UtteranceRow

Say = Callable[..., list[UtteranceRow]]


@pytest.fixture
def recogniser(paths: Paths) -> Iterator[Publisher]:
    """What tells the stages of a text, which else look for one 4 times a second at best."""
    opened = Publisher(paths, "stt-final")
    yield opened
    opened.close()


@pytest.fixture
def out(paths: Paths, tmp_path: Path, recogniser: Publisher) -> Path:
    """The file that is typed into."""
    path = tmp_path / "out"
    configure(paths, path)
    return path


def configure(paths: Paths, path: Path, more: str = "") -> None:
    """Write the configuration."""
    paths.config.write_text(f'[inject]\nbackends = ["file"]\nfile = "{path}"\n{more}')


@pytest.fixture
def say(journal: Journal, recogniser: Publisher) -> Say:
    """Return what enters utterances as the recogniser leaves them, and waits for their end."""

    def enter(*texts: str) -> list[UtteranceRow]:
        rows = journal.utterances()
        generation = rows[-1].generation if rows else journal.begin_recording("{}")
        known = rows[-1].ordinal if rows else 0
        for number, text in enumerate(texts, known + 1):
            first = number * 1000
            journal.segmented(
                generation=generation, stream=1, first=first, end=first + 900, speech_end=first + 800,
                spoken_ns=now_ns(), position=first + 901, wall_ns=0,
            )  # fmt: skip
            assert journal.transcribed(number, text=text, model="tiny")
            recogniser.publish(
                Final(
                    stream=1, first=first, end=first + 900, text=text, window_id=number, corrects_window_ids=(),
                    model="tiny", audio_s=1.0, decode_s=0.1, speculative=False,
                )
            )  # fmt: skip
        ordinals = range(known + 1, known + 1 + len(texts))
        wait_until(lambda: all(journal.utterance(ordinal).state not in UNFINISHED for ordinal in ordinals))
        return [journal.utterance(ordinal) for ordinal in ordinals]

    return enter


@pytest.fixture
def running(stages: Stages, out: Path) -> Stages:
    """Both stages."""
    stages.start("transform")
    stages.start("inject")
    return stages


@pytest.fixture
def notices(paths: Paths, running: Stages) -> Iterator[Callable[[], list[str]]]:
    """Return a function that returns the notices about edits so far."""
    subscriber = Subscriber(paths, ("notice", "state.stage"))
    heard: list[str] = []
    known: set[str] = set()  # a notice is not said again to who comes late, a stage's state is

    def meet() -> bool:
        known.update(event.src for event in subscriber.drain())
        return known >= {"transform", "inject"}

    wait_until(meet)

    def told() -> list[str]:
        bodies = [event.body for event in subscriber.drain()]
        heard.extend(body.text for body in bodies if isinstance(body, Notice) and body.code == "edit")
        return heard

    yield told
    subscriber.close()


def test_a_dictation_with_edits(running: Stages, out: Path, say: Say, journal: Journal) -> None:
    """Each edit changes what stands, capitals and spaces go on right after it, and the rows say what stands."""
    say("hello there.", "this is wrong.", "Scratch that.")
    assert out.read_text() == "Hello there."
    say("and this goes on", "in small letters period", "delete last word", "Capital period")
    assert out.read_text() == "Hello there. And this goes on in small Capital."
    say("delete last sentence.")
    assert out.read_text() == "Hello there."
    (undone,) = say("Undo that.")
    assert out.read_text() == "Hello there. And this goes on in small Capital."
    say("It is.", "Scratch that. Scratch that.")
    assert out.read_text() == "Hello there. And this goes on in small"
    say("print.", "Undo.")
    assert out.read_text() == "Hello there. And this goes on in small"
    standing = "".join(row.standing or "" for row in journal.utterances())
    assert standing == out.read_text()
    assert {row.state for row in journal.utterances()} == {"typed"}
    assert json.loads(undone.edit or "")["gave"]


def test_undo_goes_to_and_fro(running: Stages, out: Path, say: Say) -> None:
    """Undo takes the last utterance back, undo brings it back, and undo takes it back again.

    The stop of an edit, which a recogniser hands over with the next text, is not typed; that of a text is. After an
    escape, and inside a sentence, the words are words.
    """
    say("one two.", "Undo that.")
    assert out.read_text() == ""
    say("undo")
    assert out.read_text() == "One two."
    say("undo", "three.")
    assert out.read_text() == "Three."
    say("It is late", "scratch that", ". It is early", ". And cold.")
    assert out.read_text() == "Three. It is early. And cold."
    say("literal scratch that", "I had to scratch that itch.")
    assert out.read_text() == "Three. It is early. And cold. Scratch that I had to scratch that itch."


def test_what_is_taken_back_in_the_same_breath(running: Stages, out: Path, say: Say) -> None:
    """Of an utterance with an edit at its end only what is left of it is typed."""
    say("I am here.")
    gone, cut, after = say(
        "I will come tomorrow. Scratch that.", "I will come tomorrow night. Delete last word.", "Or not."
    )
    assert (gone.state, gone.reason) == ("suppressed", "scratched as it was said")
    assert (cut.state, cut.text) == ("typed", " I will come tomorrow")
    assert (after.state, after.text) == ("typed", " or not.")
    (twice,) = say("No. Scratch that. Scratch that.")
    assert twice.state == "typed"
    assert out.read_text() == "I am here. I will come tomorrow"


def test_somebody_else_wrote(running: Stages, out: Path, say: Say) -> None:
    """What does not stand at the end of the file is not taken back, nor is anything else."""
    say("Hello.")
    out.write_text(out.read_text() + "!")
    (edit,) = say("scratch that")
    assert (edit.state, edit.reason) == ("suppressed", f"something else was written into {out} since")
    out.write_text("Hello.")
    (again,) = say("scratch that")
    assert (again.state, out.read_text()) == ("typed", "")


def test_too_long_ago(stages: Stages, paths: Paths, out: Path, say: Say) -> None:
    """What was typed longer ago than `[edits] within` stays."""
    configure(paths, out, "[edits]\nwithin = 0\n")
    stages.start("transform")
    stages.start("inject")
    _, edit = say("Hello.", "Scratch that.")
    assert (edit.state, edit.reason) == ("suppressed", "it was typed more than 0 s ago")
    assert out.read_text() == "Hello."


def test_keys(stages: Stages, paths: Paths, out: Path, say: Say) -> None:
    """With keys on, a key is pressed, also behind a text; nothing before it is taken back."""
    configure(paths, out, "[edits]\nkeys = true\n")
    stages.start("transform")
    stages.start("inject")
    say("git status", "Press Enter.", "ls. Press enter.", "press tab", "so")
    assert out.read_text().splitlines() == ["Git status", "Ls.", "\tso"]
    refused, unknown = say("press tab", "Press control c.")
    assert (refused.state, unknown.state) == ("typed", "suppressed")
    (edit,) = say("scratch that")
    assert edit.reason == "a key has been pressed since"


def test_what_is_not_done_is_told(running: Stages, out: Path, say: Say, notices: Callable[[], list[str]]) -> None:
    """Where nothing was typed the edit says so, once, and what follows is typed.

    Who asks for a key that is not pressed is told of the setting, once; who only speaks of keys is not.
    """
    assert running
    edit, text = say("Scratch that.", "Hello.")
    assert (edit.state, edit.reason) == ("suppressed", "nothing was typed that could be taken back")
    assert (text.state, out.read_text()) == ("typed", "Hello.")
    nothing = f"nothing was taken back: {edit.reason}"
    wait_until(lambda: notices() == [nothing])
    say("You press enter.")
    assert notices() == [nothing]
    (words, _) = say("Press enter.", "Press control C.")
    assert words.edit is None
    setting = "the name of a key was typed as words; to have keys pressed by voice: [edits] keys = true"
    wait_until(lambda: len(notices()) > 1)
    assert notices() == [nothing, setting]
    assert out.read_text() == "Hello. You press enter. Press enter. Press control C."


def test_nothing_is_kept(stages: Stages, paths: Paths, out: Path) -> None:
    """Under `keep = "none"` nothing is known of what was typed, so nothing is taken back, and that is told."""
    configure(paths, out, '[history]\nkeep = "none"\n')
    kept = Journal(paths.journal(keep="none"), keep="none")
    try:
        stages.start("transform")
        stages.start("inject")
        generation = kept.begin_recording("{}")
        for number, text in enumerate(("Hello.", "Scratch that."), 1):
            kept.segmented(
                generation=generation, stream=1, first=number * 1000, end=number * 1000 + 900,
                speech_end=number * 1000 + 800, spoken_ns=now_ns(), position=number * 1000 + 901, wall_ns=0,
            )  # fmt: skip
            kept.transcribed(number, text=text, model="tiny")
        wait_until(lambda: kept.unfinished() == 0)
        row = kept.utterance(2)
        assert (row.state, row.heard, row.edit) == ("suppressed", None, None)
        assert "keep" in (row.reason or "")
        assert out.read_text() == "Hello."
    finally:
        kept.close()


@pytest.mark.parametrize("killed", [("inject.after_intent", "Hello. Bye."), ("inject.after_type", "Hello.")])
def test_killed_in_the_middle(stages: Stages, out: Path, say: Say, journal: Journal, killed: tuple[str, str]) -> None:
    """An injector that dies in the middle of an edit leaves it in doubt; it is not done again, and nor is one after."""
    point, left = killed
    folder = out.parent / "points"
    folder.mkdir()
    stages.start("transform")
    injector = stages.start("inject", {VARIABLE: str(folder)})
    say("Hello.", "Bye.")
    arm(folder, point, signal.SIGKILL)
    generation = journal.utterances()[-1].generation
    journal.segmented(
        generation=generation, stream=1, first=9000, end=9900, speech_end=9800, spoken_ns=now_ns(), position=9901,
        wall_ns=0,
    )  # fmt: skip
    journal.transcribed(3, text="Scratch that.", model="tiny")
    injector.wait(60)
    assert journal.utterance(3).state == "intent"
    stages.start("inject")
    wait_until(lambda: journal.utterance(3).state == "in_doubt")
    assert out.read_text() == left
    again, text = say("scratch that", "and so on")
    assert (again.state, again.reason) == ("suppressed", "utterance 3 may or may not have been typed")
    assert (text.state, out.read_text()) == ("typed", f"{left} and so on")
