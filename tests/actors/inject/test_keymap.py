"""Characters outside the keyboard layout, in a real X session."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from sottovoce.actors.inject import Outcome, XdotoolBackend, keymap


@pytest.fixture
def layout(x11_window: Any) -> Iterator[Callable[[str], None]]:
    """Return a function that sets the keyboard layout."""
    if not shutil.which("setxkbmap"):
        pytest.skip("not installed: apt install x11-xkb-utils")

    def set_layout(name: str) -> None:
        subprocess.run(["setxkbmap", name], env=x11_window.environ, check=True)

    yield set_layout
    set_layout("us")


def _han(count: int, *, after: int = 0) -> str:
    """Return so many different characters that no layout has."""
    return "".join(chr(0x4E00 + after + number) for number in range(count))


def _xdotool(window: Any, *arguments: str) -> str:
    done = subprocess.run(["xdotool", *arguments], env=window.environ, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def _pid(window: Any) -> int:
    return int(_xdotool(window, "getwindowpid", (window.folder / "ready").read_text().strip()))


@contextlib.contextmanager
def _stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@contextlib.contextmanager
def _another(window: Any) -> Iterator[None]:
    """Have another window that has the focus."""
    with subprocess.Popen(["xterm", "-e", "cat"], env=window.environ) as other:
        try:
            found = _xdotool(window, "search", "--sync", "--onlyvisible", "--pid", str(other.pid))
            _xdotool(window, "windowfocus", "--sync", found.split()[0])
            yield
        finally:
            other.terminate()
            _xdotool(window, "windowfocus", "--sync", (window.folder / "ready").read_text().strip())


def _keymap(window: Any) -> str:
    return subprocess.run(["xmodmap", "-pk"], env=window.environ, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("name", ["us", "de", "fr", "ru", "us,ru", "ru,us", "us,de,ru,gr"])
def test_every_layout_types_every_script(x11_window: Any, layout: Callable[[str], None], name: str) -> None:
    """Dead keys, AltGr levels, second groups and what no key has, with Shift or without, come out as said."""
    layout(name)
    backend = XdotoolBackend(x11_window.environ)
    for text in (
        "Größe @ € {[]} \\ ~ | ' \" ^ ` ´ °",
        "Привет, мир.",
        "Hello, World; a quick zebra",
        "É 😀" + _han(20),
    ):
        x11_window.clear()
        assert backend.type(text).outcome is Outcome.TYPED
        assert x11_window.wait_for(text) == text
    backend.close()


def test_more_characters_than_spare_keys(x11_window: Any) -> None:
    """A text with more foreign characters than there are spare keys is typed in pieces, none lost or exchanged."""
    text = _han(70)
    backend = XdotoolBackend(x11_window.environ)
    assert backend.type(text + text[::-1]).outcome is Outcome.TYPED
    assert x11_window.wait_for(text + text[::-1]) == text + text[::-1]
    backend.close()


def test_a_window_that_is_late_reads_what_was_typed(x11_window: Any) -> None:
    """No key is given another character, nor taken back, before a window that was kept from its events has looked."""
    before = _keymap(x11_window)
    backend = XdotoolBackend(x11_window.environ)
    with _stopped(_pid(x11_window)), ThreadPoolExecutor() as pool:
        delivery = pool.submit(backend.type, _han(60))
        with pytest.raises(TimeoutError):
            delivery.result(1.0)
        os.kill(_pid(x11_window), signal.SIGCONT)
        assert delivery.result().outcome is Outcome.TYPED
    assert x11_window.wait_for(_han(60)) == _han(60)
    x11_window.clear()
    with _stopped(_pid(x11_window)):
        assert backend.type(_han(3, after=57)).outcome is Outcome.TYPED  # they have their keys still
        backend.close()
    assert x11_window.wait_for(_han(3, after=57)) == _han(3, after=57)
    backend.close()
    assert _keymap(x11_window) == before


def test_a_window_that_hangs_is_told_of(x11_window: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What needs a key typed on before is not typed at a window that hangs, and that is said; at another one it is."""
    monkeypatch.setattr(keymap, "_PATIENCE_S", 0.3)
    backend = XdotoolBackend(x11_window.environ)
    with _stopped(_pid(x11_window)):
        delivery = backend.type(_han(60))
        assert (delivery.outcome, "hangs" in delivery.detail) == (Outcome.UNKNOWN, True)
        delivery = backend.type(_han(20, after=60))
        assert (delivery.outcome, "hangs" in delivery.detail) == (Outcome.NOTHING_TYPED, True)
        with _another(x11_window):
            assert backend.type(_han(20, after=60)).outcome is Outcome.TYPED
    backend.close()


def test_keys_are_given_back(x11_window: Any) -> None:
    """After close the keymap is what it was."""
    before = _keymap(x11_window)
    backend = XdotoolBackend(x11_window.environ)
    backend.type("é你😀")
    assert _keymap(x11_window) != before
    backend.close()
    assert _keymap(x11_window) == before


def test_a_killed_injector_leaks_no_keys(x11_window: Any) -> None:
    """Keys that a predecessor did not give back are lent anew, and given back."""
    before = _keymap(x11_window)
    for first in range(0x4E00, 0x4E00 + 60, 15):
        text = "".join(chr(point) for point in range(first, first + 15))
        x11_window.clear()
        backend = XdotoolBackend(x11_window.environ)
        assert backend.type(text).outcome is Outcome.TYPED
        assert x11_window.wait_for(text) == text
    backend.close()
    assert _keymap(x11_window) == before


def test_without_a_spare_key_nothing_is_garbled(x11_window: Any) -> None:
    """Where no key is spare, a text that the layout cannot type is refused as a whole; others are typed."""
    before = _keymap(x11_window)
    spare = [line.strip() for line in before.splitlines() if line.strip().isdigit()]
    lines = "".join(f"keycode {code} = F13\n" for code in spare)
    subprocess.run(["xmodmap", "-"], env=x11_window.environ, input=lines, text=True, check=True)
    try:
        backend = XdotoolBackend(x11_window.environ)
        delivery = backend.type("naïve")
        assert delivery.outcome is Outcome.NOTHING_TYPED
        assert "no key is spare" in delivery.detail
        assert backend.type("plain").outcome is Outcome.TYPED
        assert x11_window.wait_for("plain") == "plain"
    finally:
        lines = "".join(f"keycode {code} =\n" for code in spare)
        subprocess.run(["xmodmap", "-"], env=x11_window.environ, input=lines, text=True, check=True)


@pytest.mark.parametrize(
    ("press", "release"),
    [(["keydown", "ctrl"], ["keyup", "ctrl"]), (["keydown", "shift"], ["keyup", "shift"]), (["key", "Caps_Lock"],) * 2],
)
def test_a_held_modifier_changes_nothing(x11_window: Any, press: list[str], release: list[str]) -> None:
    """Words do not become shortcuts or capitals because a key of push-to-talk is still down, or Caps Lock is on."""
    backend = XdotoolBackend(x11_window.environ)
    subprocess.run(["xdotool", *press], env=x11_window.environ, check=True)
    try:
        backend.type("Hello é É Привет, 1!")
        assert x11_window.wait_for("Hello é É Привет, 1!") == "Hello é É Привет, 1!"
    finally:
        subprocess.run(["xdotool", *release], env=x11_window.environ, check=True)
        backend.close()
