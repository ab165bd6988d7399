"""What a child program writes to its standard error: the end of it is kept, and what may be shown of it is told apart.

Who looks for the cause of a crash needs it; but a library may print what it hears, and errors quote what they choke
on, while what was dictated belongs in no log. So of what comes after the first audio, only what cannot be dictated is
shown: where it broke, and the kind of error.
"""

from __future__ import annotations

import re
from collections import deque

_LINES, _CHARACTERS = 200, 500

_FRAME = re.compile(r'\s*File ".{1,300}", line \d+,? in \S{1,100}$')
_KIND = re.compile(r"([A-Za-z_][\w.]{0,100}(?:Error|Exception|Exit|Interrupt))(?::.*)?$")
_FATAL = re.compile(r"(Fatal Python error: [A-Z][a-z]+(?: [a-z]+)?|terminate called after throwing an instance of .*)$")


class Complaints:
    """The last lines, each cut to 500 characters."""

    def __init__(self) -> None:
        self._lines: deque[tuple[str, bool]] = deque(maxlen=_LINES)
        self._rest = b""
        self._private = False

    @property
    def lines(self) -> tuple[str, ...]:
        """The lines as they came. They may hold what was dictated: not for any log."""
        return tuple(line for line, _ in list(self._lines))

    def may_hear(self) -> None:
        """From now on there may be in it what was dictated."""
        self._private = True

    def take(self, data: bytes) -> None:
        """Add what was written: any number of bytes."""
        # A progress bar's carriage return ends a line, too.
        *whole, self._rest = (self._rest + data).replace(b"\r", b"\n").split(b"\n")
        self._rest = self._rest[: 4 * _CHARACTERS]
        for line in whole:
            text = "".join(c if c.isprintable() else " " for c in line.decode(errors="replace")[:_CHARACTERS])
            if text.strip():
                self._lines.append((text.rstrip(), self._private))

    def summary(self, lines: int = 6) -> str:
        """Return the end of it as a clause, fit for a log; "" if there is nothing to be told."""
        shown, kept_back = [], 0
        for line, private in list(self._lines):
            if text := _harmless(line) if private else line.strip():
                shown.append(text)
            else:
                kept_back += 1
        told = "; its standard error ends: " + " | ".join(shown[-lines:]) if shown else ""
        return told + (f"; lines kept back, since they may quote what was said: {kept_back}" if kept_back else "")


def _harmless(line: str) -> str:
    """Return what of a line tells where something broke, and can be nothing that was dictated."""
    if _FRAME.match(line):
        return line.strip()
    found = _KIND.match(line) or _FATAL.match(line)
    return found[1] if found else ""
