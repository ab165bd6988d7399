"""The spaces beside marks, and which marks open and close."""

from __future__ import annotations

import pytest

from sottovoce.actors.transform import Context, Transformer
from sottovoce.actors.transform.rulebook import Rules
from sottovoce.actors.transform.typography import Typography

FRENCH = Typography(
    Rules(openers="«", closers="»", before={"?": "\u202f", "!": "\u202f", "»": "\u00a0"}, after={"«": "\u00a0"})
)


@pytest.mark.parametrize(
    ("chunk", "printed"),
    [
        ("quoi?", "quoi\u202f?"),
        ("quoi?!", "quoi\u202f?!"),
        ("quoi?»", "quoi\u202f?\u00a0»"),
        ("«quoi", "«\u00a0quoi"),
        ("«oui»", "«\u00a0oui\u00a0»"),
        ("https://a.example/?x=1", "https://a.example/?x=1"),
        ("?", "?"),
        ("?!", "?!"),
        ("?»", "?\u00a0»"),
        ("«", "«"),
        ("(?", "(?"),  # hypothesis found that this came out another way when it was heard again
        ("«?", "«\u00a0?"),
        ("««,", "«\u00a0«\u00a0,"),
        ("quoi,", "quoi,"),
        ("", ""),
    ],
)
def test_marks_have_the_spaces_that_belong_beside_them(chunk: str, printed: str) -> None:
    """A space comes before the first of several marks and before each closing one, never inside a word."""
    assert FRENCH.spaced(chunk) == printed


def test_a_mark_apart_is_put_where_it_belongs() -> None:
    """What the engine wrote between two spaces has the language's space before it, none, or that of a word."""
    assert [FRENCH.parted(mark) for mark in "?»,)«-"] == ["\u202f", "\u00a0", "", "", " ", " "]


def test_a_language_without_spaces_of_its_own_says_so() -> None:
    """Where no mark has one nothing needs to be looked at."""
    assert FRENCH.spaces
    assert not Typography(Rules(openers="“", closers="”")).spaces


def test_code_has_no_spaces_of_prose() -> None:
    """In the mode `code` a mark stands as it does in a program, in French too."""
    text = Transformer.load("fr").apply("x point virgule y! point d'exclamation", Context(mode="code"))[0]
    assert text == "x; y!"
