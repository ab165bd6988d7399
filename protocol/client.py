"""For people who attach: `for event in subscribe("transcript.", "state."): ...`."""

from __future__ import annotations

import time
from collections.abc import Iterator

from sottovoce.protocol.bus import Subscriber
from sottovoce.protocol.messages import Event
from sottovoce.protocol.paths import Paths


def subscribe(*prefixes: str, paths: Paths | None = None, timeout: float | None = None) -> Iterator[Event]:
    """Yield the events whose topic begins with one of `prefixes`, for as long as the caller iterates.

    The service need not run yet, may restart meanwhile, and does not notice a caller that is slow.

    Args:
        prefixes: topic prefixes such as `"transcript."`; none means everything.
        paths: the service's paths, by default those of the environment.
        timeout: seconds of silence after which the iteration ends; None waits for ever.

    Raises:
        PathError: the runtime directory's path cannot be used.
    """
    subscriber = Subscriber(paths or Paths.from_environment(), prefixes)
    try:
        heard = time.monotonic()
        while timeout is None or time.monotonic() - heard < timeout:
            # Wake once a second in any case, to find publishers that have appeared.
            subscriber.wait(1.0 if timeout is None else min(1.0, timeout))
            subscriber.rescan()
            for event in subscriber.drain():
                heard = time.monotonic()
                yield event
    finally:
        subscriber.close()
