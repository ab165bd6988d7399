"""A feed: where frames of a recording come from, seen from the capture stage."""

from __future__ import annotations

from typing import Protocol


class Feed(Protocol):
    """An open source that writes into the ring."""

    def pump(self) -> bool:
        """Do what is due, at most a few milliseconds of it; True if frames were published.

        Raises:
            FeedEnded: there will be no more samples; the reason is in it.
        """

    def sleep_ms(self) -> int:
        """Return how long until the next `pump` is due."""

    def close(self) -> None:
        """Let go of the source; no frame is published after this returns."""


class FeedEnded(Exception):
    """The source has no more samples; `reason` is "eof" or what went wrong."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
