"""The journal's rows as structs: how far a recording and an utterance have come."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from sottovoce.protocol.clocks import boot_id, now_ns, suspended_ns
from sottovoce.protocol.messages import trace_id

State = Literal["segmented", "transcribed", "transformed", "intent", "typed", "suppressed", "late", "in_doubt"]
UNFINISHED: Final[tuple[State, ...]] = ("segmented", "transcribed", "transformed", "intent")


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
