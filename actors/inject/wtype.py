"""Backend `wtype`: types into whatever has the focus of a Wayland session that knows the virtual-keyboard protocol.

wtype makes a virtual keyboard whose keymap holds exactly the characters of the text, so every script and every emoji
goes through, whatever the user's layout.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from sottovoce.actors.inject import tool
from sottovoce.actors.inject.base import Delivery, Outcome, typeable
from sottovoce.actors.tails import characters

SETTLE_MS: Final = 30
"""Wait between the new keyboard and its first key.

Where the seat has no other keyboard, a client only now learns that there is one, and loses what is pressed before it
has asked for it. Texts that lost their first character, measured with foot under headless sway on 2 cores with 4 busy
loops: 2 of 25 at 0 ms, 1 of 25 at 5 ms, 0 of 105 at 20 ms, 0 of 105 at 50 ms; on the idle machine 1 of 100 at 0 ms.
"""

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

    def available(self) -> str | None:
        """Return None if there are a Wayland session and a wtype, else what is missing."""
        if not self._environ.get("WAYLAND_DISPLAY"):
            return "WAYLAND_DISPLAY is not set: wtype types into Wayland sessions only"
        return tool.missing("wtype", self._environ)

    def type(self, text: str, *, mended: str = "") -> Delivery:
        """Type the text, newlines as Return and tabs as Tab. Where the focus is, Wayland tells nobody."""
        text = typeable(mended or text)
        if not text:
            return Delivery(Outcome.TYPED, self.name)
        if why := self.available():
            return Delivery(Outcome.NOTHING_TYPED, self.name, why)
        delivery = self._run([*(("-k", "BackSpace") if mended else ()), "-"], len(text), text)
        return replace(delivery, mended=bool(mended) and delivery.outcome is Outcome.TYPED)

    def elsewhere(self, place: str) -> str | None:
        """Return None in the session of `place`: where in it the focus is, Wayland tells nobody."""
        if why := self.available():
            return why
        return None if place == self._environ["WAYLAND_DISPLAY"] else "that was in another Wayland session"

    def take_back(self, text: str, place: str) -> Delivery:
        """Press BackSpace, all in one call of the tool."""
        if why := self.elsewhere(place):
            return Delivery(Outcome.NOTHING_TYPED, self.name, why)
        count = characters(typeable(text))
        return self._run(["-k", "BackSpace"] * count, count)

    def press(self, keys: str) -> Delivery:
        """Press keys, wherever the focus is."""
        if why := self.available():
            return Delivery(Outcome.NOTHING_TYPED, self.name, why)
        *held, key = keys.split("+")
        modifiers = [_MODIFIERS.get(modifier, modifier) for modifier in held]
        down = [part for modifier in modifiers for part in ("-M", modifier)]
        up = [part for modifier in reversed(modifiers) for part in ("-m", modifier)]
        return self._run([*down, "-k", key, *up], 1)

    def _run(self, arguments: list[str], count: int, text: str = "") -> Delivery:
        """Run wtype with so many keys to press."""
        # A character takes 4.5 ms here; one that takes 50 means a compositor that is close to hanging.
        argv = ["wtype", "-s", str(self._settle_ms), *arguments]
        done = tool.run(argv, text=text, environ=self._environ, timeout=5 + self._settle_ms / 1000 + 0.05 * count)
        if not done.why:
            return Delivery(Outcome.TYPED, self.name, place=self._environ["WAYLAND_DISPLAY"])
        for complaint, why in _BEFORE_TYPING.items():
            if complaint in done.complaint:
                return Delivery(Outcome.NOTHING_TYPED, self.name, why)
        return Delivery(Outcome.NOTHING_TYPED if done.code is None else Outcome.UNKNOWN, self.name, done.why)

    def close(self) -> None:
        """Nothing is held between two texts."""
