"""Decoding a segment together with what was said before it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from sottovoce.actors.audiofile import decode_file
from sottovoce.actors.context import ContextDecoder, split
from sottovoce.models import OfflineEngine, Store, load_engine
from sottovoce.protocol.clocks import SAMPLE_RATE


@pytest.mark.parametrize(
    ("known", "joint", "parts"),
    [
        ("Try again.", "Try again, fail again.", ("Try again,", "fail again.")),
        (
            "And so my fellow-americans.",
            "And so my fellow-americans ask not.",
            ("And so my fellow-americans", "ask not."),
        ),
        (
            "He was an ill man.",
            "He was not an ill man, unless it is so.",
            ("He was not an ill man,", "unless it is so."),
        ),
        ("Try again.", "Try again.", ("Try again.", "")),
        ("Try again.", "Something else entirely was heard here.", None),
        ("one two three", "one two four five", None),
        ("", "Try again.", None),
        ("Try again.", "", None),
    ],
)
def test_split(known: str, joint: str, parts: tuple[str, str] | None) -> None:
    """What is known is found at the beginning, also where a word of it came out otherwise; else nothing is."""
    assert split(known, joint) == parts


@given(known=st.text(max_size=60), joint=st.text(max_size=90))
def test_split_loses_no_word(known: str, joint: str) -> None:
    """Whatever the texts are, both parts together are all words of the joint one."""
    parts = split(known, joint)
    if parts is not None:
        assert " ".join(parts).split() == joint.split()


@pytest.fixture(scope="module")
def engine() -> OfflineEngine:
    """The embedded model."""
    store = Store()
    if not store.installed("moonshine-tiny-en"):
        pytest.skip("run: sottovoce models pull moonshine-tiny-en")
    return load_engine(store.catalogue["moonshine-tiny-en"], store.path("moonshine-tiny-en"), threads=1)


@pytest.fixture(scope="module")
def jfk() -> NDArray[np.float32]:
    """Somebody who pauses for a second in the midst of a sentence."""
    path = Path(__file__).parents[3] / "shared" / "speech" / "clips" / "jfk.flac"
    if not path.exists():
        pytest.skip("the clips of ../shared/speech are not here")
    return decode_file(path)


def test_a_sentence_that_goes_on(engine: OfflineEngine, jfk: NDArray[np.float32]) -> None:
    """The second piece has its own words, and it is known that it goes on in the sentence of the first."""
    decoder = ContextDecoder(engine)
    samples = lambda first, end: jfk[first:end]  # noqa: E731
    pieces = [(0, round(2.3 * SAMPLE_RATE)), (round(3.1 * SAMPLE_RATE), round(4.5 * SAMPLE_RATE))]
    first = decoder.decode(samples, *pieces[0])
    assert not first.continues
    decoder.remember(*pieces[0], first.text)
    second = decoder.decode(samples, *pieces[1])
    assert second.continues
    assert "fellow" not in second.text.lower()
    assert "ask not" in second.text.lower()
    assert second.audio_s == pytest.approx(1.4, abs=0.01)
    decoder.forget()
    assert not decoder.decode(samples, *pieces[1]).continues


def test_context_has_its_limits(engine: OfflineEngine) -> None:
    """What is too long ago, too long in all, or from before the floor is no context."""
    near, far = (0, 36_800), (round(8.3 * SAMPLE_RATE), 11 * SAMPLE_RATE)
    for limit, before, piece, floor in (
        (10, near, far, 0),
        (3, near, (49_600, 72_000), 0),
        (10, near, (49_600, 72_000), 1),
    ):
        decoder = ContextDecoder(engine, limit_s=limit)
        decoder.remember(*before, "And so my fellow Americans.")
        assert decoder._context(*piece, floor) == []
