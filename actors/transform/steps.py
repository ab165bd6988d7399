"""What the transform did, and did not do, with an utterance: for people who wonder, and for tests of rules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

if TYPE_CHECKING:
    from sottovoce.actors.transform.corrections import Fired

Did: TypeAlias = Literal[
    "numbers",
    "command",
    "case",
    "mode",
    "letter",
    "escape",
    "correction",
    "filler",
    "profanity",
    "kept",
    "dropped",
    "edit",
]
"""`numbers` became digits, before all else. `command` wrote a mark. `case` and `mode` wrote nothing. `letter` was
spelled. `escape` made what followed it plain. `correction`: what was learned was put in. `filler` was taken out,
`profanity` masked. `kept`: the words of a command, left as words. `dropped`: words in the mode in which only commands
are heard. `edit`: something is done to what was typed, this utterance or those before."""


class Step(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that was decided. As JSON it has the last three only where they say something."""

    did: Did
    heard: str
    """The words, as the engine wrote them."""
    result: str
    """What they write or do; for `kept` and `dropped` the reason."""
    number: int = 0
    """Of the correction."""
    how: Literal["", "exact", "sound"] = ""
    """By what the correction was found."""
    score: float = 1.0
    """How alike the letters of the least similar word are, 0 to 1, where it was found by its sound."""


def numbered(said: Sequence[str], written: Sequence[str]) -> Iterator[Step]:
    """Yield a step for each place in which chunks became digits."""
    if said == written:  # mostly; to look for differences would take the square of the length
        return
    for kind, i, j, k, m in SequenceMatcher(None, said, written, autojunk=False).get_opcodes():
        if kind != "equal":
            yield Step("numbers", " ".join(said[i:j]), " ".join(written[k:m]))


def corrected(hit: Fired) -> Step:
    """Return the step of what corrections did."""
    match hit.how:
        case "sound":
            return Step("correction", hit.heard, hit.wrote, number=hit.number, how="sound", score=hit.score)
        case "exact":
            return Step("correction", hit.heard, hit.wrote, number=hit.number, how="exact")
        case "filler" | "profanity" as did:
            return Step(did, hit.heard, hit.wrote)
