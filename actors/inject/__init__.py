"""Injection: get the text to where the user's cursor is, and say honestly what became of it.

Four backends (`stdout`, `file`, `wtype`, `xdotool`), chosen by name or by the session, tried in order. A backend that
can prove that it typed nothing lets the next one try; any doubt ends the attempt, for text must never be typed twice.
The text goes to the tools through their standard input only and appears in no report.
"""

from sottovoce.actors.inject.base import Backend, Delivery, Outcome, typeable
from sottovoce.actors.inject.choose import NAMES, Chain, choose
from sottovoce.actors.inject.stream import FileBackend, StdoutBackend
from sottovoce.actors.inject.wtype import WtypeBackend
from sottovoce.actors.inject.xdotool import XdotoolBackend

__all__ = [
    "NAMES",
    "Backend",
    "Chain",
    "Delivery",
    "FileBackend",
    "Outcome",
    "StdoutBackend",
    "WtypeBackend",
    "XdotoolBackend",
    "choose",
    "typeable",
]
