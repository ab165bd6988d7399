"""Modes: what decides, how long a choice holds, and that it outlives the stage and not the service."""

from __future__ import annotations

import dataclasses
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from desktop import Window
from stages import Stages

from sottovoce.actors.focus import Focus, FocusUnknown
from sottovoce.actors.focus import Window as Focused
from sottovoce.actors.transform.context import Context
from sottovoce.actors.transform.modes import Modes
from sottovoce.protocol import modes as kept
from sottovoce.protocol.bus import Publisher, Subscriber
from sottovoce.protocol.clocks import now_ns
from sottovoce.protocol.config import ApplicationConfig, TransformConfig
from sottovoce.protocol.journal import Journal
from sottovoce.protocol.messages import Body, Mode, ModeState, SpeechPause
from sottovoce.protocol.paths import Paths

APPLICATIONS = (
    ApplicationConfig(match="kitty|foot|xterm", title="python", mode="verbatim"),
    ApplicationConfig(match="kitty|foot|xterm", mode="code"),
    ApplicationConfig(match=r"org\.mozilla\..*", mode="dictation"),
)
TERMINAL = Focused(("foot",), "~")
BROWSER = Focused(("org.mozilla.firefox",), "News")
EDITOR = Focused(("gedit",), "Letter")


@dataclasses.dataclass
class Desk:
    """The modes of a desktop whose focus a test moves."""

    paths: Paths
    said: list[ModeState] = dataclasses.field(default_factory=list)
    notices: list[str] = dataclasses.field(default_factory=list)
    focus: Focused | FocusUnknown | None = None
    modes: Modes | None = None

    def start(self, settings: TransformConfig) -> None:
        """Begin, or begin again as a restarted stage does."""

        def publish(body: Body) -> None:
            assert isinstance(body, ModeState)
            self.said.append(body)

        self.modes = Modes(
            self.paths, settings, publish=publish, notice=lambda level, code, text: self.notices.append(text)
        )

    def into(self, window: Focused | FocusUnknown | None) -> Mode:
        """Return the mode of an utterance that is dictated into this window."""
        assert self.modes is not None
        self.focus = window
        return self.modes.current()


