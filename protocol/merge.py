"""Merging drafts and finals for a display: pure functions, for whoever draws them.

Drafts come while somebody speaks and a final takes their place; they come from two processes, so in any order, and
twice where a process was restarted. Which of two is newer, their `window_id` says. A display takes one of three ways:

- *replace*: it has room for the open utterance (a line, an overlay) and draws it anew each time: `Utterances.replace`;
- *diff*: it has a text that it can edit in place, and wants to touch as little of it as may be: `diff`;
- *whole*: it shows all that was said, finals and the draft that is open, as one text: `Utterances.whole`.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, TypeAlias

import msgspec

from sottovoce.protocol.messages import Confidence, Draft, Suppressed
from sottovoce.protocol.messages import Final as FinalText

_KEPT: Final = 64


class Span(NamedTuple):
    """Text of one kind."""

    text: str
    kind: Literal["final", "stable", "draft"]
    """`stable` is the part of a draft that will probably stay; what is neither is to be shown dim."""
    confidence: Confidence


class Edit(NamedTuple):
    """What makes one text another: keep so many characters from the left, delete those behind, write these."""

    keep: int
    delete: int
    write: str

    def apply(self, text: str) -> str:
        """Return the other text."""
        return text[: self.keep] + self.write + text[self.keep + self.delete :]


Key: TypeAlias = tuple[int, int]


class Utterances(msgspec.Struct, frozen=True):
    """The newest hypothesis of each of the last utterances, in spoken order. Each method returns a new value."""

    by_key: dict[Key, Draft | FinalText] = {}

    def replace(self, heard: Draft | FinalText | Suppressed) -> Utterances:
        """Take in what was heard; what is older than what is there changes nothing.

        A final goes before every draft of its utterance, whichever comes later. What was suppressed goes.
        """
        key = heard.stream, heard.first
        before = self.by_key.get(key)
        if isinstance(heard, Suppressed):
            return Utterances({at: other for at, other in self.by_key.items() if at != key})
        if isinstance(before, FinalText) and isinstance(heard, Draft):
            return self
        if before is not None and type(before) is type(heard) and before.window_id >= heard.window_id:
            return self
        merged = dict(sorted((self.by_key | {key: heard}).items()))
        return Utterances(dict(list(merged.items())[-_KEPT:]))

    @property
    def open(self) -> Draft | None:
        """The draft of the utterance that is being said, None where the last one has its final."""
        last = next(reversed(self.by_key.values()), None)
        return last if isinstance(last, Draft) else None

    def whole(self) -> list[Span]:
        """Return all that was said, in order, to be joined by spaces."""
        spans: list[Span] = []
        for heard in self.by_key.values():
            if isinstance(heard, FinalText):
                spans.append(Span(heard.text, "final", heard.confidence))
            else:
                stable, rest = heard.text[: heard.stable].strip(), heard.text[heard.stable :].strip()
                if stable:
                    spans.append(Span(stable, "stable", heard.confidence))
                if rest:
                    spans.append(Span(rest, "draft", heard.confidence))
        return spans


def diff(before: str, now: str) -> Edit:
    """Return the edit that makes `before` into `now` and touches as little as can be in one place."""
    least = min(len(before), len(now))
    keep = next((at for at in range(least) if before[at] != now[at]), least)
    behind = next((at for at in range(least - keep) if before[-1 - at] != now[-1 - at]), least - keep)
    return Edit(keep, len(before) - keep - behind, now[keep : len(now) - behind])
