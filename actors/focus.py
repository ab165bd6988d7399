"""Which application has the focus, as far as the desktop tells.

X11 tells everybody (`xprop`), sway answers on the socket of $SWAYSOCK, Hyprland on one of its own. GNOME and KDE under
Wayland tell no other program, on purpose; there the answer is `FocusUnknown`, with the reason.

The mode depends on it, and whether a text can be taken back: only from the window that it was typed into.

For the mode the question must never hold up text. It is put in a thread of its own as soon as the speaker pauses
(`ask`), and has been answered by the time the text is there: it takes 8 ms (p99 13) with the two `xprop` of X11 and 0.3
ms (p99 0.8) on sway's socket, measured 200 times each on a busy machine of 2 cores, and 0.1 s of silence at least is
between a pause and the end of an utterance. Who wants the answer (`answer`) waits for 50 ms at most. (A connection that
is kept and tells of every change of focus was refused: one for each desktop, each with a life of its own, for a
question that is put once an utterance.)
"""

from __future__ import annotations

import os
import re
import socket
import struct
import subprocess
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

import msgspec

WAIT_S: Final = 0.05
"""Longest that a text waits for the answer."""
_LIMIT_S: Final = 1.0
"""Longest that a question lives, asked in advance; a desktop that hangs would else keep the thread for ever."""
_FRESH_S: Final = 1.0
"""An answer to a question that is older is not believed: people change windows."""
_ASK_AGAIN_S: Final = 0.5
_LONGEST: Final = 8 << 20  # of sway's tree; a window has 1 KB
_TITLE: Final = 1000
_I3_MAGIC: Final = b"i3-ipc"  # i3wm.org/docs/ipc.html, which sway-ipc(7) follows
_I3_HEADER: Final = struct.Struct("=6sII")
_I3_GET_TREE: Final = 4
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)


class FocusUnknown(Exception):
    """The desktop does not tell; the text says why and what to do."""


class Window(NamedTuple):
    """A window that has the focus."""

    names: tuple[str, ...]
    """What its application is called: the Wayland app_id, or class and instance of X11's WM_CLASS."""
    title: str = ""
    key: str = ""
    """What tells it from the desktop's other windows for as long as it is open; "" where that is not told."""


