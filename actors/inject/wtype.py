"""Backend `wtype`: types into whatever has the focus of a Wayland session that knows the virtual-keyboard protocol.

Which window that is, only sway and Hyprland tell (`actors.focus`; 0.3 ms on sway, p99 0.8). There a text is taken back
from the window alone that it was typed into; elsewhere at least the session has to be the same.

wtype makes a virtual keyboard whose keymap holds exactly the characters of the text, so every script and every emoji
goes through, whatever the user's layout.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from sottovoce.actors.focus import FocusUnknown, focused
from sottovoce.actors.inject import tool
from sottovoce.actors.inject.base import Delivery, Outcome, typeable
from sottovoce.actors.tails import characters

SETTLE_MS: Final = 30
"""Wait between the new keyboard and its first key.

Where the seat has no other keyboard, a client only now learns that there is one, and loses what is pressed before it
has asked for it. Texts that lost their first character, measured with foot under headless sway on 2 cores with 4 busy
loops: 2 of 25 at 0 ms, 1 of 25 at 5 ms, 0 of 105 at 20 ms, 0 of 105 at 50 ms; on the idle machine 1 of 100 at 0 ms.
"""

_ASK_S: Final = 0.25
"""Longest that a compositor is asked for the focus: a text waits for the answer."""
_APART: Final = " "  # between the session and the window, in a place
_NONE: Final = "none"  # no window has the focus
_MODIFIERS: Final = {"super": "logo"}  # its own names, where they differ
# What wtype says before it has made a keyboard, so before a key could be pressed.
_BEFORE_TYPING: Final = {
    "Wayland connection failed": "the compositor cannot be reached: is WAYLAND_DISPLAY that of a running session?",
    "Compositor does not support the virtual keyboard protocol": (
        "the compositor has no virtual-keyboard protocol (GNOME and KDE have not): choose another backend"
    ),
    "No seat found": "the compositor has no seat to type on",
}


class WtypeBackend:
    """Types through `wtype`."""

    name: Final = "wtype"

    def __init__(self, environ: Mapping[str, str] | None = None, *, settle_ms: int = SETTLE_MS) -> None:
        self._environ = os.environ if environ is None else environ
        self._settle_ms = settle_ms
        self._typed_into = ""
        """Where the text before went to."""

    def available(self) -> str | None:
        """Return None if there are a Wayland session and a wtype, else what is missing."""
        if not self._environ.get("WAYLAND_DISPLAY"):
            return "WAYLAND_DISPLAY is not set: wtype types into Wayland sessions only"
        return tool.missing("wtype", self._environ)

    def type(self, text: str, *, mended: str = "") -> Delivery:
        """Type the text, newlines as Return and tabs as Tab. A focus that moved meanwhile is told in the detail."""
        if why := self.available():
            return Delivery(Outcome.NOTHING_TYPED, self.name, why)
        mend = bool(mended and self._typed_into) and self.elsewhere(self._typed_into) is None
        text = typeable(mended if mend else text)
        if not text:
            return Delivery(Outcome.TYPED, self.name)
        delivery = self._run([*(("-k", "BackSpace") if mend else ()), "-"], len(text), text)
        self._typed_into = delivery.place
        return replace(delivery, mended=mend and delivery.outcome is Outcome.TYPED)

    def elsewhere(self, place: str) -> str | None:
        """Return None if nothing is known to speak against the focus being at `place`, else why that is not so."""
        if why := self.available():
            return why
        if not place:
            return "the focus moved while it was typed"
        session, _, window = place.partition(_APART)
        if session != self._environ["WAYLAND_DISPLAY"]:
            return "that was in another Wayland session"
        return "another window has the focus" if _differ(window, self._focus()) else None

    def take_back(self, text: str, place: str) -> Delivery:
        """Press BackSpace, all in one call of the tool."""
        self._typed_into = ""
        if why := self.elsewhere(place):
            return Delivery(Outcome.NOTHING_TYPED, self.name, why)
        count = characters(typeable(text))
        return self._run(["-k", "BackSpace"] * count, count)

    def press(self, keys: str) -> Delivery:
        """Press keys, wherever the focus is."""
        if why := self.available():
            return Delivery(Outcome.NOTHING_TYPED, self.name, why)
        self._typed_into = ""
        *held, key = keys.split("+")
        modifiers = [_MODIFIERS.get(modifier, modifier) for modifier in held]
        down = [part for modifier in modifiers for part in ("-M", modifier)]
        up = [part for modifier in reversed(modifiers) for part in ("-m", modifier)]
        return self._run([*down, "-k", key, *up], 1)

    def _run(self, arguments: list[str], count: int, text: str = "") -> Delivery:
        """Run wtype with so many keys to press."""
        # A character takes 4.5 ms here; one that takes 50 means a compositor that is close to hanging.
        argv = ["wtype", "-s", str(self._settle_ms), *arguments]
        before = self._focus()
        done = tool.run(argv, text=text, environ=self._environ, timeout=5 + self._settle_ms / 1000 + 0.05 * count)
        if not done.why:
            if _differ(before, self._focus()):
                return Delivery(Outcome.TYPED, self.name, "the focus moved meanwhile")
            place = self._environ["WAYLAND_DISPLAY"]
            return Delivery(Outcome.TYPED, self.name, place=f"{place}{_APART}{before}" if before else place)
        for complaint, why in _BEFORE_TYPING.items():
            if complaint in done.complaint:
                return Delivery(Outcome.NOTHING_TYPED, self.name, why)
        return Delivery(Outcome.NOTHING_TYPED if done.code is None else Outcome.UNKNOWN, self.name, done.why)

    def _focus(self) -> str:
        """Return what tells the window that has the focus from others, "" where the compositor does not tell."""
        try:
            window = focused(self._environ, _ASK_S)
        except FocusUnknown:
            return ""
        return window.key if window else _NONE

    def close(self) -> None:
        """Nothing is held between two texts."""


def _differ(one: str, other: str) -> bool:
    """Whether two windows are known not to be the same."""
    return bool(one and other) and one != other
