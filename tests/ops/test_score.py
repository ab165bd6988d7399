"""Judging: each figure on runs that were made up so that it is known."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Literal

import pytest

from sottovoce.ops.compose import Utterance
from sottovoce.ops.score import BINS_S, Event, Score, normaliser, percentile, score

SAID = (
    Utterance("The quick brown fox jumps.", 1.0, 3.0),
    Utterance("Pack my box with jugs.", 4.0, 6.0, ((4.5, 4.8), (5.0, 5.7))),
    Utterance("Yes.", 7.0, 7.4),
)


def events(*rows: tuple[float, Literal["draft", "final", "typed"], str, int]) -> list[Event]:
    """Return events of rows."""
    return [Event(*row) for row in rows]


def judged(
    *rows: tuple[float, Literal["draft", "final", "typed"], str, int], said: Sequence[Utterance] = SAID
) -> Score:
    """Return the score of rows."""
    return score(said, events(*rows))


PERFECT: tuple[tuple[float, Literal["final"], str, int], ...] = (
    (3.4, "final", "the quick brown fox jumps", 1),
    (6.5, "final", "Pack my box, with jugs!", 2),
    (7.7, "final", "yes", 3),
)


def test_all_is_well() -> None:
    """A final for each utterance: none missed, cut, merged or stray, no errors, times from the acoustic end."""
    found = judged(*PERFECT)
    assert (found.utterances, found.finals, found.missed, found.cut, found.merged, found.stray) == (3, 3, 0, 0, 0, 0)
    assert (found.wer, found.words) == (0, 11)
    assert [each.ttfs for each in found.heard] == [0.4, 0.5, 0.3]
    assert found.ttfs_p50 == 0.4
    assert found.ttfs_p95 == pytest.approx(0.49)
    assert (found.flicker, found.words_shown) == (None, 0)
    json.dumps(found.as_dict(), allow_nan=False)


def test_a_late_final_is_its_own_utterance_s() -> None:
    """A final that comes after the next utterance began is known by its words, and its lateness counts."""
    found = judged((4.6, "final", "the quick brown fox jumps", 1), *PERFECT[1:])
    assert [each.ttfs for each in found.heard] == [1.6, 0.5, 0.3]
    assert (found.cut, found.merged) == (0, 0)


def test_an_utterance_in_pieces_is_cut() -> None:
    """Two finals in one utterance: one is cut, the later final counts, and the pause that did it is known."""
    found = judged(PERFECT[0], (5.4, "final", "Pack my box", 2), (6.3, "final", "with jugs.", 3), PERFECT[2])
    assert (found.finals, found.cut, found.merged) == (4, 1, 0)
    assert found.heard[1].ttfs == pytest.approx(0.3)
    assert (found.pauses, found.pauses_cut, found.cut_rate) == (2, 1, 0.5)
    cut = {(row["from"], row["to"]): (row["pauses"], row["cut"]) for row in found.by_pause}
    assert cut[0.2, 0.4] == (1, 0)
    assert cut[0.6, 0.8] == (1, 1)


def test_one_final_over_two_utterances_is_a_merge() -> None:
    """Two utterances in one final are both merged, and the first waited until then."""
    found = judged((6.5, "final", "the quick brown fox jumps pack my box with jugs", 1), PERFECT[2])
    assert (found.finals, found.cut, found.merged, found.missed) == (2, 0, 2, 0)
    assert [each.ttfs for each in found.heard] == [3.5, 0.5, 0.3]


def test_a_word_across_the_border_is_no_merge() -> None:
    """One word of the neighbour's in a long final is an error of recognition, not a merge."""
    found = judged(
        (3.4, "final", "the quick brown fox jumps pack", 1), (6.5, "final", "my box with jugs", 2), PERFECT[2]
    )
    assert (found.cut, found.merged) == (0, 0)


def test_a_final_does_not_know_the_future() -> None:
    """Words that an utterance will have are not its own before it begins."""
    found = judged((3.4, "final", "pack my box with jugs", 1), *PERFECT[1:])
    assert (found.heard[0].finals, found.heard[1].finals) == (1, 1)
    assert found.wer == pytest.approx(5 / 11, abs=1e-3)


def test_wrong_words_are_taken_by_their_time() -> None:
    """A final none of whose words is right belongs to the utterance that it came after."""
    found = judged((3.4, "final", "a thick brawn", 1), *PERFECT[1:])
    assert (found.missed, found.stray) == (0, 0)
    assert found.heard[0].ttfs == 0.4


