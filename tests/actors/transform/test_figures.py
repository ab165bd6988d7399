"""Marks that are said between two numbers."""

from __future__ import annotations

import pytest

from sottovoce.actors.transform.figures import Figures
from sottovoce.actors.transform.heard import Heard
from sottovoce.actors.transform.rulebook import Rule, Rules

COMMA = Rule(spoken=("komma", "beistrich"), write=",", attach="left")
GERMAN = Figures(Rules(decimal=",", numerals=("drei", "vier", "fünf"), rule=(COMMA,)))


@pytest.mark.parametrize(
    ("heard", "reading"),
    [
        ("3 Komma 5", "joint"),
        ("3 Beistrich 5", "joint"),
        ("drei Komma fünf", "word"),
        ("drei Komma 5", "mark"),
        ("3, Komma 5", "mark"),
        ("3 Komma, 5", "mark"),
        ("Milch Komma Eier", "mark"),
        ("3 Komma 5 Komma 7", "mark"),
        ("drei Komma vier Beistrich fünf", "mark"),
        ("3 Komma", "mark"),
    ],
)
def test_a_decimal_comma_is_no_comma_between_words(heard: str, reading: str) -> None:
    """Between figures it joins, between number words it is a word, with a pause or in a list it parts."""
    assert GERMAN.read(Heard(heard), ",", 1, 2) == reading


@pytest.mark.parametrize(
    ("heard", "reading"),
    [("10 colon 30", "joint"), ("10 colon 75", "mark"), ("30 colon 10", "mark"), ("3 colon 5", "mark"),
     ("item colon 30", "mark"), ("10 colon ٣٠", "joint"), ("4321 colon 30", "mark")],
)  # fmt: skip
def test_a_colon_of_a_time_has_no_space(heard: str, reading: str) -> None:
    """An hour and two figures of minutes are a time; a colon before anything else is followed by a space."""
    assert GERMAN.read(Heard(heard), ":", 1, 2) == reading


def test_only_these_two_marks_are_looked_at() -> None:
    """A language without decimals of its own reads the colon alone."""
    assert Figures(Rules()).marks == {":"}
    assert GERMAN.marks == {":", ","}
