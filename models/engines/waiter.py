"""Waiting for a server: with a deadline, and so that another thread can put an end to it.

Sockets that block can be given a time-out for each read, which a server that sends a byte now and then never reaches,
and cannot be woken from another thread without closing them under its hands. An event loop that runs only while
somebody waits can do both, and keeps a connection open from one decode to the next.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Cancelled(Exception):
    """`cancel` or `close` was called while something was waited for."""


class Waiter:
    """An event loop for one caller at a time. `cancel` and `close` may come from other threads."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._running = threading.Lock()
        self._lock = threading.Lock()
        self._task: asyncio.Task[Any] | None = None
        self.closed = False

    def wait(self, work: Callable[[], Coroutine[Any, Any, T]], seconds: float) -> T:
        """Return what the coroutine returns.

        Raises:
            TimeoutError: it had not come to its end after so many seconds.
            Cancelled: it was given up.
        """
        with self._running:
            with self._lock:
                if self.closed:
                    raise Cancelled
                task = self._task = self._loop.create_task(_within(work, seconds))
            try:
                result: T = self._loop.run_until_complete(task)
                return result
            except asyncio.CancelledError:
                raise Cancelled from None
            finally:
                with self._lock:
                    self._task = None

    def cancel(self) -> None:
        """Give up what is being waited for, if anything is."""
        with self._lock:
            if self._task is not None:
                self._loop.call_soon_threadsafe(self._task.cancel)

    def close(self, last: Callable[[], Coroutine[Any, Any, None]] | None = None) -> None:
        """Give up what is being waited for; run `last`, for a second at most; let go. May be called again."""
        with self._lock:
            if self.closed:
                return
            self.closed = True
            if self._task is not None:
                self._loop.call_soon_threadsafe(self._task.cancel)
        with self._running:
            try:
                if last is not None:
                    self._loop.run_until_complete(_within(last, 1.0))
                self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            finally:
                self._loop.close()


async def _within(work: Callable[[], Coroutine[Any, Any, T]], seconds: float) -> T:
    async with asyncio.timeout(seconds):
        return await work()
