"""Words: tokens become words where their model's mark says so, and lie in the audio one after the other."""

from __future__ import annotations

import pytest

from sottovoce.models import Word
from sottovoce.models.engines.words import LONGEST_TOKEN_S, spell, words


def test_a_leading_space_begins_a_word() -> None:
    """Pieces join what came before, whether the space is one or SentencePiece's sign for it."""
    assert words((" mid", "dle", " top"), (0.1, 0.3, 0.5), 1.0) == (Word("middle", 0.1, 0.5), Word("top", 0.5, 0.9))
    assert [word.text for word in words(("▁mid", "dle", "▁top"), (0.1, 0.3, 0.5), 1.0)] == ["middle", "top"]


def test_marks_belong_to_the_word_before() -> None:
    """A comma is no word of its own."""
    assert [word.text for word in words((" Hello", ",", " world", "."), (0.0, 0.2, 0.4, 0.6), 1.0)] == [
        "Hello,",
        "world.",
    ]


def test_single_letters_are_parted_by_the_space() -> None:
    """Where the space is a token, a word begins with the letter behind it, not in the pause before."""
    found = words(("a", " ", "b", "c"), (0.1, 0.2, 0.6, 0.7), 1.0)
    assert found == (Word("a", 0.1, 0.2), Word("bc", 0.6, 1.0))


def test_scripts_without_spaces_have_a_word_a_character() -> None:
    """Chinese characters are words each, and so is Latin text among them."""
    assert [word.text for word in words(("你", "好", "ok", "吗"), (0.0, 0.2, 0.4, 0.6), 1.0)] == [
        "你",
        "好",
        "ok",
        "吗",
    ]


def test_bytes_make_characters() -> None:
    """Tokens that are parts of a character are put together; half a character does no harm."""
    assert spell((" caf", "<0xC3>", "<0xA9>")) == " café"
    assert spell(("<0xC3>",)) == "\ufffd"
    assert words((" caf", "<0xC3>", "<0xA9>"), (0.0, 0.1, 0.1), 1.0)[0].text == "café"


def test_commands_are_no_words() -> None:
    """What tells the language or the task is left out."""
    assert [word.text for word in words(("<|en|>", " yes"), (0.0, 0.1), 1.0)] == ["yes"]


def test_a_pause_is_not_part_of_a_word() -> None:
    """The last token before a pause lasts as long as a token may, or as the model says."""
    assert words((" a", " b"), (0.0, 3.0), 5.0)[0].end_s == pytest.approx(LONGEST_TOKEN_S)
    assert words((" a", " b"), (0.0, 3.0), 5.0, (0.08, 0.16)) == (Word("a", 0.0, 0.08), Word("b", 3.0, 3.16))


def test_nothing_lies_outside_the_audio() -> None:
    """Times beyond the end, which padding brings, and before the beginning are brought to them."""
    assert words((" a", " b"), (-0.1, 2.3), 2.0) == (Word("a", 0.0, 0.4), Word("b", 2.0, 2.0))


@pytest.mark.parametrize("starts", [(), (0.1,)])
def test_without_times_there_are_no_words(starts: tuple[float, ...]) -> None:
    """A model that gives no times, or not one for each token, gives no words."""
    assert words((" a", " b"), starts, 1.0) == ()
