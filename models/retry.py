"""When to ask again: exponential back-off with jitter, and what the server itself asks for."""

from __future__ import annotations

import email.utils
import random
from dataclasses import dataclass
from datetime import UTC, datetime

TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
"""HTTP statuses that may be another one a moment later (RFC 9110 15.5.9, 15.6; RFC 6585 4; RFC 8470 5.2)."""


@dataclass(frozen=True, slots=True)
class Retry:
    """How patiently a server is asked.

    Attributes:
        attempts: failures in a row, without a byte gained, after which it counts as out of reach.
        first: seconds before the second attempt; doubled from one to the next.
        longest: the most seconds between two of them.
        patience: a server that wants to be left alone for longer than so many seconds is not waited for.
    """

    attempts: int = 6
    first: float = 0.5
    longest: float = 30.0
    patience: float = 120.0

    def delay(self, failures: int, asked: float | None = None) -> float:
        """Return the seconds to wait after so many failures in a row, at least 1.

        Between half of the step and all of it: many clients that a server's fall cut off at once shall not come back at
        once. What the server asked for is the least.
        """
        step = min(self.longest, self.first * 2.0 ** min(failures - 1, 30))
        return max(step * random.uniform(0.5, 1.0), asked or 0.0)


def retry_after(value: str | None, now: datetime | None = None) -> float | None:
    """Read a `Retry-After` header: seconds, or an HTTP date (RFC 9110 10.2.3); None where it says nothing usable."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        when = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(0.0, (when - (now or datetime.now(UTC))).total_seconds())
