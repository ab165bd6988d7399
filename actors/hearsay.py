"""What other stages have told of utterances that have no text yet: the drafts, and how sure the VAD was of speech.

It is kept in memory alone, so it is gone after a restart; the text does without it.
"""

from __future__ import annotations

from collections.abc import Sequence

from sottovoce.protocol.messages import Body, Draft, SegmentClosed, SpeechPause


class Hearsay:
    """Keeps what is told of each utterance, by its key (stream, first sample), until that has its text."""

    def __init__(self) -> None:
        self._drafts: dict[tuple[int, int], list[Draft]] = {}
        self._closed: dict[tuple[int, int], SegmentClosed] = {}

    def hear(self, body: Body) -> None:
        """Keep a draft, or what is told of a segment's end; nothing else."""
        if isinstance(body, Draft):
            self._drafts.setdefault((body.stream, body.first), []).append(body)
        elif isinstance(body, SegmentClosed):
            self._closed[body.stream, body.first] = body

    def drafts(self, stream: int, first: int) -> Sequence[Draft]:
        """Return the drafts of an utterance, the oldest first."""
        return self._drafts.get((stream, first), ())

    def whole_draft(self, pause: SpeechPause) -> Draft | None:
        """Return the last draft of all that was said until this pause; None where there is none."""
        drafts = self.drafts(pause.stream, pause.first)
        return next((draft for draft in reversed(drafts) if draft.end == pause.end), None)

    def closed(self, stream: int, first: int) -> SegmentClosed | None:
        """Return what the VAD told of a segment; None where it told nothing, or before a restart."""
        return self._closed.get((stream, first))

    def forget(self, stream: int, first: int) -> None:
        """Forget an utterance that has found its end, and those before it."""
        for told in (self._drafts, self._closed):
            for key in [key for key in told if key <= (stream, first)]:
                del told[key]
