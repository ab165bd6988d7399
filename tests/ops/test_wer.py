"""Word error rates: each figure on texts that were made up so that it is known."""

from __future__ import annotations

import pytest

from sottovoce.ops.wer import Edits, confusions, edits, interval, raw


@pytest.mark.parametrize(
    ("said", "heard", "expected"),
    [
        ("a b c", "a b c", Edits(3, 0, 0, 0)),
        ("a b c", "a x c", Edits(3, 1, 0, 0)),
        ("a b c", "a b b c", Edits(3, 0, 1, 0)),
        ("a b c", "a c", Edits(3, 0, 0, 1)),
        ("a b c", "", Edits(3, 0, 0, 3)),
        ("", "a b", Edits(0, 0, 2, 0)),
    ],
)
def test_edits_are_told_apart(said: str, heard: str, expected: Edits) -> None:
    """Words that are wrong, too many, and missing."""
    assert edits(said.split(), heard.split()) == expected


def test_a_rate_is_of_all_words_together() -> None:
    """A clip of one word, which is wrong, counts one word of eleven."""
    assert (Edits(10, 0, 0, 0) + Edits(1, 1, 0, 0)).rate == pytest.approx(1 / 11)
    assert Edits().rate == 0.0


def test_raw_words_keep_case_and_marks() -> None:
    """A capital, or a comma, makes another word; how a letter is encoded does not."""
    assert edits(raw("Yes, I do."), raw("Yes I Do.")).errors == 2
    assert raw("cafe\u0301") == raw("caf\u00e9")


def test_confusions_name_both_words() -> None:
    """What was said and what was heard for it, nothing where there is none."""
    assert confusions(["a", "b", "c"], ["a", "x", "c", "d"]) == {("b", "x"): 1, ("", "d"): 1}
    assert confusions(["a", "b"], ["b"]) == {("a", ""): 1}


def test_the_interval_holds_the_rate_and_narrows_with_more_clips() -> None:
    """Ten times the same clips tell it surer; the same input gives the same interval."""
    errors, words = [0, 1, 2, 0, 3], [10, 10, 12, 8, 10]
    low, high = interval(errors, words)
    assert low < sum(errors) / sum(words) < high
    closer = interval(errors * 10, words * 10)
    assert closer[1] - closer[0] < (high - low) / 2
    assert interval(errors, words) == (low, high)


def test_a_paired_difference_is_surer_than_two_rates() -> None:
    """One that is worse by a word in each clip is surely worse, however much the clips differ."""
    hard = [0, 9, 1, 8, 0, 9, 1, 8]
    worse = [errors + 1 for errors in hard]
    words = [10] * len(hard)
    low, high = interval(worse, words, hard)
    assert (low, high) == pytest.approx((0.1, 0.1))
    assert interval(worse, words)[0] < interval(hard, words)[1]


def test_clips_must_be_the_same() -> None:
    """Two models are compared on the same clips, and there must be some."""
    with pytest.raises(ValueError, match="2 clips with errors and 1 with words"):
        interval([1, 2], [10])
    with pytest.raises(ValueError, match="0 clips"):
        interval([], [])
