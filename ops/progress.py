"""The progress bar of a download."""

from __future__ import annotations

import shutil
import sys
import time
from typing import TextIO

from sottovoce.models import PullEvent

_WIDTH = 28
_EVERY_S = 0.1


class ProgressBar:
    """Draws pull events on one line of a terminal; elsewhere one line a step.

    Args:
        stream: where to, by default the standard error stream.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._shown = ("", "")
        self._drawn_at = 0.0

    def __call__(self, event: PullEvent) -> None:
        """Draw one event."""
        names = ", ".join(event.models)
        if event.stage == "cached":
            return
        new = (event.stage, event.detail) != self._shown
        self._shown = event.stage, event.detail
        if self._terminal and event.stage == "downloading" and event.total:
            last = event.done >= event.total
            if not new and not last and time.monotonic() - self._drawn_at < _EVERY_S:
                return
            self._drawn_at = time.monotonic()
            filled = _WIDTH * event.done // event.total
            bar = "█" * filled + "░" * (_WIDTH - filled)
            megabytes = f"{event.done / 1e6:.0f} of {event.total / 1e6:.0f} MB"
            self._stream.write(f"\r\x1b[K{names} {bar} {megabytes}")
        elif new:
            start, end = ("\r\x1b[K", "" if event.stage != "ready" else "\n") if self._terminal else ("", "\n")
            detail = f" ({event.detail})" if event.detail else ""
            if detail and self._terminal:  # one line, whatever its length, that the bar can take again
                detail = detail[: max(20, shutil.get_terminal_size().columns - len(names) - 12)]
            self._stream.write(f"{start}{names}: {event.stage}{detail}{end}")
        self._stream.flush()
