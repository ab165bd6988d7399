"""The end of a text: words, sentences, and characters as people count them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sottovoce.actors.tails import characters, last_sentence, last_word

CHARACTERS = {
    "": 0, "naïve": 5, "e\u0301a": 2, "👍🏽": 1, "👩‍💻": 1, "🇩🇪🇫🇷🇪": 3, "각": 1, "각각": 2, "1️⃣": 1, "❤️": 1, "\r\n\n": 2,
    "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f": 1, "a\u200db": 2,
    "❤\u093f\u200d👩": 2,
}  # fmt: skip
MIXED = st.text(st.sampled_from("ab é\u0301\u200d👩💻🏽\ufe0f가각\u1100\u1161\u11a8\r\n❤\u093f"), max_size=12)


@pytest.mark.parametrize(("text", "count"), CHARACTERS.items())
def test_characters(text: str, count: int) -> None:
    """Marks, tints, joined emoji, flags and syllables count as one."""
    assert characters(text) == count


@given(MIXED)
def test_characters_are_those_of_the_annex(text: str) -> None:
    r"""As many as `\X` of the package `regex`, which has the tables of Unicode annex 29, finds."""
    regex = pytest.importorskip("regex", reason="pip install regex")
    assert characters(text) == len(regex.findall(r"\X", text))


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (" I will come tomorrow.", " tomorrow."), ("Hello", "Hello"), ("Oui, bonjour\u202f!", " bonjour\u202f!"),
        ("well — known", " known"), ("Dear Anna,\n\nHello", "Hello"), ("Hi you\n", " you\n"), (" ...", " ..."),
        ("", ""), ('say "hello"', ' "hello"'), (" 3.5 km", " km"),
    ],
)  # fmt: skip
def test_last_word(text: str, word: str) -> None:
    """With its marks and the blanks before it; the end of the line before stays."""
    assert last_word(text) == word


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("A b. C d.", " C d."), (" One two.", " One two."), (" One. Two", " Two"),
        ("Mr. Smith came. J. Doe left U.S. soil.", " J. Doe left U.S. soil."), ("Dear,\n\nHello. Yes", " Yes"),
        ("Dear,\n\nHello", "Hello"), ('He said "Go." Then 3.5 left.', " Then 3.5 left."), ("No! Why?", " Why?"),
        ("One. Two!\n", " Two!\n"), ("", ""),
    ],
)  # fmt: skip
def test_last_sentence(text: str, sentence: str) -> None:
    """A mark that ends one, or a line's end, is its border; abbreviations, initials and decimals are not."""
    assert last_sentence(text, {"mr"}) == sentence


@given(st.text(st.sampled_from("aB .,!\n“”é\u0301")))
def test_something_goes_while_something_is_there(text: str) -> None:
    """Each is a part of the text, at its end, and not nothing."""
    for part in (last_word(text), last_sentence(text)):
        assert text.endswith(part)
        assert bool(part) == bool(text)
