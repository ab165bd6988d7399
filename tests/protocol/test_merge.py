"""Merging: whatever the order in which drafts and finals come, a display ends up with what was said."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sottovoce.protocol.merge import Edit, Span, Utterances, diff
from sottovoce.protocol.messages import Draft, Final, Suppressed


def draft(text: str, window_id: int, *, first: int = 0, stable: int = 0) -> Draft:
    """Return a draft."""
    return Draft(stream=1, first=first, end=first + 9, text=text, stable=stable, window_id=window_id)


def final(text: str, window_id: int, *, first: int = 0) -> Final:
    """Return a final."""
    return Final(
        stream=1, first=first, end=first + 9, text=text, window_id=window_id, corrects_window_ids=(), model="m",
        audio_s=1.0, decode_s=0.1, speculative=False,
    )  # fmt: skip


@given(st.text("ab c", max_size=12), st.text("ab c", max_size=12))
def test_a_diff_makes_one_text_the_other(before: str, now: str) -> None:
    """Applied to the one, it gives the other, and it touches nothing that both begin or end with."""
    edit = diff(before, now)
    assert edit.apply(before) == now
    assert edit.keep + edit.delete <= len(before)
    if edit.delete and edit.write:
        assert before[edit.keep] != edit.write[0]
        assert before[edit.keep + edit.delete - 1] != edit.write[-1]


@pytest.mark.parametrize(
    ("before", "now", "edit"),
    [
        ("ever tied", "ever tried", Edit(6, 0, "r")),
        ("ever tried", "ever tried ever", Edit(10, 0, " ever")),
        ("ever fell", "ever failed", Edit(6, 3, "ailed")),
        ("same", "same", Edit(4, 0, "")),
    ],
)
def test_a_diff_is_small(before: str, now: str, edit: Edit) -> None:
    """Only what changed is written."""
    assert diff(before, now) == edit


def test_any_order_gives_the_same() -> None:
    """Two utterances whose drafts and finals come shuffled end as they would in order."""
    heard = [
        draft("ever", 1), draft("ever tried", 2), final("Ever tried.", 3),
        draft("fail", 4, first=100), draft("fail again", 6, first=100, stable=4),
    ]  # fmt: skip
    expected = [Span("Ever tried.", "final", "low"), Span("fail", "stable", "low"), Span("again", "draft", "low")]
    for seed in range(50):
        shuffled = random.Random(seed).sample(heard, len(heard)) + random.Random(seed).choices(heard, k=2)
        utterances = Utterances()
        for one in shuffled:
            utterances = utterances.replace(one)
        assert utterances.whole() == expected
        assert utterances.open == heard[-1]


def test_a_late_draft_does_not_undo_a_final() -> None:
    """A draft that was decoded after the final was begun, but of the same utterance, changes nothing."""
    utterances = Utterances().replace(final("Ever tried.", 3)).replace(draft("ever", 9))
    assert [span.text for span in utterances.whole()] == ["Ever tried."]
    assert utterances.open is None


def test_what_is_suppressed_goes() -> None:
    """What is not typed is not shown either."""
    utterances = Utterances().replace(draft("thank you", 1)).replace(Suppressed(stream=1, first=0, reason="noise"))
    assert utterances.whole() == []


def test_a_display_does_not_grow_for_ever() -> None:
    """After an hour the last utterances are left."""
    utterances = Utterances()
    for first in range(500):
        utterances = utterances.replace(final(str(first), first, first=first))
    assert [span.text for span in utterances.whole()][-1] == "499"
    assert len(utterances.by_key) < 100
