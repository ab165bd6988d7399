"""Files that a model's engine wants and its source does not hold, made from one that it does."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator


def moonshine_tokens(tokenizer: bytes) -> bytes:
    """Turn Moonshine's `tokenizer.bin` into the `tokens.txt` that sherpa-onnx reads.

    The first is a run of byte strings, token 0 first, each after its length: one byte below 128, else two, low seven
    bits with the top bit set and then the rest. (Read off the shipped file: 32,768 strings, not a byte left over.)
    The second is a line `base64(token) id` for each.

    Raises:
        ValueError: the data ends within a token.
    """
    lines = (b"%s %d\n" % (base64.b64encode(token), index) for index, token in enumerate(_strings(tokenizer)))
    return b"".join(lines)


def _strings(data: bytes) -> Iterator[bytes]:
    position = 0
    while position < len(data):
        length = data[position]
        position += 1
        if length >= 0x80 and position < len(data):
            length = length - 0x80 + data[position] * 0x80
            position += 1
        end = position + length
        if end > len(data):
            raise ValueError(f"a token of {length} bytes at offset {position} runs past the end ({len(data)} bytes)")
        yield data[position:end]
        position = end


MAKERS: dict[str, Callable[[bytes], bytes]] = {"moonshine-tokens": moonshine_tokens}
