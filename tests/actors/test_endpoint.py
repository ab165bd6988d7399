"""How long a silence has to be, by what was said and who said it."""

from __future__ import annotations

import re
import tomllib
from dataclasses import fields
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sottovoce.actors import endpoint
from sottovoce.actors.detector import Detector
from sottovoce.actors.endpoint import PROFILES, Patience, Profile, ending, profile, unmarked
from sottovoce.models import Store
from sottovoce.protocol.config import VadConfig


@pytest.mark.parametrize(
    ("text", "language", "how"),
    [
        ("He was not an ill-disposed young man.", "en", "complete"),
        ("Is that so? Yes, it is over!", "en", "complete"),
        ("Mr. Quilter is the apostle of the.", "en", "hanging"),
        ("and then, um...", "en", "hanging"),
        ("I think that we'll", "en", "hanging"),
        ("I think that we’ll.", "en", "hanging"),
        ("No matter,", "en", "open"),
        ("What is it for?", "en", "open"),
        ("that I was -", "en", "open"),
        ("Printing.", "en", "lone"),
        ("Yes", "en", "lone"),
        ("the", "en", "hanging"),
        ("Er sagte, dass die", "de", "hanging"),
        ("Das Haus ist groß.", "de", "complete"),
        ("I went to the", "xx", "complete"),
        ("I went to,", "xx", "open"),
        ("", "en", "unread"),
        ("...", "en", "unread"),
        ("42", "en", "lone"),
    ],
)
def test_how_a_text_ends(text: str, language: str, how: str) -> None:
    """A comma or a word that is not the last one shows that more will come; a full stop shows nothing."""
    assert ending(text, language) == how


def test_marks_that_are_guessed() -> None:
    """Of a model that puts a comma behind anything, only the words count."""
    assert ending("No matter,", "en", marks=False) == "complete"
    assert ending("No matter of,", "en", marks=False) == "open"


@given(text=st.text(), language=st.sampled_from(["en", "de", "fr", "xx"]))
def test_any_text_has_an_ending(text: str, language: str) -> None:
    """Whatever a recogniser writes has one, and loses at most one full stop."""
    assert ending(text, language) in ("complete", "lone", "unread", "open", "hanging")
    assert unmarked(text, language) in (text, text.rstrip().removesuffix("."))


def test_an_invented_full_stop_is_left_out() -> None:
    """Behind a word that ends no sentence; a question mark, or a stop behind a word that may end one, stays."""
    assert unmarked("We went to the.", "en") == "We went to the"
    assert unmarked("What is it for?", "en") == "What is it for?"
    assert unmarked("That is what it is for.", "en") == "That is what it is for."
    assert unmarked("We went home.", "en") == "We went home."


def test_the_lists_of_words() -> None:
    """No word is in both lists of a language, none is twice in one, and all are as they are looked up."""
    lists = tomllib.loads(resources.files(endpoint.__package__ or "").joinpath("endings.toml").read_text("utf-8"))
    assert {"en", "de", "fr", "es", "it", "pt", "nl"} <= set(lists)
    for language, kinds in lists.items():
        hanging, leaning = kinds["hanging"].split(), kinds["leaning"].split()
        assert len({*hanging, *leaning}) == len(hanging) + len(leaning), language
        for word in hanging:
            assert ending(f"so {word}", language) == "hanging", (language, word)


def test_profiles_are_documented() -> None:
    """The table of the page has the numbers of the code."""
    page = (Path(__file__).parents[2] / "docs" / "architecture.md").read_text()
    for numbers in zip(
        *([getattr(one, name.name) for name in fields(Profile)] for one in PROFILES.values()), strict=True
    ):
        assert re.search(r"\| " + r" \| ".join(f"{number:.2f}" for number in numbers) + r" \|", page), numbers


def test_profiles_are_in_order() -> None:
    """What shows that more will come is waited for longer; each profile is more patient than the one before."""
    for one in PROFILES.values():
        assert one.finished < one.complete < one.lone <= one.unread <= one.open < one.hanging
        assert one.complete <= one.limit
    fast, balanced, patient = (PROFILES[name] for name in ("fast", "balanced", "patient"))
    for name in ("finished", "complete", "open", "hanging"):
        assert getattr(fast, name) < getattr(balanced, name) < getattr(patient, name)


def test_the_voice_shortens_and_lengthens() -> None:
    """A voice that is finished is waited for less, one that is held up longer; what the words ask for remains."""
    balanced = PROFILES["balanced"]
    assert balanced.silence("complete", None) == balanced.complete
    assert balanced.silence("complete", float("nan")) == balanced.complete
    assert balanced.silence("complete", 0.5) == balanced.complete
    assert balanced.silence("complete", 0.95) == balanced.finished
    assert balanced.silence("lone", 0.95) == balanced.lone
    for ending_ in ("complete", "lone"):
        assert balanced.silence(ending_, 0.1) == balanced.unread
    for turn in (None, 0.05, 0.95):
        assert balanced.silence("open", turn) == balanced.open
        assert balanced.silence("hanging", turn) == balanced.hanging


def test_a_fixed_silence_does_not_adapt() -> None:
    """`endpoint = 0.7` is 0.7 s whatever is said, and whoever speaks."""
    fixed = profile(VadConfig(endpoint=0.7))
    assert {fixed.finished, fixed.complete, fixed.lone, fixed.unread, fixed.open, fixed.hanging} == {0.7}
    patience = Patience(fixed.limit)
    patience.early(1.5)
    assert patience.silence(0.7) == 0.7


def test_patience_grows_to_the_speaker_and_wears_off() -> None:
    """After an endpoint that came too early the next silences are as long as that pause; right ones shorten them."""
    patience = Patience(0.8)
    assert patience.silence(0.36) == 0.36
    patience.early(0.5)
    assert patience.silence(0.36) == pytest.approx(0.55)
    assert patience.silence(1.0) == 1.0
    patience.early(5.0)
    assert patience.silence(0.36) == 0.8
    waits = []
    for _ in range(20):
        patience.right()
        waits.append(patience.silence(0.36))
    assert waits == sorted(waits, reverse=True)
    assert waits[-1] == 0.36


def test_the_detector_learns_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """That a segment continued the one before makes the usual silence as long as the one between the two."""
    if not Store().installed("silero-v6"):
        pytest.skip("run: sottovoce models pull silero-v6")
    detector = Detector(VadConfig())
    usual: list[float] = []
    monkeypatch.setattr(detector._segmenter, "expect", usual.append)
    detector._silences.append((16_000, 9_600))
    detector.heard(99, continues=True)  # of a segment that it does not know
    assert usual == []
    detector.heard(16_000, continues=True)
    detector.heard(16_000, continues=False)
    assert usual == [pytest.approx(0.65), pytest.approx(0.52)]
