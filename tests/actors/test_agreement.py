from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sottovoce.actors.agreement import stable_prefix, steady

WORDS = st.lists(st.sampled_from(["ever", "tried", "ever,", "No", "matter."]), max_size=8).map(" ".join)


@pytest.mark.parametrize(
    ("before", "now", "stable"),
    [
        ("", "Ever", ""),
        ("Ever", "", ""),
        ("Ever tried", "Ever tried ever", "Ever tried"),
        ("Ever tri", "Ever tried", "Ever"),
        ("Ever tried.", "Ever tried, ever failed", "Ever"),
        ("No matter", "No matter", "No matter"),
        ("Yes", "No", ""),
        ("Ça va", "Ça va bien", "Ça va"),
    ],
)
def test_whole_words_that_both_share_are_stable(before: str, now: str, stable: str) -> None:
    """The stable part ends with the last word that both hypotheses have in the same place; half a word is not one."""
    assert now[: stable_prefix(before, now)] == stable


@given(before=WORDS, now=WORDS)
def test_the_stable_part_begins_both(before: str, now: str) -> None:
    """Whatever the hypotheses, the stable part is how both of them begin, and ends at a word's end."""
    length = stable_prefix(before, now)
    assert before.startswith(now[:length])
    for text in (before, now):
        assert not length or text[length : length + 1] in ("", " ")


@given(text=WORDS)
def test_a_hypothesis_agrees_with_itself(text: str) -> None:
    """What is said twice is stable from end to end."""
    assert stable_prefix(text, text) == len(text)


@pytest.mark.parametrize(
    ("before", "now", "shown"),
    [
        ("", "Ever tri", "Ever tri"),
        ("Ever", "Ever tri", "Ever"),
        ("Ever tri", "Ever tried", "Ever"),
        ("Ever tried.", "Ever tried,", "Ever tried,"),
        ("Ever tried", "Ever tried ever", "Ever tried"),
        ("Ever tried ever", "Ever tried", "Ever tried"),
        ("No", "Yes", "Yes"),
        ("a b", "a  a", "a"),
        ("Ever", "", ""),
    ],
)
def test_a_last_word_is_shown_when_it_is_heard_twice(before: str, now: str, shown: str) -> None:
    """The first hypothesis is shown whole; of those that follow, a last word only once it has been heard before."""
    assert steady(before, now) == shown


@given(before=WORDS, now=WORDS)
def test_what_is_steady_begins_the_hypothesis(before: str, now: str) -> None:
    """It lacks one word at most, and nothing that is stable."""
    shown = steady(before, now)
    assert now.startswith(shown)
    assert len(shown.split()) >= len(now.split()) - 1
    assert len(shown) >= stable_prefix(before, now)
    assert bool(shown) == bool(now)
