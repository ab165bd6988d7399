"""When to ask again."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sottovoce.models.retry import Retry, retry_after

NOW = datetime(2026, 10, 21, 7, 28, tzinfo=UTC)


def test_the_pause_grows_and_is_bounded() -> None:
    """Each step is twice the one before, up to the longest; a wait is between half of its step and all of it."""
    retry = Retry(first=1.0, longest=10.0)
    for failures, step in ((1, 1.0), (2, 2.0), (3, 4.0), (4, 8.0), (5, 10.0), (1000, 10.0)):
        delays = [retry.delay(failures) for _ in range(200)]
        assert step / 2 <= min(delays) < max(delays) <= step


def test_what_the_server_asks_for_is_the_least() -> None:
    """A server that wants more time gets it; one that wants less gets what its failures earned."""
    assert Retry(first=1.0).delay(1, 5.0) == 5.0
    assert Retry(first=8.0).delay(1, 1.0) >= 4.0


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0), (" 0 ", 0.0), ("Wed, 21 Oct 2026 07:28:30 GMT", 30.0), ("Wed, 21 Oct 2026 07:00:00 GMT", 0.0),
        ("Wed, 21 Oct 2026 07:29:00 -0000", 60.0), ("soon", None), ("-5", None), ("²", None), ("", None), (None, None),
    ],
)  # fmt: skip
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    """Both forms of RFC 9110 are read, and what is neither says nothing."""
    assert retry_after(header, NOW) == seconds
