"""What is kept of the drafts and of the VAD's word, and for how long."""

from __future__ import annotations

import pytest

from sottovoce.actors.hearsay import Hearsay
from sottovoce.protocol.messages import Draft, SegmentClosed, SpeechPause


def draft(first: int, end: int, text: str) -> Draft:
    """Return a draft of an utterance in stream 1."""
    return Draft(stream=1, first=first, end=end, text=text, stable=len(text), window_id=end, model="m")


@pytest.fixture
def hearsay() -> Hearsay:
    """Two utterances: two drafts of the first, one of the second, and the end of the first."""
    made = Hearsay()
    for body in (
        draft(0, 100, "ever"), draft(0, 200, "ever tried"), draft(500, 600, "no"),
        SegmentClosed(stream=1, first=0, end=200, speech_end=190, reason="silence"),
    ):  # fmt: skip
        made.hear(body)
    return made


def test_drafts_belong_to_their_utterance(hearsay: Hearsay) -> None:
    """They come in the order in which they were told, and none of another stream or utterance with them."""
    assert [each.text for each in hearsay.drafts(1, 0)] == ["ever", "ever tried"]
    assert [each.text for each in hearsay.drafts(1, 500)] == ["no"]
    assert list(hearsay.drafts(2, 0)) == []


def test_a_draft_of_all_that_was_said(hearsay: Hearsay) -> None:
    """For a pause it is the last one that ends where the pause begins; an earlier one will not do."""
    whole = hearsay.whole_draft(SpeechPause(stream=1, first=0, end=200))
    assert whole is not None
    assert whole.text == "ever tried"
    assert hearsay.whole_draft(SpeechPause(stream=1, first=0, end=300)) is None
    assert hearsay.whole_draft(SpeechPause(stream=1, first=900, end=200)) is None


def test_what_has_its_text_is_forgotten_with_all_before_it(hearsay: Hearsay) -> None:
    """An utterance that was never finished does not stay for ever; those after it do stay."""
    assert hearsay.closed(1, 0) is not None
    hearsay.forget(1, 200)
    assert hearsay.closed(1, 0) is None
    assert list(hearsay.drafts(1, 0)) == []
    assert [each.text for each in hearsay.drafts(1, 500)] == ["no"]
