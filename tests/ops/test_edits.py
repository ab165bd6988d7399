"""What may be learned from a transcript that was put right, and what may not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sottovoce.ops.edits import edits, match_for
from sottovoce.protocol.correction import Correction

COMMON = {"there", "their", "the", "rose"}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("Ask arkon, please.", "Ask Archon, please.", [("arkon", "Archon")]),
        ("Ask arkon. Then arkon again.", "Ask Archon. Then Archon again.", [("arkon", "Archon")]),
        ("We use sort of watch a lot.", "We use Sottovoce a lot.", [("sort of watch", "Sottovoce")]),
        ("so ada lovelase wrote", "so Ada Lovelace wrote", [("ada", "Ada"), ("lovelase", "Lovelace")]),
        ("the readers cluster", "the Redis cluster", [("readers", "Redis")]),
        ('he said "arkon!"', "he said (Archon)?", [("arkon", "Archon")]),
        ("Hello world", "Hello, world!", []),
        ("it is. now go", "It is. Now go", []),
        ("It is so", "so it is. So", []),
        ("I like it", "I like it very much", []),
        ("I like it very much", "I like it", []),
        ("the quick answer is no", "a long explanation follows below", []),
        ("", "Archon", []),
        ("it costs 42, item 1455", "it costs 43, item 1456", []),
        ("play the mp 3", "play the MP3", [("mp 3", "MP3")]),
    ],
)
def test_only_misheard_words_are_found(before: str, after: str, expected: list[tuple[str, str]]) -> None:
    """Words that are like those they became, once each; no marks, no other wording, no capital of a sentence."""
    assert [(edit.heard, edit.write) for edit in edits(before, after, ())] == expected


def test_a_common_word_is_told_apart() -> None:
    """A single common word is right elsewhere, and is marked; a name made of it is, too."""
    found = edits("it was there dog and arkon and rose", "it was their dog and Archon and Rose", COMMON)
    assert [(edit.heard, edit.common) for edit in found] == [("there", True), ("arkon", False), ("rose", True)]


@pytest.mark.parametrize(
    ("heard", "write", "match"),
    [
        ("arkon", "Archon", "sound"),
        ("sotto voce", "Sottovoce", "sound"),
        ("my email", "me@example.com", "exact"),
        ("sign off", "Best regards,\nAda", "exact"),
        ("sort of watch", "Sottovoce", "exact"),
    ],
)
def test_how_it_is_found(heard: str, write: str, match: str) -> None:
    """By sound where a name was misheard, exactly where one thing stands for another."""
    assert match_for(heard, write) == match


@given(st.text(), st.text())
def test_every_edit_can_be_learned(before: str, after: str) -> None:
    """Whatever the texts are, each edit is of two words that are in them and makes a correction."""
    for edit in edits(before, after, COMMON):
        correction = Correction(heard=edit.heard, write=edit.write)
        assert all(word in before for word in correction.heard.split())
        assert all(word in after for word in correction.write.split())


@given(st.text())
def test_a_text_teaches_nothing_about_itself(text: str) -> None:
    """Two equal texts have no edits."""
    assert edits(text, text, ()) == []
