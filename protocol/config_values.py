"""What a value of the configuration file may be, by its kind, and what its tables have in common."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

Seconds = Annotated[float, msgspec.Meta(ge=0.0, le=86_400.0)]
Short = Annotated[float, msgspec.Meta(ge=0.0, le=2.0)]
Decibels = Annotated[float, msgspec.Meta(ge=0.0, le=40.0)]
Probability = Annotated[float, msgspec.Meta(gt=0.0, lt=1.0)]
Threads = Annotated[int, msgspec.Meta(ge=0, le=64)]
Percent = Annotated[int, msgspec.Meta(ge=1, le=100)]
Megabytes = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
Word = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f-\x9f]+\Z")]
Argument = Annotated[str, msgspec.Meta(max_length=4096, pattern=r"^[^\x00]*\Z")]
Variable = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_]*\Z")]
BaseUrl = Annotated[str, msgspec.Meta(pattern=r"^https?://[^\s/]+[^\s]*\Z")]
Provider = Literal["auto", "cpu", "cuda", "tensorrt"]
Keep = Annotated[str, msgspec.Meta(pattern=r"^([1-9][0-9]{0,3}d|session|none)\Z")]


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the file."""