class Focus:
    """Asks the desktop of `environ` (default: this process's)."""

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        self._environ = os.environ if environ is None else environ
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="focus")
        self._asked_at = float("-inf")
        self._answer: Future[Window | None] | None = None

    def ask(self) -> None:
        """Put the question, unless it was put just now or is still being answered."""
        if self._pending() or time.monotonic() - self._asked_at < _ASK_AGAIN_S:
            return
        self._asked_at = time.monotonic()
        self._answer = self._thread.submit(focused, self._environ, _LIMIT_S)

    def answer(self, patience: float = WAIT_S) -> Window | None:
        """Return the window that has the focus, None if none has; after `patience` seconds at most.

        Raises:
            FocusUnknown: the desktop does not tell, or not in time.
        """
        if not self._pending() and time.monotonic() - self._asked_at > _FRESH_S:
            self._asked_at = float("-inf")
        self.ask()
        assert self._answer is not None  # noqa: S101 - `ask` has seen to it
        try:
            return self._answer.result(patience)
        except TimeoutError:
            raise FocusUnknown(f"the desktop did not tell within {1000 * patience:.0f} ms") from None

    def close(self) -> None:
        """Let the thread go; a question that is on its way is answered to nobody."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _pending(self) -> bool:
        return self._answer is not None and not self._answer.done()


def focused(environ: Mapping[str, str], limit: float = _LIMIT_S) -> Window | None:
    """Return the window that has the focus in the session of `environ`, None if none has; within `limit` seconds.

    Raises:
        FocusUnknown: the session does not tell; says why.
    """
    deadline = time.monotonic() + limit
    if environ.get("WAYLAND_DISPLAY"):  # X11's answer would be about XWayland windows only
        if sway := environ.get("SWAYSOCK"):
            return _sway(sway, deadline)
        if signature := environ.get("HYPRLAND_INSTANCE_SIGNATURE"):
            return _hyprland(environ, signature, deadline)
        raise FocusUnknown(
            "this Wayland desktop does not tell which window has the focus (sway and Hyprland do, by SWAYSOCK or "
            "HYPRLAND_INSTANCE_SIGNATURE in the service's environment); bind keys to `sottovoce mode NAME`"
        )
    if environ.get("DISPLAY"):
        return _x11(environ, deadline)
    raise FocusUnknown("neither DISPLAY nor WAYLAND_DISPLAY is set where the service runs: there is no desktop to ask")


_S = TypeVar("_S", bound=msgspec.Struct)


# -- sway --------------------------------------------------------------------------------------------------------------


class _Properties(msgspec.Struct, frozen=True, rename={"class_": "class"}):
    """Of an X11 window under sway."""

    class_: str | None = None
    instance: str | None = None


class _Node(msgspec.Struct, frozen=True):
    """Of the tree of i3's and sway's GET_TREE, as far as we read it."""

    id: int = 0
    focused: bool = False
    app_id: str | None = None
    name: str | None = None
    window_properties: _Properties | None = None
    nodes: tuple[_Node, ...] = ()
    floating_nodes: tuple[_Node, ...] = ()


def _sway(path: str, deadline: float) -> Window | None:
    with _connected("sway", path, deadline) as connection:
        _send(connection, _I3_HEADER.pack(_I3_MAGIC, 0, _I3_GET_TREE), "sway")
        magic, length, _ = _I3_HEADER.unpack(_receive(connection, _I3_HEADER.size, deadline, "sway"))
        if magic != _I3_MAGIC or length > _LONGEST:
            raise FocusUnknown(f"what answers at {path} is not sway; see SWAYSOCK in the service's environment")
        tree = _receive(connection, length, deadline, "sway")
    nodes = [_decoded(tree, _Node, "sway")]
    while nodes:
        node = nodes.pop()
        if node.focused:
            x11 = node.window_properties or _Properties()
            return _window((node.app_id, x11.class_, x11.instance), node.name, str(node.id or ""))
        nodes += (*node.nodes, *node.floating_nodes)
    return None


# -- Hyprland ----------------------------------------------------------------------------------------------------------


class _Active(msgspec.Struct, frozen=True, rename={"class_": "class", "initial": "initialClass"}):
    """Of `activewindow`, as far as we read it; all is absent where no window has the focus."""

    class_: str = ""
    initial: str = ""
    title: str = ""
    address: str = ""


def _hyprland(environ: Mapping[str, str], signature: str, deadline: float) -> Window | None:
    place = Path("hypr", signature, ".socket.sock")
    path = Path(environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}") / place
    old = Path("/tmp") / place  # noqa: S108 - where it was until version 0.40
    with _connected("Hyprland", str(path if path.exists() or not old.exists() else old), deadline) as connection:
        _send(connection, b"j/activewindow", "Hyprland")
        answer = bytearray()
        while data := _some(connection, deadline, "Hyprland"):  # it closes the connection behind its answer
            answer += data
            if len(answer) > _LONGEST:
                raise FocusUnknown("Hyprland's answer has no end")
    window = _decoded(bytes(answer), _Active, "Hyprland")
    return _window((window.class_, window.initial), window.title, window.address)


# -- X11 ---------------------------------------------------------------------------------------------------------------


def _x11(environ: Mapping[str, str], deadline: float) -> Window | None:
    number = re.search(r"# (0x[0-9a-f]+)", _run(environ, deadline, "xprop", "-root", "_NET_ACTIVE_WINDOW"))
    if number is None:  # a window manager without EWMH, or none
        number = re.search(r"^(\d+)$", _run(environ, deadline, "xdotool", "getwindowfocus", "-f").strip())
    if number is None or int(number[1], 0) <= 1:  # none, or whichever is under the pointer
        return None
    told = _run(environ, deadline, "xprop", "-id", number[1], "-len", "4096", "WM_CLASS", "_NET_WM_NAME", "WM_NAME")
    values = {
        name: [re.sub(r"\\(.)", r"\1", value, flags=re.DOTALL) for value in _QUOTED.findall(rest)]
        for name, rest in re.findall(r"^(WM_CLASS|_NET_WM_NAME|WM_NAME)\(\w+\) = (.*)", told, re.MULTILINE)
    }
    titles = values.get("_NET_WM_NAME") or values.get("WM_NAME") or [""]
    return _window(tuple(reversed(values.get("WM_CLASS", []))), titles[0], number[1])  # WM_CLASS has the instance first


def _run(environ: Mapping[str, str], deadline: float, *command: str) -> str:
    """Return what a program prints.

    Raises:
        FocusUnknown: it is not there, fails, or does not end in time; then it is killed.
    """
    packages = {"xprop": "x11-utils"}
    try:
        done = subprocess.run(
            command, env={**environ, "LC_ALL": "C.UTF-8"}, stdin=subprocess.DEVNULL, capture_output=True, check=True,
            timeout=max(0.001, deadline - time.monotonic()),
        )  # fmt: skip
    except FileNotFoundError:
        raise FocusUnknown(
            f"{command[0]} is not installed: apt install {packages.get(command[0], command[0])}"
        ) from None
    except subprocess.TimeoutExpired:
        raise FocusUnknown(f"{command[0]} did not end in time: the X server of DISPLAY does not answer") from None
    except (OSError, subprocess.CalledProcessError) as error:
        code = getattr(error, "returncode", error)
        raise FocusUnknown(f"{command[0]} failed ({code}): is DISPLAY that of a running session?") from None
    return done.stdout.decode(errors="replace")


# -- sockets -----------------------------------------------------------------------------------------------------------


def _connected(who: str, path: str, deadline: float) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(max(0.001, deadline - time.monotonic()))
        connection.connect(path)
    except OSError as error:
        connection.close()
        raise FocusUnknown(f"{who} does not answer at {path}: {error.strerror or error}") from error
    return connection


def _send(connection: socket.socket, request: bytes, who: str) -> None:
    try:
        connection.sendall(request)
    except OSError as error:
        raise FocusUnknown(f"{who} does not answer: {error.strerror or error}") from error


def _some(connection: socket.socket, deadline: float, who: str, most: int = 1 << 16) -> bytes:
    try:
        connection.settimeout(max(0.001, deadline - time.monotonic()))
        return connection.recv(most)
    except OSError as error:
        raise FocusUnknown(f"{who} does not answer: {error.strerror or error}") from error


def _receive(connection: socket.socket, length: int, deadline: float, who: str) -> bytes:
    data = bytearray()
    while len(data) < length:
        more = _some(connection, deadline, who, length - len(data))
        if not more:
            raise FocusUnknown(f"{who} broke off in mid-answer")
        data += more
    return bytes(data)


def _decoded(answer: bytes, form: type[_S], who: str) -> _S:
    try:
        return msgspec.json.decode(answer, type=form)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise FocusUnknown(f"{who}'s answer is not understood") from None  # it would quote the windows' titles


def _window(names: tuple[str | None, ...], title: str | None, key: str) -> Window | None:
    """Return a window by what was told of it, None where that is nothing, as of an empty workspace."""
    known = tuple(dict.fromkeys(name for name in names if name))
    return Window(known, (title or "")[:_TITLE], key) if known else None
