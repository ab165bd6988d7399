"""Taking back and pressing keys, for every backend, against real files and real windows."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from stages import wait_until

from sottovoce.actors.inject import Chain, FileBackend, Outcome, WtypeBackend, XdotoolBackend
from sottovoce.actors.tails import characters

TAKEN = {
    "a sentence": " It is late.",
    "accents": " Straße, café, “ñandú”.",
    "lines": "\nand\n\tmore",
    "long": " The quick brown fox jumps over the lazy dog." * 4,
}


@pytest.mark.parametrize("text", TAKEN.values(), ids=TAKEN.keys())
def test_what_was_typed_is_taken_back(target: Any, text: str) -> None:
    """To the last character and no further; standard output says that it cannot."""
    target.backend.type("Before.")
    typed = target.backend.type(text)
    taken = target.backend.take_back(text, typed.place)
    if target.backend.name == "stdout":
        assert (taken.outcome, taken.detail) == (Outcome.NOTHING_TYPED, "what went to stdout cannot be taken back")
        return
    assert (taken.outcome, taken.detail) == (Outcome.TYPED, "")
    target.backend.type(" After.")
    assert target.arrives("Before. After.") == "Before. After."


def test_keys(target: Any) -> None:
    """A key arrives as the character that it writes."""
    target.backend.type("one")
    for keys in ("Return", "Tab", "space"):
        assert target.backend.press(keys).outcome is Outcome.TYPED
    target.backend.type("two")
    assert target.arrives("one\n\t two") == "one\n\t two"


@pytest.mark.parametrize(("keys", "arrives"), [("ctrl+c", "\x03"), ("Escape", "\x1b"), ("Up", "\x1b[A")])
def test_keys_that_write_nothing(target: Any, keys: str, arrives: str) -> None:
    """They reach a window, modifiers and all, and leave no modifier down; no file has them."""
    pressed = target.backend.press(keys)
    if target.backend.name in {"stdout", "file"}:
        assert (pressed.outcome, pressed.detail) == (Outcome.NOTHING_TYPED, f"{target.backend.name} has no key {keys}")
        return
    assert pressed.outcome is Outcome.TYPED
    target.backend.type("c")
    assert target.arrives(arrives + "c") == arrives + "c"


def test_clusters_are_one_press_each(tmp_path: Path) -> None:
    """What is taken back of a file are the bytes of the text, however many characters they are."""
    backend = FileBackend(tmp_path / "out")
    text = " e\u0301 👩‍💻 🇩🇪"
    assert characters(text) == 6
    backend.type("a")
    place = backend.type(text).place
    assert backend.take_back(text, place).outcome is Outcome.TYPED
    assert (tmp_path / "out").read_text() == "a"


def test_another_file(tmp_path: Path) -> None:
    """A file that was put in the place of the one that was typed into is not touched."""
    path = tmp_path / "out"
    backend = FileBackend(path)
    place = backend.type("Hello.").place
    path.rename(tmp_path / "old")
    path.write_text("Hello.")
    taken = backend.take_back("Hello.", place)
    assert (taken.outcome, taken.detail) == (Outcome.NOTHING_TYPED, f"{path} is another file by now")
    assert path.read_text() == "Hello."


def test_another_window(x11_window: Any) -> None:
    """On X11 nothing is pressed unless the window that was typed into has the focus."""
    backend = XdotoolBackend(x11_window.environ)
    place = backend.type("Hello.").place
    taken = backend.take_back("Hello.", str(int(place) + 1))
    assert (taken.outcome, taken.detail) == (Outcome.NOTHING_TYPED, "another window has the focus")
    assert backend.take_back("Hello.", "").detail == "the focus moved while it was typed"
    assert x11_window.wait_for("Hello.") == "Hello."
    backend.close()


_TYPIST = """
import sys
from sottovoce.actors.inject import XdotoolBackend
backend = XdotoolBackend()
for line in sys.stdin:
    text, back = line.rstrip("\\n"), line.startswith("a")
    done = backend.type(text)
    print(done.outcome.name, flush=True)
    if back:
        print(backend.take_back(text, done.place).outcome.name, flush=True)
"""


@pytest.fixture
def typist(x11_window: Any) -> Iterator[subprocess.Popen[str]]:
    """A process that types each line, and takes it back if it begins with an "a"; it may be killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", _TYPIST],
        env=x11_window.environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    # A key that stays down is repeated from 0.2 s on, 50 times a second, and not from 0.66 s on, 25 times.
    subprocess.run(["xset", "r", "rate", "200", "50"], env=x11_window.environ, check=True)
    with process:
        yield process
        process.kill()


def _ask(typist: subprocess.Popen[str], text: str) -> None:
    assert typist.stdin is not None
    typist.stdin.write(f"{text}\n")
    typist.stdin.flush()


