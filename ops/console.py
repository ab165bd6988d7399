"""What a person watching sees: drafts dim and passing, finals bright and staying, notices as they come."""

from __future__ import annotations

import shutil
import sys
from typing import TextIO

import msgspec

from sottovoce.protocol.messages import Draft, Event, Notice, NotTyped, PipelineState, Suppressed, TextReady

_DIM, _BRIGHT, _WARN, _PLAIN, _ERASE = "\x1b[2m", "\x1b[1m", "\x1b[33m", "\x1b[0m", "\r\x1b[K"
_MARK = {"idle": "□ idle", "recording": "● recording", "processing": "… finishing"}


class Console:
    """Draws events on a terminal; elsewhere prints finals and notices as plain lines.

    Args:
        stream: where to.
        states: whether to show the pipeline's state, too.
    """

    def __init__(self, stream: TextIO | None = None, *, states: bool = True) -> None:
        self._stream = stream or sys.stdout
        self._terminal = self._stream.isatty()
        self._states = states
        self._drawn = False

    def show(self, event: Event) -> None:
        """Draw one event."""
        body = event.body
        if isinstance(body, Draft):
            self._draft(body)
        elif isinstance(body, TextReady):  # the final text as it is typed; `transcript.final` is what was heard
            self._line(body.text.strip() or (f"({body.edit})" if body.edit else "⏎"), _BRIGHT)
        elif isinstance(body, Suppressed):
            self._line(f"(not typed: {body.reason})", _DIM)
        elif isinstance(body, NotTyped):
            self._line(f"({body.state.replace('_', ' ')}: {body.detail}; see `sottovoce history list`)", _WARN)
        elif isinstance(body, Notice):
            self._line(f"{body.stage}: {body.text}", _DIM if body.level == "info" else _WARN)
        elif isinstance(body, PipelineState) and self._states:
            self._line(_MARK[body.state], _DIM)

    def _draft(self, draft: Draft) -> None:
        """One line that is drawn over again; of a longer hypothesis, its end."""
        if not self._terminal:
            return
        width = shutil.get_terminal_size().columns - 2
        text = draft.text if len(draft.text) <= width else "…" + draft.text[1 - width :]
        self._stream.write(f"{_ERASE}{_DIM}{text}{_PLAIN}")
        self._stream.flush()
        self._drawn = True

    def _line(self, text: str, style: str) -> None:
        if self._terminal:
            erase = _ERASE if self._drawn else ""
            self._stream.write(f"{erase}{style}{text}{_PLAIN}\n")
            self._drawn = False
        else:
            self._stream.write(text + "\n")
        self._stream.flush()


def as_json(event: Event) -> str:
    """Return an event as one line of JSON, the envelope's fields around the body."""
    return msgspec.json.encode(event).decode()
