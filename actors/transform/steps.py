"""What the transform did, and did not do, with an utterance: for people who wonder, and for tests of rules."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

Did: TypeAlias = Literal["command", "case", "mode", "letter", "escape", "kept", "dropped", "numbers"]
"""`command` wrote a mark. `case` and `mode` wrote nothing. `letter` was spelled. `escape` made what followed it plain.
`kept`: the words of a command, left as words. `dropped`: words in the mode in which only commands are heard."""


class Step(msgspec.Struct, frozen=True):
    """One thing that was decided."""

    did: Did
    heard: str
    """The words, as the engine wrote them."""
    result: str
    """What they write or do; for `kept` and `dropped` the reason."""