def test_invented_text_is_stray() -> None:
    """A final in the silence after an utterance that has its own is stray: no cut, an error for each word."""
    found = judged(*PERFECT[:2], (6.8, "final", "Thank you.", 9), PERFECT[2])
    assert (found.stray, found.cut, found.finals) == (1, 0, 4)
    assert found.wer == pytest.approx(2 / 11, abs=1e-3)
    assert found.heard[1].ttfs == 0.5


def test_what_was_not_heard_is_missed() -> None:
    """An utterance without a final is missed and has no times; one that has is not judged by it."""
    found = judged(PERFECT[0], PERFECT[2])
    assert (found.missed, found.heard[1].ttfs, found.heard[1].ttfd) == (1, None, None)
    assert found.ttfs_p50 == pytest.approx(0.35)
    nothing = judged()
    assert (nothing.missed, nothing.ttfs_p50, nothing.wer) == (3, None, 1.0)


def test_typed_text_is_judged_where_there_is_any() -> None:
    """Where a program types, its finals decide nothing but flicker."""
    found = judged(
        *PERFECT, (3.5, "typed", "The quick brown fox jumps.", 1), (6.6, "typed", " Pack my box with jugs", 2)
    )
    assert (found.finals, found.missed) == (2, 1)
    assert found.heard[0].ttfs == 0.5


def test_first_draft() -> None:
    """TTFD is from the onset to the first draft with a word in it, and to the final where no draft came."""
    found = judged((1.2, "draft", " ", 1), (1.5, "draft", "the", 1), (1.9, "draft", "the quick", 1), *PERFECT)
    assert [each.ttfd for each in found.heard] == [0.5, 2.5, 0.7]


def test_first_draft_of_the_second_in_a_merge() -> None:
    """In a merged segment, a draft shows the second utterance only when it has more words than the first."""
    one, two = "the quick brown fox jumps", "the quick brown fox jumps pack"
    found = judged((1.5, "draft", "the", 1), (4.1, "draft", one, 1), (4.9, "draft", two, 1),
                   (6.5, "final", f"{two} my box with jugs", 1), PERFECT[2])  # fmt: skip
    assert found.heard[1].ttfd == pytest.approx(0.9)


def test_flicker() -> None:
    """Words that the final does not have at that place are unstable; repeats show nothing; order of events is free."""
    rows = ((1.5, "draft", "the thick", 1), (1.7, "draft", "The thick.", 1), (1.9, "draft", "the quick brown", 1))
    found = judged(*PERFECT, *((at, "draft", text, segment) for at, _, text, segment in rows))
    assert (found.words_shown, found.flicker) == (5, 0.2)


def test_a_draft_without_a_final_flickers() -> None:
    """All words of a segment that never became final were shown in vain; so are words beyond the final's end."""
    found = judged(*PERFECT, (6.7, "draft", "thank you", 8), (7.2, "draft", "yes sir", 3))
    assert (found.words_shown, found.flicker) == (4, 0.75)


def test_spelling_is_no_error() -> None:
    """Case, punctuation, numbers in words and titles are the same after normalisation, by each language's rules."""
    said = (Utterance("Mister Quilter has twenty-three colours", 0.0, 1.0),)
    assert judged((1.2, "final", "Mr. Quilter has 23 colors.", 1), said=said).wer == 0
    spanish = (Utterance("Son dos, tres.", 0.0, 1.0),)
    assert score(spanish, events((1.2, "final", "son dos tres", 1)), "es").wer == 0


def test_every_pause_is_in_one_bin() -> None:
    """The bins hold each pause once, the longest ones too."""
    pauses = tuple((float(at), at + length) for at, length in enumerate((0.2, 0.4, 0.99, 1.0, 30.0)))
    found = judged((41.0, "final", "yes", 1), said=(Utterance("yes", 0.0, 40.0, pauses),))
    assert [row["pauses"] for row in found.by_pause] == [1, 1, 0, 1, 2]
    assert len(found.by_pause) == len(BINS_S) - 1
    assert found.pauses_cut == 0


def test_percentile_of_what_is_there() -> None:
    """None is no value; of none there is no percentile."""
    assert percentile([None, 1.0, 3.0], 50) == 2.0
    assert percentile([None], 50) is None


def test_letters_are_words_where_words_have_no_spaces() -> None:
    """Five Japanese letters are five words; two German words are two."""
    assert normaliser("ja")("日本語です。") == ("日", "本", "語", "で", "す")
    assert normaliser("de")("Guten Tag!") == ("guten", "tag")
