"""The keymap of an X display: which characters it can type, and spare keys lent to those it cannot.

The problem. X knows no "insert this character": a program presses a key, and each client looks up, when it gets round
to it, what that key means in the keymap as it is by then. `xdotool type` meets a character outside the keymap by
binding one spare key to it, pressing the key and unbinding it again before the next character; a client that looks
late finds nothing, or the next character. The exit status is 0 all the same. Measured with an xterm on 2 cores: at 1
ms a character "é ü ß naïve" arrives as three spaces and "nave"; at 12 ms, xdotool's default, with 4 busy loops beside
it, 9 of 12 texts in such characters arrive wrong. And "É" arrives as "é" at any delay: of a key with one letter, that
is the lower case.

What is done. Each such character of the text is bound to a spare key of its own before typing, and *stays* bound. A
client hears of the new keymap before it hears of the key presses, since both are events of one stream, and whenever it
then looks, it finds the right character. Measured beside the same busy loops, at 0 and at 1 ms a character, xterm and
Tk: 72 of 72 texts right. Only when all spare keys are bound (the common layouts leave 19 spare) is the longest unused
bound anew; only then must clients have caught up with what was typed on it, and `SETTLE_S` is waited.

Refused: more time per character (slow, and still a race); the clipboard (it takes what the user had copied, the key
that pastes differs between programs, terminals and password fields treat it apart, and clipboard managers keep what
was dictated). Prior art: the virtual keyboards of Wayland, where the one who types brings a keymap of his own.
"""

from __future__ import annotations

import ctypes
import functools
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from sottovoce.actors.inject import tool

SETTLE_S: Final = 0.25
"""Wait before a key that has been typed on is bound to another character, seconds.

Nothing tells when a client has looked, so this is a judgement; 140 Chinese characters, in eight such pieces, arrived
right in an xterm beside 4 busy loops on 2 cores.
"""

_TIMEOUT_S: Final = 5.0  # xmodmap takes 2-4 ms here; a server that another client has grabbed answers nobody
_ROW: Final = re.compile(r"^ +(\d+) +\t(.*)$", re.MULTILINE)
_KEYSYM: Final = re.compile(r"0x([0-9a-f]+) \(")
# A row of ours: the character at both shift levels of two groups (one level alone is taken for the lower case, one
# group alone is not typed while the user's second layout is on), then a mark that no layout has, by which a service
# that was killed finds its keys again.
_MARK: Final = [0xFFFFFF, 0xFFFFFF]  # VoidSymbol


class KeymapError(Exception):
    """The keymap cannot be read or changed; says why and what to do."""


class Keymap:
    """The keymap of the display that `environ` names, read anew for each text: the user may change the layout."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._used: dict[int, float] = {}  # keycode of ours -> when it was last typed on, time.monotonic()

    def pieces(self, text: str) -> Iterator[str]:
        """Yield `text` in pieces, each of which the keymap can type in full from when it is yielded.

        Nearly always that is one piece. Raises KeymapError.
        """
        rows = self._rows()
        lent = {code: _character(row[0]) for code, row in rows.items() if _is_ours(row)}
        spare = {code: "" for code, row in rows.items() if not any(row)} | lent
        known = {_character(symbol) for code, row in rows.items() if code not in lent for symbol in row} | {"\n", "\t"}
        foreign = set(text) - known
        if foreign and not spare:
            raise KeymapError("the text has characters outside the keyboard layout and no key is spare to lend them")
        for piece in _cut(text, foreign, len(spare)):
            wanted = foreign & set(piece)
            unbound = sorted(wanted - set(spare.values()))
            free = sorted((c for c in spare if spare[c] not in wanted), key=lambda c: self._used.get(c, 0.0))
            bind = dict(zip(free, unbound, strict=False))
            if bind:
                self._settle(bind)
                self._change(f"keycode {code} = {_row(character)}" for code, character in bind.items())
                spare |= bind
            yield piece
            now = time.monotonic()
            self._used |= {code: now for code, character in spare.items() if character in wanted}

    def close(self) -> None:
        """Take the lent keys back. Raises KeymapError."""
        if self._used:
            self._settle(self._used)
            self._change(f"keycode {code} =" for code, row in self._rows().items() if _is_ours(row))
            self._used.clear()

    def _rows(self) -> dict[int, list[int]]:
        """Return the keysyms of each keycode."""
        table = self._xmodmap("-pk")
        return {int(row[1]): [int(s, 16) for s in _KEYSYM.findall(row[2])] for row in _ROW.finditer(table)}

    def _change(self, lines: Iterable[str]) -> None:
        self._xmodmap("-", text="".join(f"{line}\n" for line in lines))

    def _settle(self, codes: Iterable[int]) -> None:
        """Wait until whoever has been typed at on `codes` may be taken to have looked up what they meant."""
        time.sleep(max(0.0, SETTLE_S + max(self._used.get(code, 0.0) for code in codes) - time.monotonic()))

    def _xmodmap(self, argument: str, text: str = "") -> str:
        if why := tool.missing("xmodmap", self._environ, "x11-xserver-utils"):
            raise KeymapError(why)
        done = tool.run(["xmodmap", argument], text=text, environ=self._environ, timeout=_TIMEOUT_S)
        if done.why:
            raise KeymapError(f"the keymap is out of reach: {done.why}; is DISPLAY that of an X server that answers?")
        return done.output


def _cut(text: str, foreign: set[str], room: int) -> Iterator[str]:
    """Cut `text` so that no piece holds more than `room` different characters of `foreign`."""
    start, seen = 0, set[str]()
    for at, character in enumerate(text):
        if character in foreign and character not in seen:
            if len(seen) == room:
                yield text[start:at]
                start, seen = at, set()
            seen.add(character)
    yield text[start:]


def _row(character: str) -> str:
    return " ".join(f"{symbol:#x}" for symbol in [_keysym(character)] * 4 + _MARK)


def _is_ours(row: list[int]) -> bool:
    return row[4:] == _MARK and len(set(row[:4])) == 1


def _keysym(character: str) -> int:
    """Return the keysym of a character: the code point in Latin-1, else 2**24 more (X11 protocol, appendix A)."""
    point = ord(character)
    return point if 0x20 <= point <= 0x7E or 0xA0 <= point <= 0xFF else 0x1000000 | point


@functools.cache
def _xkbcommon() -> ctypes.CDLL:
    try:
        return ctypes.CDLL("libxkbcommon.so.0")  # xdotool itself is linked to it
    except OSError as error:
        raise KeymapError("libxkbcommon is not installed: apt install libxkbcommon0") from error


@functools.lru_cache(4096)
def _character(keysym: int) -> str:
    """Return what a keysym types, "" if that is no character. The older scripts have keysyms of their own."""
    point = int(_xkbcommon().xkb_keysym_to_utf32(ctypes.c_uint32(keysym)))
    return chr(point) if point else ""
