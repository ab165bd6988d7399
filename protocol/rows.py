"""The journal's rows as structs: how far a recording and an utterance have come."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from sottovoce.protocol.clocks import boot_id, now_ns, suspended_ns
from sottovoce.protocol.messages import trace_id

State = Literal["segmented", "transcribed", "transformed", "intent", "typed", "suppressed", "late", "in_doubt"]
UNFINISHED: Final[tuple[State, ...]] = ("segmented", "transcribed", "transformed", "intent")
SCRATCHED: Final = "scratched as it was said"
"""The reason of an utterance that took itself back before it was typed ("... tomorrow. Scratch that.")."""
Piece = tuple[int, str]
"""An utterance's ordinal, and a part of its text at its end."""


class Edit(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an utterance asks to be done to what was typed before it; JSON in the column `edit`."""

    does: Literal["scratch", "word", "sentence", "undo", "press"]
    times: int = 1
    keys: str = ""
    """What is pressed: modifiers and a keysym's name, joined by plus signs ("Return", "ctrl+shift+v")."""
    of: int = 0
    """Once it is done, of an `undo`: the ordinal of the edit that it undid."""
    took: tuple[Piece, ...] = ()
    """Once it is done: what was taken back, in the order in which it went, so the last first."""
    gave: tuple[Piece, ...] = ()
    """Once it is done: what was brought back, in the order in which it was typed."""


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `recording`: the columns above."""

    generation: int
    boot: str
    source: str
    requested_ns: int
    stop_ns: int | None
    cancelled: int
    stream: int | None
    first: int | None
    source_offset: int
    end: int | None
    end_reason: str | None
    position: int | None
    floor: int | None
    drained: int
    closed_ns: int | None

    @property
    def wanted(self) -> bool:
        """Whether samples should be captured for it now."""
        return self.stop_ns is None and self.end is None and self.closed_ns is None and self.boot == boot_id()


class UtteranceRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `utterance`: the columns above."""

    ordinal: int
    stream: int
    first: int
    end: int
    speech_end: int
    generation: int
    boot: str
    state: State
    reason: str | None
    turn: float | None
    heard: str | None
    mend: str | None
    plain: str | None
    text: str | None
    mended: str | None
    edit: str | None
    before: str | None
    stands: str | None
    place: str | None
    model: str | None
    backend: str | None
    spoken_ns: int
    asleep_ns: int
    wall_ns: int
    segmented_ns: int
    transcribed_ns: int | None
    transformed_ns: int | None
    intent_ns: int | None
    typed_ns: int | None

    @property
    def trace(self) -> str:
        """The utterance's trace id."""
        return trace_id(self.stream, self.first)

    @property
    def standing(self) -> str | None:
        """What stands where it was typed, by the journal; None where that is not known: in doubt, or not kept."""
        if self.state in ("intent", "in_doubt"):
            return None
        if self.state != "typed":
            return ""
        return self.text if self.stands is None else self.stands

    def typed_age_s(self) -> float:
        """Seconds since it was typed, at most; infinite where it was not, or in another boot.

        The sleep of the machine since it was spoken counts, of which a little may have been before it was typed.
        """
        if self.boot != boot_id() or self.typed_ns is None:
            return float("inf")
        return (now_ns() - self.typed_ns + suspended_ns() - self.asleep_ns) / 1e9

    def age_s(self) -> float:
        """Seconds since it was spoken, sleep of the machine included; infinite when that was in another boot."""
        if self.boot != boot_id():
            return float("inf")
        return (now_ns() + suspended_ns() - self.spoken_ns - self.asleep_ns) / 1e9

    def timings_ms(self) -> dict[str, float]:
        """Milliseconds from the segment's end to each later step; only steps that have happened."""
        steps = {
            "transcribed": self.transcribed_ns, "transformed": self.transformed_ns, "typed": self.typed_ns,
        }  # fmt: skip
        return {name: (at - self.segmented_ns) / 1e6 for name, at in steps.items() if at is not None}
