"""What both ends of the bridge agree on: the version, the limits, and how a message becomes a line."""

from __future__ import annotations

import json
from typing import Any, Final

VERSION: Final = 1
LINE_LIMIT: Final = 1 << 20
"""Bytes of a line, its newline included. A minute of speech is a hundredth of it, with the times of all words."""
SAMPLE_RATE: Final = 16_000
"""Hz of all audio."""

# Codes of an `error` message.
FAILED: Final = "failed"
CANCELLED: Final = "cancelled"
UNSUPPORTED: Final = "unsupported"
NOT_LOADED: Final = "not-loaded"
AUDIO_GONE: Final = "audio-gone"


def encode(message: dict[str, Any]) -> bytes:
    """Return the message as its line: the same one for the same message, whatever the order of its keys.

    Raises:
        ValueError: a number is not finite, which JSON cannot say.
    """
    # ASCII, so that no U+2028 and no half of a surrogate pair is anybody's idea of the end of a line.
    return json.dumps(message, sort_keys=True, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def decode(line: bytes) -> dict[str, Any]:
    """Return the message of a line.

    Raises:
        ValueError: it is not a JSON object with a `type` and an `id`.
    """
    message = json.loads(line)
    if not isinstance(message, dict):
        raise ValueError("not a JSON object")
    if not isinstance(message.get("type"), str) or not isinstance(message.get("id"), int):
        raise ValueError("without a type, which is a string, or an id, which is a number")
    return message
