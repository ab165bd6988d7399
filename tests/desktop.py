"""Desktops to type into: a real window under Xvfb and one under headless sway, whose text is read back.

In both, the window is a terminal that runs `cat` into a file, with the terminal's own line editing and signals off, so
the file holds what the keyboard gave: nothing is edited, nothing swallowed.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
import struct
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

_NOBODY = 65534
_DAY_MS = 24 * 60 * 60 * 1000
_DEADLINE_S = 60.0  # an xterm is there after 0.3 s here, a sway with a foot after 0.6 s
# The window's own name is left in `ready` when `cat` is about to run.
_READER = (
    'stty -icanon -isig -icrnl -ixon -iexten min 1 time 0 && : >"$OUT/text" && echo "$WINDOWID" >"$OUT/ready" && '
    'exec cat >>"$OUT/text"'
)


@dataclass
class Window:
    """A window that has the focus of a desktop of its own."""

    environ: dict[str, str]
    """The environment of that desktop's session."""
    folder: Path
    """Its temporary folder."""
    _seen: int = 0

    def text(self) -> str:
        r"""Return what has been typed since the last `clear`.

        Return is ``\n``; ``\u240a`` is the Linefeed key, which is not what a person presses. BackSpace, which a
        terminal passes on as DEL, has taken a character away.
        """
        typed = (self.folder / "text").read_bytes()[self._seen :].decode(errors="replace")
        typed = typed.replace("\n", "\u240a").replace("\r", "\n")
        while "\x7f" in typed:
            typed = re.sub("[^\x7f]\x7f", "", typed, count=1)
        return typed

    def clear(self) -> None:
        """Forget what has been typed so far."""
        self._seen = (self.folder / "text").stat().st_size

    @contextlib.contextmanager
    def another(self) -> Iterator[None]:
        """Have another window in front of this one, which takes what is typed and keeps none of it. Of sway alone."""
        before = _sway_focus(self.environ, "id")
        user = {"user": _NOBODY, "group": _NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
        with contextlib.ExitStack() as stack:
            command = ["foot", f"--config={self.folder}/foot.ini", "sh", "-c", "exec cat >/dev/null"]
            _start(stack, command, self.environ, self.folder, **user)
            _wait("the other window", lambda: _sway_focus(self.environ, "id") != before)
            yield
        _wait("the focus", lambda: _sway_focus(self.environ, "id") == before)

    def wait_for(self, text: str, timeout: float = 60.0) -> str:
        """Return what has been typed as soon as that is `text`, or whatever it is after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while self.text() != text and time.monotonic() < deadline:
            time.sleep(0.01)
        return self.text()


@contextlib.contextmanager
def xvfb_window() -> Iterator[Window]:
    """Run an X server with an xterm in it; skip the test if something is not installed."""
    _require({"Xvfb": "xvfb", "xterm": "xterm", "xdotool": "xdotool", "xmodmap": "x11-xserver-utils"})
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sv-x11-")))
        authority = folder / "Xauthority"
        authority.touch(0o600)
        authority.write_bytes(_cookie())
        output, ready = os.pipe()
        # Without -noreset the keymap, among other things, is reset whenever the last client leaves.
        options = ["-screen", "0", "800x480x24", "-nolisten", "tcp", "-noreset", "-auth", str(authority)]
        _start(stack, ["Xvfb", "-displayfd", str(ready), *options], _environ(), folder, pass_fds=[ready])
        os.close(ready)
        with open(output) as pipe:  # noqa: PTH123 - a descriptor
            display = pipe.readline().strip()
        environ = _environ(DISPLAY=f":{display}", XAUTHORITY=str(authority), OUT=str(folder))
        font = ["-fa", "monospace", "-fs", "12"]
        _start(stack, ["xterm", "-u8", *font, "-e", "sh", "-c", _READER], environ, folder)
        _wait("the xterm", lambda: (folder / "ready").exists() and (folder / "ready").read_text().endswith("\n"))
        # There is no window manager to give the focus.
        focus = ["xdotool", "windowfocus", "--sync", (folder / "ready").read_text().strip()]
        _wait("the focus", lambda: not subprocess.run(focus, env=environ, capture_output=True, check=False).returncode)
        yield Window(environ, folder)


@contextlib.contextmanager
def sway_window() -> Iterator[Window]:
    """Run a headless sway with a foot in it; skip the test if something is not installed.

    sway refuses to run as root, so it then runs as nobody in a folder that it is given. Its seat has a keyboard, which
    nobody touches: on one without, a client only learns of each that types, and on a busy machine it loses letters.
    """
    _require({"sway": "sway", "swaymsg": "sway", "foot": "foot", "wtype": "wtype"})
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sv-wl-")))
        (folder / "foot.ini").touch()
        (folder / "reader").write_text(_READER)
        (folder / "config").write_text(
            "xwayland disable\n"
            "output HEADLESS-1 mode 800x480\n"
            f"exec sh -c 'echo \"$WAYLAND_DISPLAY $SWAYSOCK\" > {folder}/session'\n"
            f"exec foot --config={folder}/foot.ini sh {folder}/reader\n"
        )
        user: dict[str, object] = {}
        if os.geteuid() == 0:
            os.chown(folder, _NOBODY, _NOBODY)
            user = {"user": _NOBODY, "group": _NOBODY, "extra_groups": []}
        environ = _environ(XDG_RUNTIME_DIR=str(folder), HOME=str(folder), OUT=str(folder))
        headless = {"WLR_BACKENDS": "headless", "WLR_LIBINPUT_NO_DEVICES": "1", "WLR_RENDERER": "pixman"}
        _start(stack, ["sway", "--config", f"{folder}/config"], environ | headless, folder, **user)
        for name in ("session", "ready"):
            _wait(
                f"sway's {name}",
                lambda name=name: (folder / name).exists() and (folder / name).read_text()[-1:] == "\n",
            )
        environ["WAYLAND_DISPLAY"], environ["SWAYSOCK"] = (folder / "session").read_text().split()
        _wait("the focus", lambda: _sway_focus(environ) == "foot")
        _start(stack, ["wtype", "-s", str(_DAY_MS)], environ, folder, **user)
        _wait("the keyboard", lambda: b'"keyboard"' in _asked_of_sway(environ, "get_inputs"))
        yield Window(environ, folder)


@pytest.fixture(scope="module")
def _x11() -> Iterator[Window]:
    with xvfb_window() as window:
        yield window


@pytest.fixture(scope="module")
def _wayland() -> Iterator[Window]:
    with sway_window() as window:
        yield window


@pytest.fixture
def x11_window(_x11: Window) -> Window:
    """Return an empty focused window of an X11 session."""
    _x11.clear()
    return _x11


@pytest.fixture
def wayland_window(_wayland: Window) -> Window:
    """Return an empty focused window of a Wayland session."""
    _wayland.clear()
    return _wayland


def _require(programs: dict[str, str]) -> None:
    if lacking := sorted({package for program, package in programs.items() if not shutil.which(program)}):
        pytest.skip(f"not installed: apt install {' '.join(lacking)}")


def _environ(**more: str) -> dict[str, str]:
    """Return our environment without the desktop that the tests may be run from."""
    desktop = {"DISPLAY", "WAYLAND_DISPLAY", "SWAYSOCK", "XAUTHORITY", "I3SOCK", "WINDOWID"}
    return {k: v for k, v in os.environ.items() if k not in desktop} | {"LC_ALL": "C.UTF-8"} | more


def _start(
    stack: contextlib.ExitStack, argv: list[str], environ: dict[str, str], folder: Path, **options: object
) -> None:
    """Start a process that `stack` ends, its output kept beside."""
    log = stack.enter_context((folder / f"{argv[0]}.log").open("wb"))
    child = subprocess.Popen(argv, env=environ, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **options)  # type: ignore[call-overload]
    stack.callback(_stop, child)


def _stop(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(5)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _wait(what: str, ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _DEADLINE_S
    while not ready():
        if time.monotonic() > deadline:
            pytest.fail(f"{what} is not there after {_DEADLINE_S:.0f} s")
        time.sleep(0.02)


def _cookie() -> bytes:
    """Return an Xauthority entry for any display (family 0xffff, no address, no number): Xau's documented format."""
    fields = (b"", b"", b"MIT-MAGIC-COOKIE-1", secrets.token_bytes(16))
    return struct.pack(">H", 0xFFFF) + b"".join(struct.pack(">H", len(field)) + field for field in fields)


def _asked_of_sway(environ: dict[str, str], what: str) -> bytes:
    """Return the JSON that sway answers; nothing where it does not answer."""
    answer = subprocess.run(["swaymsg", "-r", "-t", what], env=environ, capture_output=True, check=False)
    return answer.stdout if answer.returncode == 0 else b""


def _sway_focus(environ: dict[str, str], what: str = "app_id") -> str | None:
    """Return the application that has sway's focus, or another property of its window."""
    answer = _asked_of_sway(environ, "get_tree")
    nodes = [json.loads(answer)] if answer else []
    while nodes:
        node = nodes.pop()
        if node.get("focused"):
            return str(node.get(what))
        nodes += node["nodes"] + node["floating_nodes"]
    return None
