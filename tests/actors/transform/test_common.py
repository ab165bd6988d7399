"""Which words a language has."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sottovoce.actors.transform.common import WordSet, lexicon


@given(st.sets(st.text(max_size=10), max_size=50))
def test_a_set_has_its_words(words: set[str]) -> None:
    """Whatever was put in is in it, surrogates too."""
    kept = WordSet(words)
    assert all(word in kept for word in words)
    assert len(kept) == len(words)
    assert 3 not in kept


@pytest.mark.parametrize(
    ("language", "ham", "house"),
    [("en", "bacon", "house"), ("de", "schinken", "haus"), ("es", "jamón", "casa"), ("fr", "jambon", "maison"),
     ("it", "prosciutto", "casa"), ("pt", "presunto", "casa"), ("ru", "ветчина", "дом")],
)  # fmt: skip
def test_every_language_with_rules_has_words(language: str, ham: str, house: str) -> None:
    """The words of each are known, everyday ones are common, and a made-up one is in no list."""
    found = lexicon(language)
    assert found is not None
    assert ham in found.words
    assert house in found.words
    assert house in found.common
    assert "xqzarkon" not in found.words


def test_a_rare_word_is_a_word_and_not_common() -> None:
    """What was added to the list by hand may be a name, and is told apart."""
    found = lexicon("en")
    assert found is not None
    assert "kafka" in found.words
    assert "kafka" not in found.common


def test_an_unknown_language_has_none() -> None:
    """A language without a list is told, not taken for one without words."""
    assert lexicon("xx") is None