def _kill(typist: subprocess.Popen[str], killed: str) -> None:
    children = Path(f"/proc/{typist.pid}/task/{typist.pid}/children").read_text().split()
    commands = {int(child): Path(f"/proc/{child}/cmdline").read_bytes() for child in children}
    tools = [child for child, command in commands.items() if command.startswith((b"xdotool", b"/usr/bin/xdotool"))]
    os.kill(typist.pid if killed == "who started it" else tools[0], signal.SIGKILL)


@pytest.mark.parametrize("killed", ["the tool", "who started it"])
def test_no_key_stays_down(x11_window: Any, typist: subprocess.Popen[str], killed: str) -> None:
    """Whatever is killed in the middle, BackSpace is up: the X server would repeat it until all text is gone."""
    text = "abcdefghi " * 250
    _ask(typist, text)
    assert x11_window.wait_for(text) == text
    wait_until(lambda: len(x11_window.text()) < 2200)
    _kill(typist, killed)
    assert typist.stdout is not None
    assert typist.stdout.readline() == "TYPED\n"
    assert typist.stdout.readline() == ("UNKNOWN\n" if killed == "the tool" else "")
    left = x11_window.text()
    settled = x11_window.wait_for("nothing more", 0.5)
    assert x11_window.wait_for("nothing more", 0.3) == settled
    assert len(left) - len(x11_window.text()) < 20
    assert len(x11_window.text()) > 1000


@pytest.mark.parametrize("killed", ["the tool", "who started it"])
@pytest.mark.parametrize("words", ["THE QUICK BROWN FOX ", "жщя ", "ffffffffff "], ids=["capitals", "lent", "one"])
def test_no_letter_stays_down(x11_window: Any, typist: subprocess.Popen[str], killed: str, words: str) -> None:
    """Whatever is killed while a text is typed, its keys are up, and the next text is whole."""
    text = words * (2000 // len(words))
    _ask(typist, text)
    wait_until(lambda: len(x11_window.text()) > 60)
    _kill(typist, killed)
    assert typist.stdout is not None
    assert typist.stdout.readline() == ("UNKNOWN\n" if killed == "the tool" else "")
    left = x11_window.text()
    settled = x11_window.wait_for("nothing more", 0.5)
    assert x11_window.wait_for("nothing more", 0.3) == settled
    assert len(x11_window.text()) - len(left) < 20
    assert len(x11_window.text()) < len(text) - 50
    x11_window.clear()
    backend = XdotoolBackend(x11_window.environ)
    assert backend.type("the fox, again.").outcome is Outcome.TYPED
    assert x11_window.wait_for("the fox, again.") == "the fox, again."
    backend.close()


def test_another_session() -> None:
    """Under Wayland, at least the session has to be the same."""
    backend = WtypeBackend({"WAYLAND_DISPLAY": "wayland-7", "PATH": "/usr/bin:/bin"})
    if backend.available():
        pytest.skip("not installed: apt install wtype")
    assert backend.elsewhere("wayland-8") == "that was in another Wayland session"
    assert backend.elsewhere("wayland-7") is None
    assert backend.elsewhere("") == "the focus moved while it was typed"


def test_another_window_under_sway(wayland_window: Any) -> None:
    """Where the compositor tells the focus nothing is pressed, nor mended, but in the window that was typed into."""
    backend = WtypeBackend(wayland_window.environ)
    place = backend.type("Hello.").place
    session, window = place.split()
    for elsewhere in (f"{session} {int(window) + 1}", f"{session} none"):
        taken = backend.take_back("Hello.", elsewhere)
        assert (taken.outcome, taken.detail) == (Outcome.NOTHING_TYPED, "another window has the focus")
    assert wayland_window.wait_for("Hello.") == "Hello."
    with wayland_window.another():
        assert backend.take_back("Hello.", place).detail == "another window has the focus"
        assert not backend.type(" there", mended=", there").mended
    assert backend.elsewhere(place) is None
    assert backend.take_back("o.", place).outcome is Outcome.TYPED
    assert wayland_window.wait_for("Hell") == "Hell"


def test_a_chain_goes_back_to_the_one_that_typed(tmp_path: Path) -> None:
    """Only the backend that typed a text takes it back or brings it back, whichever is first in the chain."""
    first, second = FileBackend(tmp_path / "first"), FileBackend(tmp_path / "second")
    chain = Chain([first, second])
    place = chain.type("Hello.").place
    assert chain.take_back("Hello.", "wtype", place).detail == "wtype is not used any more"
    assert chain.take_back("Hello.", "file", place).outcome is Outcome.TYPED
    assert chain.give_back("Hello.", "file", place).outcome is Outcome.TYPED
    assert chain.give_back("Hello.", "file", "0:0").outcome is Outcome.NOTHING_TYPED
    assert [re.sub("[^H]", "", path.read_text()) for path in sorted(tmp_path.iterdir())] == ["H"]
