"""What the engines on a server have in common: several attempts, a time limit, and an end that others can put to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

from sottovoce.models.catalogue import Entry
from sottovoce.models.engines.base import EngineSettings
from sottovoce.models.engines.offline import Offline
from sottovoce.models.engines.waiter import Cancelled, Waiter
from sottovoce.models.exceptions import DecodeCancelled, EngineFailed

OPTIONS: Final = {"connect_timeout_s": float, "attempts": int}
"""Of an entry."""
_CONNECT_TIMEOUT_S = 5.0
_ATTEMPTS = 3
_FIRST_PAUSE_S = 0.2
T = TypeVar("T")


class Server(Offline):
    """An engine that asks a server.

    `decode` is for one thread at a time, and raises DecodeCancelled, an EngineFailed, where `cancel` was called
    meanwhile; `cancel` and `close` may come from other threads.

    Args:
        entry: the model; what is wrong with it is to be found out before, since this opens an event loop.
        settings: `timeout_s` is the longest decode, all attempts together.
    """

    def __init__(self, entry: Entry, settings: EngineSettings) -> None:
        super().__init__(entry, settings)
        self._entry, self._settings = entry, settings
        self._connect_timeout_s = float(entry.options.get("connect_timeout_s", _CONNECT_TIMEOUT_S))
        self._attempts = max(1, int(entry.options.get("attempts", _ATTEMPTS)))
        self._waiter = Waiter()

    def cancel(self) -> None:
        """Give up the decode that another thread is waiting for, if there is one: it raises DecodeCancelled."""
        self._waiter.cancel()

    def close(self) -> None:
        """Let go. Closing twice is fine."""
        self._waiter.close()

    @property
    def _closed(self) -> bool:
        return self._waiter.closed

    def _wait(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Return what the coroutine returns.

        Raises:
            TimeoutError: it had not come to its end in time.
            EngineFailed: it was given up.
        """
        try:
            return self._waiter.wait(work, self._settings.timeout_s)
        except Cancelled as error:
            if self._closed:
                raise EngineFailed(f"model {self.name} is closed") from error
            raise DecodeCancelled(f"model {self.name}: the decode was cancelled") from error

    async def _insist(self, attempt: Callable[[], Coroutine[Any, Any, T]], again: Callable[[Exception], bool]) -> T:
        """Return what an attempt returns, the last error if there were as many as are allowed.

        Args:
            attempt: what to do.
            again: whether an error is worth another attempt.
        """
        for number in range(1, self._attempts + 1):
            try:
                return await attempt()
            except Exception as error:
                if number == self._attempts or not again(error):
                    raise
            await asyncio.sleep(_FIRST_PAUSE_S * 2 ** (number - 1))
        raise AssertionError("an attempt returns or raises")
