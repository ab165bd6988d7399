"""Taking back and pressing keys, for every backend, against real files and real windows."""

from __future__ import annotations

import os
import re
import signal
import threading
from pathlib import Path
from typing import Any

import pytest
from stages import wait_until

from sottovoce.actors.inject import Chain, Delivery, FileBackend, Outcome, WtypeBackend, XdotoolBackend
from sottovoce.actors.tails import characters

TAKEN = {
    "a sentence": " It is late.",
    "accents": " Straße, café, “ñandú”.",
    "lines": "\nand\n\tmore",
    "long": " The quick brown fox jumps over the lazy dog." * 8,
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


@pytest.mark.parametrize("killed", ["the tool", "who started it"])
def test_no_key_stays_down(x11_window: Any, killed: str) -> None:
    """Whatever is killed in the middle, BackSpace is up: the X server would repeat it until all text is gone."""
    backend = XdotoolBackend(x11_window.environ)
    text = "abcdefghi " * 250
    place = backend.type(text).place
    assert x11_window.wait_for(text, 30) == text
    deliveries: list[Delivery] = []
    thread = threading.Thread(target=lambda: deliveries.append(backend.take_back(text, place)))
    thread.start()
    wait_until(lambda: len(x11_window.text()) < 2200)
    shell = _child(thread.native_id or 0, os.getpid())
    # The kernel sends SIGTERM to the shell when the injector ends.
    os.kill(shell if killed != "the tool" else _child(shell, shell), signal.SIGTERM)
    thread.join()
    assert deliveries[0].outcome is Outcome.UNKNOWN
    left = x11_window.text()
    assert x11_window.wait_for("nothing more", 1.2) == x11_window.text()  # a repeat begins after 0.66 s
    assert len(left) - len(x11_window.text()) < 20
    assert len(x11_window.text()) > 1000
    backend.close()


def _child(task: int, process: int) -> int:
    return int(Path(f"/proc/{process}/task/{task}/children").read_text().split()[0])


def test_another_session() -> None:
    """Under Wayland, at least the session has to be the same."""
    backend = WtypeBackend({"WAYLAND_DISPLAY": "wayland-7", "PATH": "/usr/bin:/bin"})
    if backend.available():
        pytest.skip("not installed: apt install wtype")
    assert backend.elsewhere("wayland-8") == "that was in another Wayland session"


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
