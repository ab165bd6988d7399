"""Edits by voice in real windows: what was typed is taken back, brought back, and read back from the window.

Transform and injector are real processes; the texts are entered as the recogniser leaves them, so nobody has to speak.
"""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator

import pytest
from desktop import Window
from stages import Stages, wait_until

from sottovoce.protocol.clocks import now_ns
from sottovoce.protocol.journal import Journal
from sottovoce.protocol.paths import Paths
from sottovoce.protocol.rows import UNFINISHED, UtteranceRow

_SESSION = ("DISPLAY", "WAYLAND_DISPLAY", "SWAYSOCK", "XAUTHORITY", "XDG_RUNTIME_DIR")


class Dictation:
    """Transform and injector in a window's session."""

    def __init__(self, paths: Paths, window: Window) -> None:
        paths.config.write_text("[edits]\nkeys = true\n")
        self.window = window
        self.journal = Journal(paths.journal(keep="30d"))
        self.stages = Stages(paths)
        self.stages.start("transform")
        self.session = dict.fromkeys(_SESSION, "") | {k: v for k, v in window.environ.items() if k in _SESSION}
        self.injector = self.stages.start("inject", self.session)
        self.generation = self.journal.begin_recording("{}")

    def enter(self, text: str) -> int:
        """Enter an utterance as the recogniser leaves it, and return its ordinal."""
        number = 1 + len(self.journal.utterances())
        self.journal.segmented(
            generation=self.generation, stream=1, first=number * 1000, end=number * 1000 + 900,
            speech_end=number * 1000 + 800, spoken_ns=now_ns(), position=number * 1000 + 901, wall_ns=0,
        )  # fmt: skip
        assert self.journal.transcribed(number, text=text, model="tiny")
        return number

    def say(self, *texts: str) -> UtteranceRow:
        """Say something and return the last row once all have come to their end."""
        ordinals = [self.enter(text) for text in texts]
        wait_until(lambda: all(self.journal.utterance(ordinal).state not in UNFINISHED for ordinal in ordinals))
        return self.journal.utterance(ordinals[-1])

    def shows(self, text: str) -> bool:
        """Whether this comes to stand in the window, and the journal says the same."""
        assert self.window.wait_for(text) == text
        assert "".join(row.standing or "" for row in self.journal.utterances()) == text
        return True

    def close(self) -> None:
        """End the stages."""
        self.stages.close()
        self.journal.close()


@pytest.fixture(params=["x11_window", "wayland_window"], ids=["X11", "Wayland"])
def window(request: pytest.FixtureRequest) -> Window:
    """A window of either kind of session."""
    window: Window = request.getfixturevalue(request.param)
    return window


@pytest.fixture
def dictating(paths: Paths, window: Window) -> Iterator[Dictation]:
    """Return a dictation into a window."""
    dictation = Dictation(paths, window)
    yield dictation
    dictation.close()


def test_a_letter(dictating: Dictation) -> None:
    """Utterances, words and sentences go and come back; capitals and spaces go on right; a key is the end of it."""
    dictating.say("dear Zoë comma new paragraph", "thank you for the letter.", "I will come tomorrow.", "Scratch that.")
    assert dictating.shows("Dear Zoë,\n\nThank you for the letter.")
    dictating.say("and see you", "on Monday at the station.", "Delete last word.")
    assert dictating.shows("Dear Zoë,\n\nThank you for the letter. And see you on Monday at the")
    dictating.say("Airport period", "Delete last sentence.")
    assert dictating.shows("Dear Zoë,\n\nThank you for the letter.")
    dictating.say("Undo that.")
    assert dictating.shows("Dear Zoë,\n\nThank you for the letter. And see you on Monday at the Airport.")
    dictating.say("No. Delete that.", "Scratch that. Scratch that.")
    assert dictating.shows("Dear Zoë,\n\nThank you for the letter. And see you")
    dictating.say("Press tab.")
    assert dictating.say("Scratch that.").reason == "a key has been pressed since"
    dictating.say("soon.")
    expected = "Dear Zoë,\n\nThank you for the letter. And see you\tsoon."
    assert dictating.window.wait_for(expected) == expected


