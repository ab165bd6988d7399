from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sottovoce.actors.agreement import stable_prefix

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
