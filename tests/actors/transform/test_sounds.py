"""Which words sound alike, and which only look it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sottovoce.actors.transform.sounds import Sounds, alike, is_plural


@pytest.mark.parametrize(
    ("heard", "name"),
    [
        ("arkon", "archon"),
        ("kubernetties", "kubernetes"),
        ("cubernetes", "kubernetes"),
        ("postgress", "postgres"),
        ("lovelase", "lovelace"),
        ("stefan", "stephen"),
        ("catherine", "katharine"),
        ("antropic", "anthropic"),
        ("munshine", "moonshine"),
        ("fizer", "pfizer"),
        ("müler", "muller"),
        ("jerome", "jérôme"),
    ],
)
def test_a_misheard_name_is_found(heard: str, name: str) -> None:
    """Spellings of one sound find each other, accents or not, and say how similar they are."""
    found = Sounds([name, "zebra"], 0.8).nearest(heard)
    assert found is not None
    assert found[0] == name
    assert 0.8 <= found[1] <= 1.0


@pytest.mark.parametrize(
    ("heard", "word"),
    [("mitten", "kitten"), ("cut", "kite"), ("form", "farm!"), ("jon", "john"), ("архон", "архонт"), ("", "x"),
     ("r2d2", "rtdt")],
)  # fmt: skip
def test_what_does_not_sound_alike_is_not_found(heard: str, word: str) -> None:
    """Neither similar letters nor similar codes are enough; short words and other scripts sound like nothing."""
    assert Sounds([word], 0.8).nearest(heard) is None


def test_the_most_similar_is_taken_and_of_equals_the_first() -> None:
    """Of several words of one sound the nearest by its letters wins."""
    assert Sounds(["jonsen", "johnson", "jonson"], 0.8).nearest("jonson") == ("jonson", 1.0)
    assert Sounds(["jérôme", "jerome"], 0.8).nearest("jerôme") == ("jérôme", 1.0)


@pytest.mark.parametrize(
    ("word", "one", "expected"),
    [("arkons", "archon", True), ("arkon's", "arkon", True), ("linucks", "linux", False), ("james", "james", False),
     ("arkon", "arkon", False), ("lovelases", "lovelace", True), ("abs", "ab", False), ("s", "", False)],
)  # fmt: skip
def test_a_plural_is_told_from_a_name_that_ends_with_its_sound(word: str, one: str, expected: bool) -> None:
    """It is one where an s is heard more than in the other."""
    assert is_plural(word, one) is expected


def test_phrases_may_be_cut_in_other_places() -> None:
    """Two texts are alike without their spaces."""
    assert alike("Sotto voce", "sottovoce")
    assert not alike("my email", "me@example.com")


@given(st.text(), st.text())
def test_any_text_has_a_sound_or_none(one: str, other: str) -> None:
    """Any string may be asked for; a word that is found is one that was given, and the same both ways."""
    found = Sounds([one], 0.0).nearest(other)
    assert found is None or found[0] == one
    assert (found is None) == (Sounds([other], 0.0).nearest(one) is None)
