from __future__ import annotations

import pytest

from sottovoce.actors.guard import MAX_CHARACTERS_PER_SECOND, refuse


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("The first is" + " the first is" * 30, 12.0),
        ("The " + "2020-" * 30 + "20", 10.0),
        ("You can also use the microphone" + " to use the microphone" * 12, 10.0),
        ('You can also use the "Videos" button' + ' to use the "Videos" button' * 9, 10.0),
        ("Oh, oh, oh, oh, oh, oh, oh,", 1.0),
        ("Oh," + " oh," * 44, 6.0),
    ],
)
def test_a_decoder_in_a_loop_is_refused(text: str, seconds: float) -> None:
    """The embedded model's own answers to white noise and to hum, and longer segments than those it took for them."""
    assert refuse(text, seconds) is not None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("I", 0.5),
        ("No.", 0.56),
        ("Okay.", 0.6),
        ("This is very very very good.", 2.5),
        ("No, no, no, no, no.", 2.0),
        ("Ever tried. Ever failed. No matter. Try again. Fail again. Fail better.", 9.0),
        ("One, two, three, four, five, six, seven, eight, nine, ten, eleven, twelve.", 6.0),
        ("zero seven seven zero zero nine zero zero one two three", 5.0),
        ("one zero zero zero zero zero zero", 3.5),
        ("12 12 12 34 34 34 56 56 56", 6.0),
        ("Yes, I think so. I think so, too. I think so because I think so.", 4.0),
        ("The quick brown fox jumps over the lazy dog, and the quick brown fox jumps over the lazy cat.", 6.0),
        ("Donaudampfschifffahrtsgesellschaftskapitän", 3.0),
        ("你好，世界", 1.2),
    ],
)
def test_what_people_dictate_passes(text: str, seconds: float) -> None:
    """Short words, emphasis, numbers, refrains and long words are typed."""
    assert refuse(text, seconds) is None


def test_more_text_than_can_be_said_is_refused() -> None:
    """A sentence cannot have been said in half a second; the reason names the time and not the text."""
    text = "Thank you very much for watching this video today."
    assert refuse(text, 0.5) == "more text than can be said in 0.5 s"
    assert refuse(text, len(text) / MAX_CHARACTERS_PER_SECOND) is None


@pytest.mark.parametrize("text", ["♪♪♪♪", "...", "- -", "?"])
def test_text_without_a_word_is_refused(text: str) -> None:
    """Notes and stops are what the model makes of music."""
    assert refuse(text, 2.0) == "no words"