@pytest.fixture
def desk(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """Return a desk; the real question is put by the tests of `focus` and by those below that have a stage."""
    desk = Desk(paths)

    def answer(_: Focus) -> Focused | None:
        if isinstance(desk.focus, FocusUnknown):
            raise desk.focus
        return desk.focus

    monkeypatch.setattr(Focus, "answer", answer)
    yield desk
    if desk.modes is not None:
        desk.modes.close()


def test_by_application(desk: Desk) -> None:
    """The first entry that fits the whole name, in capitals or not, and the title decides; else the default."""
    desk.start(TransformConfig(applications=APPLICATIONS, mode="spelling"))
    assert desk.into(TERMINAL) == "code"
    assert desk.into(Focused(("XTerm", "xterm"), "IPython 9")) == "verbatim"
    assert desk.into(Focused(("footclient",), "")) == "spelling"
    assert desk.into(BROWSER) == "dictation"
    assert desk.modes is not None
    assert desk.modes.application == "org.mozilla.firefox"  # for the hook
    assert desk.into(None) == "spelling"
    assert desk.modes.application is None
    assert [(state.by, state.application) for state in desk.said] == [
        ("default", ""), ("application", "foot"), ("application", "XTerm"), ("default", "footclient"),
        ("application", "org.mozilla.firefox"), ("default", ""),
    ]  # fmt: skip
    assert not desk.notices


def test_a_choice_holds_until_another_entry_applies(desk: Desk) -> None:
    """A spoken mode holds where it was said and where no entry applies, and ends where another entry does."""
    desk.start(TransformConfig(applications=APPLICATIONS))
    assert desk.modes is not None
    assert desk.into(TERMINAL) == "code"
    desk.modes.spoken("spelling")
    assert [desk.into(window) for window in (TERMINAL, EDITOR, None, TERMINAL)] == ["spelling"] * 4
    assert desk.into(BROWSER) == "dictation"
    assert desk.into(TERMINAL) == "code"


def test_a_command_is_for_where_one_dictates_next(desk: Desk) -> None:
    """`sottovoce mode` is typed in a terminal, and is meant for the window into which something is dictated next."""
    desk.start(TransformConfig(applications=APPLICATIONS))
    assert desk.into(TERMINAL) == "code"
    kept.wish(desk.paths, "spelling")
    assert [desk.into(window) for window in (BROWSER, EDITOR, BROWSER)] == ["spelling"] * 3
    assert desk.into(TERMINAL) == "code"


def test_back_to_the_configuration(desk: Desk) -> None:
    """Without a choice the configuration has the word again, at once, and that is told."""
    desk.start(TransformConfig(applications=APPLICATIONS))
    assert desk.modes is not None
    assert desk.into(TERMINAL) == "code"
    desk.modes.spoken("verbatim")
    kept.wish(desk.paths, None)
    desk.modes.look()
    assert desk.said[-1] == ModeState(mode="code", by="application", application="foot")
    assert desk.into(EDITOR) == "dictation"


def test_the_newest_choice_counts(desk: Desk) -> None:
    """Voice after command, command after voice; a command is taken up once, also by a stage that was restarted."""
    desk.start(TransformConfig())
    assert desk.modes is not None
    kept.wish(desk.paths, "code")
    assert desk.modes.current() == "code"
    desk.modes.spoken("verbatim")
    assert desk.modes.current() == "verbatim"
    desk.start(TransformConfig())
    assert desk.modes.current() == "verbatim"
    assert desk.said[-1].by == "voice"
    kept.wish(desk.paths, "code")
    desk.start(TransformConfig())
    assert desk.modes.current() == "code"
    assert desk.said[-1].by == "command"


def test_unknown_focus(desk: Desk) -> None:
    """Where the focus is not known the default holds, or what was chosen, and a person is told once for each reason."""
    desk.start(TransformConfig(applications=APPLICATIONS, mode="verbatim"))
    assert desk.modes is not None
    lost = FocusUnknown("sway does not answer")
    assert [desk.into(lost), desk.into(lost), desk.into(TERMINAL), desk.into(lost)] == [
        "verbatim", "verbatim", "code", "verbatim",
    ]  # fmt: skip
    assert desk.into(TERMINAL) == "code"
    desk.modes.spoken("command")
    assert [desk.into(lost), desk.into(TERMINAL), desk.into(BROWSER)] == ["command", "command", "dictation"]
    assert desk.notices == ["the mode may not be the one that is meant: sway does not answer"]


def test_nothing_is_asked_without_entries(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has configured no applications starts no thread and asks no desktop."""

    def forbidden(*_: object) -> None:
        pytest.fail("asked")

    monkeypatch.setattr(Focus, "__init__", forbidden)
    desk.start(TransformConfig())
    assert desk.modes is not None
    desk.modes.ask()
    assert desk.modes.current() == "dictation"


def test_no_room(desk: Desk, paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mode that cannot be written down is in force all the same, and a person is told."""
    desk.start(TransformConfig())
    assert desk.modes is not None

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(kept, "write", full)
    desk.modes.spoken("code")
    assert desk.modes.current() == "code"
    assert len(desk.notices) == 1
    assert "No space left" in desk.notices[0]


def test_for_us_alone(desk: Desk, paths: Paths) -> None:
    """The files are readable by their owner alone, and hold no title of a window."""
    desk.start(TransformConfig(applications=APPLICATIONS))
    kept.wish(paths, "code")
    desk.into(Focused(("foot",), "a secret"))
    files = [path for path in paths.runtime.iterdir() if path.name.startswith("transform.")]
    assert sorted(path.name for path in files) == ["transform.mode", "transform.wish"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert not any("secret" in path.read_text() for path in files)


@pytest.mark.parametrize("content", ["", "[]", '{"mode": "shouting", "at_ns": 1}', "\udcff"])
def test_a_file_that_is_none_of_ours(paths: Paths, content: str) -> None:
    """What cannot be read as a choice is none; the next choice puts a sound one in its place."""
    for name in ("transform.mode", "transform.wish"):
        (paths.runtime / name).write_bytes(content.encode(errors="surrogateescape"))
    assert kept.shown(paths, "verbatim") == ModeState(mode="verbatim", by="default", application="")
    kept.wish(paths, "code")
    assert kept.shown(paths, "verbatim").mode == "code"
    kept.forget(paths)
    assert kept.shown(paths, "verbatim").mode == "verbatim"


def test_switched() -> None:
    """Another mode from outside leaves all else as it was, and what was spelled stands apart from what follows."""
    context = Context(glue=True, line=False, spoken=True, mode="spelling", pending="upper", open=("quote",))
    assert context.switched("spelling") is context
    after = context.switched("dictation")
    assert (after.mode, after.glue, after.pending, after.open) == ("dictation", False, "", ("quote",))
    assert Context().switched("code") == Context(mode="code")


# -- the stage ---------------------------------------------------------------------------------------------------------

Say = Callable[[str], str]


@pytest.fixture
def say(stages: Stages, journal: Journal) -> Say:
    """Return a function that enters an utterance as the recogniser leaves it, long after the one before."""
    generation = journal.begin_recording("{}")

    def enter(text: str) -> str:
        number = len(journal.utterances())
        journal.segmented(
            generation=generation + number, stream=1, first=number * 1000, end=number * 1000 + 900,
            speech_end=number * 1000, spoken_ns=now_ns() + 3600 * 10**9, position=1, wall_ns=0,
        )  # fmt: skip
        assert journal.transcribed(number + 1, text=text, model="tiny")
        stages.wait_until(lambda: journal.utterance(number + 1).state in ("transformed", "suppressed"))
        return journal.utterance(number + 1).text or ""

    return enter


def test_a_mode_outlives_the_context_and_the_stage(stages: Stages, paths: Paths, say: Say) -> None:
    """A mode that was said holds in the next recording an hour later, and in a stage that was killed and restarted."""
    paths.config.write_text("[transform]\ncarry = 0\n")
    process = stages.start("transform")
    assert say("X equals three.") == "X equals three."
    assert say("Code mode.") == ""
    assert say("X equals three.") == "x = 3"
    process.kill()
    process.wait()
    stages.start("transform")
    assert say("X equals three.") == "x = 3"
    assert say("Dictation mode.") == ""
    assert say("X equals three.") == "X equals three."


def test_a_command_works_between_two_utterances(stages: Stages, paths: Paths, say: Say) -> None:
    """The next utterance is taken in the mode that was asked for; whoever attaches is told of it."""
    paths.config.write_text('[transform]\ncarry = 0\nmode = "verbatim"\n')
    stages.start("transform")
    assert say("Hello comma world.") == "Hello comma world."
    kept.wish(paths, "dictation")
    assert say("Hello comma world.") == "Hello, world."
    kept.wish(paths, None)
    assert say("Hello comma world.") == "Hello comma world."
    kept.wish(paths, "command")
    assert say("Hello.") == ""
    subscriber = Subscriber(paths, ("state.mode",))
    try:
        assert subscriber.wait(60)
        bodies = [event.body for event in subscriber.drain()]
    finally:
        subscriber.close()
    assert bodies == [ModeState(mode="command", by="command", application="")]


@pytest.mark.parametrize("desktop", ["x11_window", "wayland_window"], ids=["X11", "Wayland"])
def test_code_in_a_terminal(
    desktop: str, request: pytest.FixtureRequest, stages: Stages, paths: Paths, say: Say
) -> None:
    """In a terminal that has the focus of a real desktop code is written, and prose once prose was asked for."""
    window: Window = request.getfixturevalue(desktop)
    paths.config.write_text(
        '[transform]\ncarry = 0\n[[transform.applications]]\nmatch = "kitty|foot|XTERM"\nmode = "code"\n'
    )
    stages.start("transform", environ=window.environ)
    # On a busy machine the desktop may not tell in the 50 ms that a text waits for it.
    assert any(say("X equals three.") == "x = 3" for _ in range(10))
    kept.wish(paths, "dictation")
    assert say("X equals three.") == "X equals three."
    assert kept.shown(paths, "dictation").application.lower() in ("foot", "xterm")


@pytest.fixture
def slow(stages: Stages, paths: Paths, x11_window: Window, tmp_path: Path) -> Path:
    """Start a stage on a desktop that needs 0.1 s to tell the focus; return the file with a line for each answer."""
    asked = tmp_path / "asked"
    asked.touch()
    program = tmp_path / "xprop"
    program.write_text(f'#!/bin/sh\nsleep 0.05\n{shutil.which("xprop")} "$@"\necho >>{asked}\n')
    program.chmod(0o700)
    paths.config.write_text('[transform]\ncarry = 0\n[[transform.applications]]\nmatch = "xterm"\nmode = "code"\n')
    stages.start("transform", environ=x11_window.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    return asked


def test_the_desktop_is_asked_in_the_pause(stages: Stages, paths: Paths, say: Say, slow: Path) -> None:
    """A desktop that is slower than a text may wait for has told the focus by then, since it was asked in the pause."""
    vad = Publisher(paths, "vad")

    def pause() -> bool:
        """Tell of pauses until the desktop has answered: the stage's subscription may come after the first of them."""
        before = slow.stat().st_size  # two bytes an answer: xprop is asked twice
        stages.wait_until(
            lambda: vad.publish(SpeechPause(stream=1, first=0, end=900)) or slow.stat().st_size >= before + 2
        )
        return True

    try:
        # On a busy machine the answer may be an old one, or another be on its way, by the time that the text comes.
        assert any(pause() and say("X equals three.") == "x = 3" for _ in range(10))
    finally:
        vad.close()


def test_no_text_waits_for_the_desktop(stages: Stages, say: Say, slow: Path) -> None:
    """Without a pause to ask in, a text does not wait for a slow desktop, and the log says so."""
    assert say("X equals three.") == "X equals three."
    stages.wait_until(lambda: "did not tell within 50 ms" in stages.log())


def test_a_desktop_that_is_gone(stages: Stages, paths: Paths, say: Say) -> None:
    """Where the desktop cannot be asked the text is written in the default mode, and the log says why, once."""
    paths.config.write_text('[transform]\ncarry = 0\n[[transform.applications]]\nmatch = "foot"\nmode = "code"\n')
    stages.start("transform", environ={"WAYLAND_DISPLAY": "wayland-77", "SWAYSOCK": str(paths.runtime / "none")})
    assert say("X equals three.") == "X equals three."
    assert say("X equals three.") == "X equals three."
    stages.wait_until(lambda: "sway does not answer" in stages.log())
    assert stages.log().count("sway does not answer") == 1
