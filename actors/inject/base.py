"""What every injection backend is: an outcome, a delivery, the interface, and the rule on control characters."""

from __future__ import annotations

import enum
import unicodedata
from dataclasses import dataclass, field
from typing import Protocol


class Outcome(enum.Enum):
    """What became of a text. Only `NOTHING_TYPED` allows another attempt, so it is claimed only with proof."""

    TYPED = "typed"
    """The whole text was handed to the target."""
    NOTHING_TYPED = "nothing_typed"
    """Provably no character reached the target: the next backend may try."""
    UNKNOWN = "unknown"
    """Some of the text may have arrived: never tried again by itself."""


@dataclass(frozen=True)
class Delivery:
    """The report on one text."""

    outcome: Outcome
    backend: str
    """Name of the backend that reports."""
    detail: str = ""
    """Why, and what to do about it. Never holds any of the text, so it may be logged."""
    mended: bool = False
    """The other text was typed, after the last character of the one before was taken back."""
    place: str = field(default="", compare=False)
    """Where it was typed, in the backend's own words, as far as it knows; "" where something speaks against that."""


class Backend(Protocol):
    """A way of getting text to where the user wants it."""

    @property
    def name(self) -> str:
        """The name it has in the configuration."""

    def available(self) -> str | None:
        """Return None if usable now, else why it is not and what to do about it."""

    def type(self, text: str, *, mended: str = "") -> Delivery:
        """Deliver `typeable(text)` and block until that is done; time limits grow with its length.

        `mended`, if there is one, is what to type instead once the last character of the text before, which this
        backend has just typed, has been taken back. That is for a backend that can, and that knows of nothing that
        speaks against the cursor's still being there.
        """

    def elsewhere(self, place: str) -> str | None:
        """Return None where nothing is known to speak against the cursor's being at a `place` of this backend's."""

    def take_back(self, text: str, place: str) -> Delivery:
        """Take back `text`, the end of what was typed at `place`, and block until that is done.

        BackSpace is pressed as often as `typeable(text)` has characters, or the file is shortened. `NOTHING_TYPED`
        where the cursor is elsewhere, or where nothing can be taken back.
        """

    def press(self, keys: str) -> Delivery:
        """Press modifiers and a key ("Return", "ctrl+shift+v"), which have the names of keysyms, and release them."""

    def close(self) -> None:
        """Give back whatever is held; calling it again does nothing."""


def typeable(text: str) -> str:
    r"""Return `text` without the characters that are never sent.

    Those are the control characters (Unicode category Cc: ESC and CSI would let a mis-heard or malicious text drive a
    terminal) other than ``\n`` and ``\t``, and lone surrogates, which no encoding carries. ``\r\n`` and ``\r`` become
    ``\n``. They are dropped rather than the text refused, since the words around them are still what the user said.
    Everything else, joiners of emoji and spaces at either end included, is kept as it is.
    """
    if text.isprintable():  # nearly always; one pass in C
        return text
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(c for c in text if c in "\n\t" or unicodedata.category(c) not in {"Cc", "Cs"})
