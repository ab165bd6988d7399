"""The keymap of an X display: which characters it can type, and spare keys lent to those it cannot.

The problem. X knows no "insert this character": a program presses a key, and each client looks up, when it gets round
to it, what that key means in the keymap as it is by then. `xdotool type` meets a character outside the keymap by
binding one spare key to it, pressing the key and unbinding it again before the next character; a client that looks
late finds nothing, or the next character. The exit status is 0 all the same. Measured with an xterm on 2 cores: at 1
ms a character "é ü ß naïve" arrives as three spaces and "nave"; at 12 ms, xdotool's default, with 4 busy loops beside
it, 9 of 12 texts in such characters arrive wrong. And "É" arrives as "é" at any delay: of a key with one letter, that
is the lower case.

What is done. Each such character of the text is bound to a place of its own on a spare key before typing, plain or
with Shift, and *stays* bound. A client hears of the new keymap before it hears of the key presses, since both are
events of one stream, and whenever it then looks, it finds the right character. Measured beside the same busy loops, at
0 and at 1 ms a character, xterm and Tk: 72 of 72 texts right. Only when all places are taken (the common layouts leave
19 keys, so 38 places) are the longest unused bound anew; only then must whoever was typed at have looked, and that is
waited for (`program`). Before, an xterm stopped for a second read "世界요今天" where "世界。今天" was typed.

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
from typing import Final, NamedTuple

from sottovoce.actors.inject import program, tool

SETTLE_S: Final = 0.25
"""Wait before a place that has been typed on is bound to another character, seconds.

That is for the window whose program can be seen to sleep, and leaves some room to one that sleeps elsewhere. Alone it
is a race: a window that was kept from the processor for longer read another character.
"""

UNSEEN_S: Final = 1.0
"""The same where the program of the window is unknown: a judgement, since nothing tells when it has looked."""

_PATIENCE_S: Final = 5.0  # a window that does not once look at its events for so long hangs
_LAST_PATIENCE_S: Final = 1.0  # at the end, where whoever supervises us waits for 5 s
_TIMEOUT_S: Final = 5.0  # xmodmap takes 2-4 ms here; a server that another client has grabbed answers nobody
_ROW: Final = re.compile(r"^ +(\d+) +\t(.*)$", re.MULTILINE)
_KEYSYM: Final = re.compile(r"0x([0-9a-f]+) \(")
# A row of ours: two characters, plain and with Shift, or one at both (one level alone is taken for the lower case), the
# same in two groups (one group alone is not typed while the user's second layout is on), then a mark that no layout
# has, by which a service that was killed finds its keys again.
_MARK: Final = [0xFFFFFF, 0xFFFFFF]  # VoidSymbol


_Place = tuple[int, int]
"""A keycode, and 0 for the key alone, 1 for the key with Shift."""


class _Use(NamedTuple):
    """The last time that a place was typed on."""

    when: float
    """time.monotonic()"""
    pid: int | None
    """The process that was typed at; None if unknown."""


class KeymapError(Exception):
    """The keymap cannot be read or changed; says why and what to do."""


class Keymap:
    """The keymap of the display that `environ` names, read anew for each text: the user may change the layout."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._began = _Use(time.monotonic(), None)
        self._used: dict[_Place, _Use] = {}

    def pieces(self, text: str) -> Iterator[str]:
        """Yield `text` in pieces, each of which the keymap can type in full from when it is yielded.

        Nearly always that is one piece. Raises KeymapError.
        """
        rows = self._rows()
        ours = {code for code, row in rows.items() if _is_ours(row)}
        lendable = (_places(code, row) for code, row in rows.items() if code in ours or not any(row))
        spare = {place: character for places in lendable for place, character in places}
        for place, character in spare.items():
            if character:
                self._used.setdefault(place, self._began)  # of a predecessor that was killed
        known = {_character(symbol) for code, row in rows.items() if code not in ours for symbol in row} | {"\n", "\t"}
        foreign = set(text) - known
        if foreign and not spare:
            raise KeymapError("the text has characters outside the keyboard layout and no key is spare to lend them")
        pid = program.behind_focus(self._environ) if foreign else None
        for piece in _cut(text, foreign, len(spare)):
            wanted = foreign & set(piece)
            unbound = sorted(wanted - set(spare.values()))
            free = sorted((at for at in spare if spare[at] not in wanted), key=lambda at: self._turn(spare, at))
            bind = dict(zip(free, unbound, strict=False))
            if bind:
                # One that is left alone may hang: dictation goes on elsewhere.
                if pid in self._settle(bind, _PATIENCE_S):
                    raise KeymapError("the window has not looked at what was typed before: it hangs, or is stopped")
                spare |= bind
                codes = {code for code, _ in bind}
                self._change(f"keycode {code} = {_row(spare[code, 0], spare[code, 1])}" for code in sorted(codes))
            try:
                yield piece
            finally:  # also where the typing broke off
                use = _Use(time.monotonic(), pid)
                self._used |= {place: use for place, character in spare.items() if character in wanted}

    def close(self) -> None:
        """Take the lent keys back, unless a window has yet to look at one: a successor will. Raises KeymapError."""
        if self._used:
            if self._settle(self._used, _LAST_PATIENCE_S):
                return
            self._change(f"keycode {code} =" for code, row in self._rows().items() if _is_ours(row))
            self._used.clear()

    def _turn(self, spare: Mapping[_Place, str], place: _Place) -> tuple[bool, int, float]:
        """Order the places: the empty ones, those without Shift first (a row begins there), then the longest unused."""
        used = self._used[place].when if place in self._used else 0.0
        return (True, 0, used) if spare[place] else (False, place[1], used)

    def _rows(self) -> dict[int, list[int]]:
        """Return the keysyms of each keycode."""
        table = self._xmodmap("-pk")
        return {int(row[1]): [int(s, 16) for s in _KEYSYM.findall(row[2])] for row in _ROW.finditer(table)}

    def _change(self, lines: Iterable[str]) -> None:
        self._xmodmap("-", text="".join(f"{line}\n" for line in lines))

    def _settle(self, places: Iterable[_Place], patience_s: float) -> set[int]:
        """Wait until whoever has been typed at on `places` has looked up what they meant; return who has not."""
        uses = {self._used[place] for place in places if place in self._used}
        ends = [use.when + (UNSEEN_S if use.pid is None else SETTLE_S) for use in uses]
        time.sleep(max(0.0, max(ends, default=0.0) - time.monotonic()))
        programs = {use.pid for use in uses if use.pid is not None}
        return {pid for pid in programs if not program.caught_up(pid, self._environ, patience_s)}

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


def _row(plain: str, shifted: str) -> str:
    pair = [_keysym(plain or shifted), _keysym(shifted or plain)]
    return " ".join(f"{symbol:#x}" for symbol in pair * 2 + _MARK)


def _is_ours(row: list[int]) -> bool:
    return row[4:] == _MARK and row[:2] == row[2:4]


def _places(code: int, row: list[int]) -> Iterator[tuple[_Place, str]]:
    """Yield the two places of a spare key or one of ours, each with its character, "" if it has none."""
    plain, shifted = map(_character, row[:2]) if any(row) else ("", "")
    yield (code, 0), plain
    yield (code, 1), "" if shifted == plain else shifted


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
