"""What a child of the bridge may answer, field by field as docs/bridge.md has it; unknown fields are passed over."""

from __future__ import annotations

import re
from typing import Annotated

import msgspec

from sottovoce.models.engines.base import Word


class Answer(msgspec.Struct, frozen=True, tag_field="type", tag=str.lower):
    """Any of them."""

    id: int
    """Of the request."""


class Hello(Answer, frozen=True):
    """It speaks our protocol."""

    protocol: int
    name: str = ""
    version: str = ""
    audio: tuple[str, ...] = ("file",)
    """The ways in which it takes audio."""
    cancel: bool = False
    """Whether a decode can be given up without ending it."""


class Loaded(Answer, frozen=True):
    """The model is ready."""

    device: str = ""


class Unloaded(Answer, frozen=True):
    """The model is gone."""


class Bye(Answer, frozen=True):
    """It ends."""


class Heard(Answer, frozen=True, tag="result"):
    """What it made of a segment."""

    text: str
    tokens: tuple[str, ...] = ()
    words: tuple[Word, ...] = ()
    log_prob: Annotated[float, msgspec.Meta(le=0.0)] | None = None
    language: Annotated[str, msgspec.Meta(pattern=r"^([a-z]{2,3})?$")] = ""


class Error(Answer, frozen=True):
    """It could not do what it was asked, and can be asked again."""

    code: str
    message: str = ""


_decoder = msgspec.json.Decoder(Hello | Loaded | Unloaded | Bye | Heard | Error)


def decode(line: bytes) -> Answer:
    """Return the answer of a line.

    Raises:
        ValueError: it is none; the text says what is wrong, and quotes nothing of it.
    """
    try:
        answer: Answer = _decoder.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        # Of the values, msgspec's text quotes only that of `type`.
        text = "not UTF-8" if isinstance(error, UnicodeDecodeError) else re.sub(r"'.*'", "", str(error))
        raise ValueError(text) from None
    return answer
