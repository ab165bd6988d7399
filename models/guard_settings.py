"""What the guard against invented text allows a model: `[models.NAME.guard]` of a catalogue entry."""

from __future__ import annotations

from typing import Annotated

import msgspec

Share = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]


class GuardSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limits; `actors/guard.py` says what each is compared with, and where the defaults are from."""

    characters_per_second: Annotated[float, msgspec.Meta(ge=1.0, le=1000.0)] = 32.0
    """More letters than this in a second nobody says; a Chinese, Japanese or Korean one counts as three."""
    repeats: Annotated[int, msgspec.Meta(ge=3, le=1000)] = 5
    """So many times the same three words, making up most of a text, are a decoder in a loop."""
    compression_ratio: Annotated[float, msgspec.Meta(ge=0.0, le=1000.0)] = 2.4
    """A text that zlib makes so many times smaller repeats itself; 0 for no such test."""
    log_prob: Annotated[float, msgspec.Meta(le=0.0)] | None = None
    """Mean natural log-probability of a token below which a text is a guess; None for no such test. What is right
    depends on the engine, so it has no default."""
    speech_ratio: Share = 0.15
    """A segment of 3 s and more in which the VAD heard speech for a smaller share is made of clicks."""
    sure: Share = 0.6
    """Below this mean probability of speech, as the VAD has it over what it took for speech, a segment is as good as
    silent, and what a model is known to say to silence is refused. The clips come to 0.74 at least."""
    phrases: bool = True
    """Whether there is anything that this model is known to say to silence (`actors/guard.toml`)."""
    scripts: bool = True
    """Whether a text in another writing than that of the language is refused."""
