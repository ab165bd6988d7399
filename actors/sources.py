"""What to record: the part of a recording's desired state that names its source."""

from __future__ import annotations

from typing import Annotated

import msgspec


class _Held(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """What any source may bear."""

    hold: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] | None = None
    """Recorded for as long as the push-to-talk key is down, which was pressed then (CLOCK_MONOTONIC ns); None: until
    somebody says stop. Only the conductor sets it."""


class Microphone(_Held, frozen=True, tag="microphone"):
    """The configured input device."""

    def __str__(self) -> str:
        return "microphone"


class AudioFile(_Held, frozen=True, tag="file"):
    """A sound file in place of the microphone: the same actor, ring and stages."""

    path: Annotated[str, msgspec.Meta(min_length=1, max_length=4095, pattern=r"^[^\x00]+\Z")]  # PATH_MAX; limits.h
    pace: Annotated[float, msgspec.Meta(ge=0.0, le=1000.0)] = 1.0
    """Times real time; 0 means as fast as the stages follow."""

    def __str__(self) -> str:
        return self.path


Source = Microphone | AudioFile


def parse_source(text: str | bytes) -> Source:
    """Return the source that JSON `text` describes.

    Raises:
        msgspec.ValidationError: it describes none; the message has the JSON path.
    """
    try:
        source: Source = msgspec.json.decode(text, type=Source)
    except msgspec.ValidationError:
        raise
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise msgspec.ValidationError(f"not JSON: {error}") from error
    return source


def dump_source(source: Source) -> str:
    """Return the source as JSON."""
    return msgspec.json.encode(source).decode()
