"""How sure a hypothesis is."""

from __future__ import annotations

import math

import pytest

from sottovoce.actors.confidence import agreement, confidence


@pytest.mark.parametrize(
    ("text", "other", "probability", "expected"),
    [
        ("Ever tried.", None, None, "low"),
        ("Ever tried.", "ever tried", None, "high"),
        ("Ever tried, ever failed.", "ever tried ever fell", None, "medium"),
        ("Ever tried.", "Everett Reid", None, "low"),
        ("Ever tried.", None, 0.95, "high"),
        ("Ever tried.", None, 0.7, "medium"),
        ("Ever tried.", None, 0.3, "low"),
        ("Ever tried.", "ever tried", 0.7, "medium"),
        ("Ever tried.", "Everett Reid", 0.95, "low"),
    ],
)
def test_the_lower_of_two_counts(text: str, other: str | None, probability: float | None, expected: str) -> None:
    """Neither a sure engine nor two hypotheses that agree are enough where the other one speaks against it."""
    assert confidence(text, other, None if probability is None else math.log(probability)) == expected


def test_agreement_is_of_words_in_order() -> None:
    """A word too many, too few or in another place counts against it; marks and capitals do not."""
    assert agreement("Try again. Fail again!", "try again fail again") == 1.0
    assert agreement("try again", "again try") == 0.5
    assert agreement("try again", "try") == 0.5
    assert agreement("...", "") == 0.0
