from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from sottovoce.actors.inject import typeable

# What hypothesis draws lone surrogates from, too.
_ANY_TEXT = st.text(st.characters())


@given(_ANY_TEXT)
def test_no_control_character_is_left(text: str) -> None:
    """Of the control characters only newline and tab are ever sent, and what is sent has an encoding."""
    sent = typeable(text)
    assert {c for c in sent if unicodedata.category(c) == "Cc"} <= {"\n", "\t"}
    sent.encode()


@given(_ANY_TEXT)
def test_everything_else_is_kept_in_order(text: str) -> None:
    """Dropping changes nothing about the characters that are not control characters."""
    kept = [c for c in text if unicodedata.category(c) not in {"Cc", "Cs"}]
    assert [c for c in typeable(text) if c not in "\n\t"] == kept


def test_an_escape_sequence_becomes_harmless() -> None:
    """A terminal that is sent an escape sequence shows its letters instead of obeying it."""
    assert typeable("a\x1b[2Jb\x9b31mc\x00d\x07\x7f") == "a[2Jb31mcd"


def test_every_kind_of_line_end_becomes_a_newline() -> None:
    """Carriage returns are line ends, one each, and one with the newline after it."""
    assert typeable("a\r\nb\rc\nd") == "a\nb\nc\nd"
