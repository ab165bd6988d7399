"""Characters outside the keyboard layout, in a real X session."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sottovoce.actors.inject import Outcome, XdotoolBackend


@pytest.fixture
def layout(x11_window: Any) -> Iterator[Callable[[str], None]]:
    """Return a function that sets the keyboard layout."""
    if not shutil.which("setxkbmap"):
        pytest.skip("not installed: apt install x11-xkb-utils")

    def set_layout(name: str) -> None:
        subprocess.run(["setxkbmap", name], env=x11_window.environ, check=True)

    yield set_layout
    set_layout("us")


def _keymap(window: Any) -> str:
    return subprocess.run(["xmodmap", "-pk"], env=window.environ, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("name", ["us", "de", "fr", "ru", "us,ru", "ru,us", "us,de,ru,gr"])
def test_every_layout_types_every_script(x11_window: Any, layout: Callable[[str], None], name: str) -> None:
    """Dead keys, AltGr levels, second groups and characters that no key has all come out as said."""
    layout(name)
    backend = XdotoolBackend(x11_window.environ)
    for text in ("Größe @ € {[]} \\ ~ | ' \" ^ ` ´ °", "Привет, мир.", "Hello, World; a quick zebra", "É 你 😀"):
        x11_window.clear()
        assert backend.type(text).outcome is Outcome.TYPED
        assert x11_window.wait_for(text) == text
    backend.close()


def test_more_characters_than_spare_keys(x11_window: Any) -> None:
    """A text with more foreign characters than there are spare keys is typed in pieces, none lost or exchanged."""
    text = "".join(chr(point) for point in range(0x4E00, 0x4E00 + 70))
    backend = XdotoolBackend(x11_window.environ)
    assert backend.type(text + text[::-1]).outcome is Outcome.TYPED
    assert x11_window.wait_for(text + text[::-1]) == text + text[::-1]
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
