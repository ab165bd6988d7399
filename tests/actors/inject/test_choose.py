from __future__ import annotations

from pathlib import Path

import pytest

from sottovoce.actors.inject import Chain, Delivery, Outcome, choose


class Scripted:
    """A backend that ends as it is told; what it was given is counted."""

    def __init__(self, name: str, outcome: Outcome, unavailable: str | None = None) -> None:
        self.name, self.outcome, self.unavailable = name, outcome, unavailable
        self.texts: list[str] = []
        self.mended: list[str] = []

    def available(self) -> str | None:
        """Return what it was told."""
        return self.unavailable

    def type(self, text: str, *, mended: str = "") -> Delivery:
        """Keep the texts and end as told."""
        self.texts.append(text)
        self.mended.append(mended)
        return Delivery(self.outcome, self.name, "as told")

    def close(self) -> None:
        """Show that it was called."""
        self.unavailable = "closed"


@pytest.mark.parametrize("outcome", [Outcome.TYPED, Outcome.UNKNOWN])
def test_a_text_that_may_be_typed_is_never_tried_again(outcome: Outcome) -> None:
    """Success and doubt both end the chain."""
    first, second = Scripted("first", outcome), Scripted("second", Outcome.TYPED)
    assert Chain([first, second]).type("words") == Delivery(outcome, "first", "as told")
    assert (first.texts, second.texts) == (["words"], [])


def test_only_proof_lets_the_next_one_try() -> None:
    """A backend that typed nothing, and one that cannot be used, are passed over."""
    away, empty = Scripted("away", Outcome.TYPED, "not here"), Scripted("empty", Outcome.NOTHING_TYPED)
    last = Scripted("last", Outcome.TYPED)
    assert Chain([away, empty, last]).type("words") == Delivery(Outcome.TYPED, "last", "as told")
    assert (away.texts, empty.texts, last.texts) == ([], ["words"], ["words"])


def test_the_reason_of_each_is_told_when_all_fail() -> None:
    """Where nothing can be typed the person learns why, backend by backend."""
    chain = Chain([Scripted("away", Outcome.TYPED, "not here"), Scripted("empty", Outcome.NOTHING_TYPED)])
    delivery = chain.type("words")
    assert delivery.outcome is Outcome.NOTHING_TYPED
    assert delivery.detail == "away: not here; empty: as told"
    assert chain.describe() == "away (not here), empty"


def test_only_who_typed_the_text_before_may_mend_it() -> None:
    """A backend is told what to type over the end of a text where it typed that text, without doubt, and no other."""
    first, second = Scripted("first", Outcome.TYPED), Scripted("second", Outcome.TYPED)
    chain = Chain([first, second])
    chain.type("One.", mended="?")
    chain.type(" Two.", mended=", two.")
    assert first.mended == ["", ", two."]
    first.unavailable = "away"
    chain.type(" Three.", mended=", three.")
    first.unavailable = None
    chain.type(" Four.", mended=", four.")
    assert (first.mended[2:], second.mended) == ([""], [""])
    first.outcome = Outcome.UNKNOWN
    chain.type(" Five.", mended=", five.")
    chain.type(" Six.", mended=", six.")
    assert first.mended[3:] == [", five.", ""]


def test_a_chain_closes_all_its_backends() -> None:
    """What the chain holds it gives back."""
    backends = [Scripted("a", Outcome.TYPED), Scripted("b", Outcome.TYPED)]
    Chain(backends).close()
    assert [backend.unavailable for backend in backends] == ["closed", "closed"]


@pytest.mark.parametrize(
    ("environ", "name"),
    [
        ({"WAYLAND_DISPLAY": "wayland-0"}, "wtype"),
        ({"WAYLAND_DISPLAY": "wayland-0", "DISPLAY": ":0"}, "wtype"),
        ({"DISPLAY": ":0"}, "xdotool"),
        ({"WAYLAND_DISPLAY": "", "DISPLAY": ":0"}, "xdotool"),
        ({}, "xdotool"),
    ],
)
def test_auto_goes_by_the_session(environ: dict[str, str], name: str) -> None:
    """Wayland gets wtype alone, anything else xdotool."""
    assert [backend.name for backend in choose(["auto"], environ=environ).backends] == [name]


def test_names_are_taken_in_order_and_once(tmp_path: Path) -> None:
    """The order of the configuration is the order of the attempts; a name given twice is one attempt."""
    chain = choose(["file", "auto", "wtype", "stdout"], environ={"WAYLAND_DISPLAY": "w"}, file=tmp_path / "out")
    assert [backend.name for backend in chain.backends] == ["file", "wtype", "stdout"]


def test_without_a_session_the_file_is_what_is_left(tmp_path: Path) -> None:
    """With no desktop at all the text still arrives where a file is named after it."""
    chain = choose(["auto", "file"], environ={}, file=tmp_path / "out")
    assert chain.type("words") == Delivery(Outcome.TYPED, "file")
    assert (tmp_path / "out").read_text() == "words"
    assert chain.describe() == "xdotool (DISPLAY is not set: xdotool types into X11 sessions only), file"


@pytest.mark.parametrize("names", [[], ["telepathy"]])
def test_names_that_mean_nothing_are_refused(names: list[str]) -> None:
    """No name and an unknown name are mistakes, told with what there is."""
    with pytest.raises(ValueError, match=r"name one .*of auto, stdout, file, wtype, xdotool"):
        choose(names)
