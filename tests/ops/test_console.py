from __future__ import annotations

import io
import json
import os
import pty
import struct
import termios
from collections.abc import Iterator
from dataclasses import dataclass
from fcntl import ioctl
from typing import TextIO

import pytest

from sottovoce.ops.console import Console, as_json
from sottovoce.protocol.messages import (
    Body,
    Draft,
    Event,
    Final,
    Notice,
    NotTyped,
    PipelineState,
    Suppressed,
    TextReady,
    topic_of,
)

DIM, BRIGHT, WARN, PLAIN, ERASE = "\x1b[2m", "\x1b[1m", "\x1b[33m", "\x1b[0m", "\r\x1b[K"


def event(body: Body) -> Event:
    """Put a body in an envelope."""
    return Event(src="s", boot="b", seq=1, t_ns=1, trace="1-0", topic=topic_of(body), body=body)


def draft(text: str) -> Event:
    """Return a draft."""
    return event(Draft(stream=1, first=0, end=1, text=text, stable=0, window_id=1))


def ready(text: str) -> Event:
    """Return what is about to be typed."""
    return event(TextReady(stream=1, first=0, text=text))


@dataclass
class Terminal:
    """A terminal of 40 columns, and what has been written to it."""

    stream: TextIO
    master: int

    def written(self) -> str:
        """Return what has come since the last call, up to a mark: the kernel hands it on bit by bit."""
        self.stream.write("\0")
        self.stream.flush()
        text = b""
        while not text.endswith(b"\0"):
            text += os.read(self.master, 1 << 16)
        return text[:-1].decode().replace("\r\n", "\n")


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    """Open a pseudo-terminal."""
    master, slave = pty.openpty()
    ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 40, 0, 0))
    monkeypatch.setenv("COLUMNS", "40")
    with os.fdopen(slave, "w", encoding="utf-8") as stream:
        yield Terminal(stream, master)
    os.close(master)


def test_drafts_are_dim_and_drawn_over(terminal: Terminal) -> None:
    """Each draft takes the place of the one before, on one line that is not ended."""
    console = Console(terminal.stream)
    console.show(draft("ever"))
    console.show(draft("ever tried"))
    assert terminal.written() == f"{ERASE}{DIM}ever{PLAIN}{ERASE}{DIM}ever tried{PLAIN}"


def test_the_final_text_is_bright_and_stays(terminal: Terminal) -> None:
    """It takes the draft's place and ends the line; where no draft is drawn there is nothing to erase."""
    console = Console(terminal.stream)
    console.show(draft("ever tried"))
    terminal.written()
    console.show(ready(" Ever tried. "))
    console.show(ready("No matter."))
    assert terminal.written() == f"{ERASE}{BRIGHT}Ever tried.{PLAIN}\n{BRIGHT}No matter.{PLAIN}\n"


def test_a_long_draft_shows_its_end(terminal: Terminal) -> None:
    """A hypothesis longer than the terminal is wide would wrap and could not be erased; its end is what is new."""
    Console(terminal.stream).show(draft("x" * 100 + " and the end"))
    text = terminal.written().removeprefix(ERASE + DIM).removesuffix(PLAIN)
    assert text.startswith("…")
    assert text.endswith(" and the end")
    assert len(text) <= 39


def test_notices_are_seen(terminal: Terminal) -> None:
    """Warnings, and what was not typed, stand out; what only informs is dim."""
    console = Console(terminal.stream)
    console.show(event(Notice(level="warning", stage="capture", code="gap", text="0.4 s were not captured")))
    console.show(event(Notice(level="info", stage="vad", code="x", text="by the way")))
    console.show(event(NotTyped(stream=1, first=0, state="in_doubt", detail="the injector died")))
    console.show(event(Suppressed(stream=1, first=0, reason="no words")))
    lines = terminal.written().splitlines()
    assert lines[0] == f"{WARN}capture: 0.4 s were not captured{PLAIN}"
    assert lines[1] == f"{DIM}vad: by the way{PLAIN}"
    assert lines[2].startswith(f"{WARN}(in doubt: the injector died")
    assert lines[3] == f"{DIM}(not typed: no words){PLAIN}"


def test_elsewhere_only_plain_lines_are_printed() -> None:
    """In a pipe there are no drafts and no escape sequences, and each line is there at once."""
    stream = io.StringIO()
    console = Console(stream)
    console.show(draft("ever"))
    console.show(ready("Ever tried."))
    console.show(ready("\n"))
    console.show(event(Notice(level="error", stage="inject", code="x", text="no keyboard")))
    assert stream.getvalue().splitlines() == ["Ever tried.", "⏎", "inject: no keyboard"]


@pytest.mark.parametrize(("states", "shown"), [(True, "● recording\n"), (False, "")])
def test_the_pipelines_state_may_be_left_out(states: bool, shown: str) -> None:
    """`watch` shows when somebody begins to record; the demo does not."""
    stream = io.StringIO()
    Console(stream, states=states).show(
        event(PipelineState(state="recording", generation=1, source="microphone", waiting=0))
    )
    assert stream.getvalue() == shown


def test_what_is_heard_and_not_typed_is_not_shown_as_typed() -> None:
    """The recogniser's text is not what is typed, so it is not drawn; an event of any other kind neither."""
    stream = io.StringIO()
    final = Final(
        stream=1, first=0, end=1, text="comma", window_id=1, corrects_window_ids=(), model="m", audio_s=1, decode_s=1,
        speculative=False,
    )  # fmt: skip
    Console(stream).show(event(final))
    assert stream.getvalue() == ""


def test_an_event_is_one_line_of_json() -> None:
    """The envelope's fields around the body, for `watch --json`."""
    line = as_json(draft("say \n“ever”"))
    assert "\n" not in line
    fields = json.loads(line)
    assert (fields["topic"], fields["body"]["text"]) == ("transcript.draft", "say \n“ever”")