def test_a_mark_that_is_said_behind_a_pause(dictating: Dictation) -> None:
    """It comes in the place of the full stop with which the recogniser ended what was said before."""
    for said in ("Yes.", "Exclamation mark.", "Thanks.", "Comma, bye.", "so period", "Question mark."):
        dictating.say(said)
    assert dictating.shows("Yes! Thanks, bye. So.?")


def test_keys_reach_the_window(dictating: Dictation) -> None:
    """Return, also behind a text, and a key with a modifier."""
    dictating.say("ls", "Press enter.", "no", "Press Control C.", "who. Press enter.")
    expected = "Ls\nNo\x03who.\n"
    assert dictating.window.wait_for(expected) == expected


def test_killed_while_it_takes_back(dictating: Dictation) -> None:
    """The injector and its tool die together; the edit is in doubt, nothing more goes, and no edit follows it."""
    text = "the quick brown fox jumps over the lazy dog " * 15
    dictating.say("Before.", text)
    whole = dictating.window.wait_for("Before. " + text.strip().capitalize())
    edit = dictating.enter("Scratch that.")
    wait_until(lambda: len(dictating.window.text()) < len(whole) - 50)
    dictating.injector.send_signal(signal.SIGKILL)
    dictating.injector.wait()
    dictating.stages.start("inject", dictating.session)
    wait_until(lambda: dictating.journal.utterance(edit).state == "in_doubt")
    left = dictating.window.text()
    assert dictating.say("Scratch that.").reason == f"utterance {edit} may or may not have been typed"
    assert dictating.window.text() == left
    assert whole.startswith(left)
    assert left.startswith("Before. The quick")


def test_another_window(paths: Paths, x11_window: Window) -> None:
    """On X11 nothing is taken back from another window, nor brought back into one."""
    dictating = Dictation(paths, x11_window)
    focus = _focused(x11_window)
    try:
        dictating.say("Hello.", "Bye.", "Scratch that.")
        assert dictating.shows("Hello.")
        _focus(x11_window, _root(x11_window))
        for said in ("Undo that.", "Scratch that."):
            edit = dictating.say(said)
            assert (edit.state, edit.reason) == ("suppressed", "another window has the focus")
        _focus(x11_window, focus)
        dictating.say("Undo that.")
        assert dictating.shows("Hello. Bye.")
    finally:
        _focus(x11_window, focus)
        dictating.close()


def test_another_window_under_sway(paths: Paths, wayland_window: Window) -> None:
    """Where sway tells the focus nothing is taken back from another window, nor brought back into one."""
    dictating = Dictation(paths, wayland_window)
    try:
        dictating.say("Hello.", "Bye.", "Scratch that.")
        assert dictating.shows("Hello.")
        with wayland_window.another():
            for said in ("Undo that.", "Scratch that."):
                edit = dictating.say(said)
                assert (edit.state, edit.reason) == ("suppressed", "another window has the focus")
            assert dictating.say("Elsewhere.").state == "typed"
            assert dictating.say("Scratch that.").state == "typed"
            assert dictating.say("Scratch that.").reason == "another window has the focus"
        assert dictating.say("Undo that.").reason == "another window has the focus"  # it was of the other one
        assert dictating.say("Scratch that.").state == "typed"
        assert dictating.window.wait_for("") == ""
    finally:
        dictating.close()


def _xdotool(window: Window, *arguments: str) -> str:
    done = subprocess.run(["xdotool", *arguments], env=window.environ, capture_output=True, check=True, text=True)
    return done.stdout.strip()


def _focused(window: Window) -> str:
    return _xdotool(window, "getwindowfocus", "-f")


def _focus(window: Window, identity: str) -> None:
    _xdotool(window, "windowfocus", identity)
    wait_until(lambda: _focused(window) == identity)


def _root(window: Window) -> str:
    """Return the root window, which takes the focus and no text."""
    return _xdotool(window, "search", "--maxdepth", "0", "--class", ".*")
