"""Profanity: untouched, and masked where that was asked for."""

from __future__ import annotations

import pytest

from sottovoce.actors.transform import Context, Transformer
from sottovoce.actors.transform.corrections import Corrections, Fired
from sottovoce.actors.transform.profanity import PROFANE
from sottovoce.protocol.correction import Correction

ENGLISH = Transformer.load("en")
MASKED = Corrections.of_language([Correction(heard="shit list", write="the shit list", number=3)], "en", mask=True)


def typed(text: str, corrections: Corrections, **context: str) -> str:
    """Return what an utterance writes on an empty page."""
    return ENGLISH.apply(text, Context(**context), corrections=corrections)[0]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("heard", "expected"),
    [
        ("this is fucking good comma Shit!", "This is f****** good, S***!"),
        ("fuck's sake period", "F***'s sake."),
        ('he said "fuck," (shit)', 'He said "f***," (s***)'),
        ("a shiitake and the scunthorpe shitzu", "A shiitake and the scunthorpe shitzu"),
        ("no caps fuck new line um shit", "f***\nS***"),
        ("my shit list", "My the shit list"),
    ],
)
def test_whole_words_are_masked(heard: str, expected: str) -> None:
    """All letters but the first, whatever stands around the word; never a part of another, nor what was learned."""
    assert typed(heard, MASKED) == expected


def test_it_is_untouched_unless_asked_for() -> None:
    """By default, and in verbatim in any case, it stays as it was said."""
    assert typed("this is shit", Corrections.of_language([], "en")) == "This is shit"
    assert typed("this is shit", MASKED, mode="verbatim") == "This is shit"


def test_it_is_told() -> None:
    """What was masked is among what fired, and is no use of a correction."""
    fired = MASKED.apply(["well,", "shit."], mode="dictation")[1]
    assert fired == (Fired(0, "shit", "s***", "profanity", at=1),)


@pytest.mark.parametrize("language", sorted(PROFANE))
def test_each_language_has_words_of_its_own(language: str) -> None:
    """In lower case, without marks; masked, in capitals too."""
    words = PROFANE[language]
    assert words
    assert all(word == word.lower() and word.replace("-", "").isalpha() for word in words)
    corrections = Corrections.of_language([], language, mask=True)
    for word in words:
        shouted = word.upper()
        assert corrections.apply([shouted], mode="dictation")[0] == [shouted[0] + "*" * (len(shouted) - 1)]
