"""Escapes before numbers."""

from __future__ import annotations

import pytest

from sottovoce.actors.transform.asking import escaped


@pytest.mark.parametrize(
    ("heard", "plain"),
    [
        ("literal | number five comma", "number five"),
        ("literally | line forty two is", "line forty two"),
        ("the word | twenty five percent", "twenty five percent"),
        ("the words | forty-two and so", "forty-two"),
        ("literal | nineteen fifties music", "nineteen fifties"),
        ("literal | march", ""),
        ("literal | twenty first of", "twenty first"),
        ("say | number five", "number five"),
        ("say | five", ""),
        ("say | line five", "line five"),
        ("they say | line five", ""),
        ("say | step five of the plan", "step five"),
        ("literal | number 42", "number 42"),
        ("literal | line 42", ""),
        ("literally | one", "one"),
        ("literally | one of them", ""),
        ("a literal | ten", ""),
        ("literal | number", ""),
        ("literal | comma", ""),
        ("literal |", ""),
    ],
)
def test_the_number_after_an_escape(heard: str, plain: str) -> None:
    """An escape makes plain the whole number after it, with the word that asks for digits, and is else a word itself.

    "Literally" is one in English before a number, and so is what a determiner stands before.
    """
    before, after = (part.split() for part in heard.split("|"))
    begun = len(before) - (2 if before[0] == "the" else 1)
    chunks = before + after
    assert " ".join(chunks[len(before) : escaped(chunks, begun, len(before))]) == plain
