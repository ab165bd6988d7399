"""Backend `xdotool`: types into whatever has the focus of an X11 session."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from sottovoce.actors.inject import tool
from sottovoce.actors.inject.base import Delivery, Outcome, typeable
from sottovoce.actors.inject.keymap import Keymap, KeymapError
from sottovoce.actors.tails import characters

DELAY_MS: Final = 1
"""Time per character. Measured: 57 characters take 60-66 ms at 1 ms, 18 ms at 0 and 370-380 ms at xdotool's own 12 ms;
with the lent keys of `keymap` none of the three lost any, and 1 ms leaves some room to programs slower than xterm.
"""

_UNDER_POINTER: Final = 1
_ALL_KEYS: Final = " ".join(f"{code:02}" for code in range(8, 256))
"""The keycodes: which of them a text needed would tell of the text. The server takes no notice of one that is up, nor
of one that is down on another keyboard. (Code 8 is one that `keymap` lends; "8" would be the key of that digit.)

Whatever ends xdotool, its keys are up at last: the X server repeats one that is down for ever. Of three texts in whose
taking back it was killed, one had BackSpace go on until what stood before it was gone, too; and a text in whose typing
it was killed had its last letter go on, at 25 a second, until somebody pressed that key."""
_TIMEOUT_S: Final = 5.0  # asking for the focus takes 3 ms here


class XdotoolBackend:
    """Types through `xdotool type`, with the characters outside the keyboard layout lent spare keys (see `keymap`)."""

    name: Final = "xdotool"

    def __init__(self, environ: Mapping[str, str] | None = None, *, delay_ms: int = DELAY_MS) -> None:
        self._environ = os.environ if environ is None else environ
        self._delay_ms = delay_ms
        self._keymap = Keymap(self._environ)
        self._typed_into: int | None = None
        """The window that the text before went to."""

    def available(self) -> str | None:
        """Return None if there are an X11 session, an xdotool and an xmodmap, else what is missing."""
        if not self._environ.get("DISPLAY"):
            return "DISPLAY is not set: xdotool types into X11 sessions only"
        if self._environ.get("WAYLAND_DISPLAY"):
            # It would type into XWayland windows only, and report success whatever has the focus.
            return "WAYLAND_DISPLAY is set, and xdotool cannot reach the windows of a Wayland session: use wtype"
        return tool.missing("xdotool", self._environ) or tool.missing("xmodmap", self._environ, "x11-xserver-utils")

    def type(self, text: str, *, mended: str = "") -> Delivery:
        """Type the text, newlines as Return and tabs as Tab. A focus that moved meanwhile is told in the detail."""
        text, mended = typeable(text), typeable(mended)
        if not text:
            return Delivery(Outcome.TYPED, self.name)
        begun = False  # once a key may have been pressed, nothing can be proved any more
        if why := self.available():
            return self._failed(begun, why)
        focus = self._focus()
        if not focus:
            return self._failed(begun, "no window has the focus, or the X server of DISPLAY does not answer")
        mend = bool(mended) and _UNDER_POINTER < focus == self._typed_into
        try:
            for done in self._presses(mended if mend else text, mend=mend):
                begun = begun or done.code is not None
                if done.why:
                    return self._failed(begun, done.why)
        except KeymapError as error:
            return self._failed(begun, str(error))
        moved = self._focus() != focus
        self._typed_into = None if moved else focus
        place = "" if moved or focus <= _UNDER_POINTER else str(focus)
        detail = "the focus moved meanwhile" if moved else ""
        return Delivery(Outcome.TYPED, self.name, detail, mended=mend, place=place)

    def elsewhere(self, place: str) -> str | None:
        """Return None if the window of `place` has the focus, else why that is not so."""
        if why := self.available():
            return why
        if not place:
            return "the focus moved while it was typed"
        focus = self._focus()
        if focus is None:
            return "the X server of DISPLAY does not answer"
        return None if str(focus) == place else "another window has the focus"

    def take_back(self, text: str, place: str) -> Delivery:
        """Press BackSpace in the window of `place`, all in one call of the tool."""
        if why := self.elsewhere(place):
            return self._failed(False, why)
        self._typed_into = None
        count = characters(typeable(text))
        return self._key("BackSpace", count) if count else Delivery(Outcome.TYPED, self.name, place=place)

    def press(self, keys: str) -> Delivery:
        """Press keys in the window that has the focus."""
        if why := self.available():
            return self._failed(False, why)
        if not self._focus():
            return self._failed(False, "no window has the focus, or the X server of DISPLAY does not answer")
        self._typed_into = None
        return self._key(keys, 1)

    def _key(self, keys: str, count: int) -> Delivery:
        before = self._focus()
        done = self._press_key(keys, count)
        if done.why:
            return self._failed(done.code is not None, done.why)
        after = self._focus()
        delivery = Delivery(Outcome.TYPED, self.name, place=str(after or ""))
        return delivery if after == before else replace(delivery, place="", detail="the focus moved meanwhile")

    def close(self) -> None:
        """Give the lent keys back to the keymap; if the X server is gone, so are they."""
        with contextlib.suppress(KeymapError):
            self._keymap.close()

    def _presses(self, text: str, *, mend: bool) -> Iterator[tool.Finished]:
        if mend:
            yield self._press_key("BackSpace", 1)
        for piece in self._keymap.pieces(text):
            yield self._press(piece)

    def _press_key(self, keys: str, count: int) -> tool.Finished:
        options = ["--clearmodifiers", "--delay", str(self._delay_ms), "--repeat", str(count)]
        limit = _TIMEOUT_S + count * (self._delay_ms + 20) / 1000
        return self._run(["key", *options, keys], up=keys, timeout=limit)

    def _press(self, text: str) -> tool.Finished:
        arguments = ["type", "--clearmodifiers", "--delay", str(self._delay_ms), "--file", "-"]
        limit = _TIMEOUT_S + len(text) * (self._delay_ms + 20) / 1000
        # xdotool presses Linefeed, a key that keyboards and bindings do not have, for "\n", and Return for "\r".
        return self._run(arguments, text=text.replace("\n", "\r"), up=_ALL_KEYS, timeout=limit)

    def _run(self, arguments: list[str], *, text: str = "", up: str, timeout: float) -> tool.Finished:
        """Run xdotool; where it does not end well, the keys `up` are let go."""
        amends = ["xdotool", "keyup", "--delay", "0", *up.split()]
        return tool.run(["xdotool", *arguments], text=text, environ=self._environ, timeout=timeout, amends=amends)

    def _focus(self) -> int | None:
        """Return the window that has the focus, 0 for none, 1 for the one under the pointer; None if that fails."""
        done = tool.run(["xdotool", "getwindowfocus", "-f"], environ=self._environ, timeout=_TIMEOUT_S)
        return None if done.why else int(done.output)

    def _failed(self, begun: bool, why: str) -> Delivery:
        return Delivery(Outcome.UNKNOWN if begun else Outcome.NOTHING_TYPED, self.name, why)
