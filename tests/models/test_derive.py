"""tokens.txt from tokenizer.bin."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sottovoce.models.derive import moonshine_tokens


def pack(tokens: list[bytes]) -> bytes:
    """Write tokens as tokenizer.bin has them."""
    out = bytearray()
    for token in tokens:
        size = len(token)
        out += bytes([size]) if size < 128 else bytes([128 + size % 128, size // 128])
        out += token
    return bytes(out)


@given(st.lists(st.binary(max_size=3) | st.binary(min_size=126, max_size=300)))
def test_every_token_comes_out_with_its_number(tokens: list[bytes]) -> None:
    """Each string, short, empty or with a two-byte length, is a line of its base64 and its index."""
    lines = moonshine_tokens(pack(tokens)).splitlines()
    assert [base64.b64decode(line.split(b" ")[0]) for line in lines] == tokens
    assert [int(line.split(b" ")[1]) for line in lines] == list(range(len(tokens)))


@pytest.mark.parametrize("data", [b"\x05abc", b"\x80", b"\x81\x01short"])
def test_data_that_ends_early_is_refused(data: bytes) -> None:
    """A token that runs past the end is an error, not a shorter token."""
    with pytest.raises(ValueError, match="runs past the end"):
        moonshine_tokens(data)
