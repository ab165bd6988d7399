"""A model that is in memory only while it is wanted.

Its owner says when it is wanted (`acquire`, at the start of a recording) and when no more (`release`), and calls
`tick` in each turn of its loop. Loading happens in a thread, in parallel with the first words, which wait in the audio
ring; sherpa-onnx and ONNX Runtime let go of the GIL while they load. Once it has not been wanted for so long it is
closed, and its memory given back to the machine (`footprint.trim`).

What counts is the state, wanted or not, never the order in which calls came: to acquire twice is to acquire once, and
a model that is released while it loads is loaded to the end and then ages like any other.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as Late
from typing import Generic, Protocol, TypeVar

import msgspec

from sottovoce.models.footprint import trim


class Closeable(Protocol):
    """An engine, as far as it matters here."""

    def close(self) -> None:
        """Free the model."""


T = TypeVar("T", bound=Closeable)


class LeaseStatistics(msgspec.Struct, frozen=True):
    """What a lease has done so far."""

    loaded: bool
    wanted: bool
    loads: int
    """That succeeded."""
    failures: int
    unloads: int
    load_s: float
    """Seconds that the last load took."""
    waited_s: float
    """Seconds for which `wait` has kept its callers, in all."""


class Lease(Generic[T]):
    """A model, loaded on demand. For one thread, the owner's; the load runs in another.

    Args:
        load: makes the engine, and warms it up.
        idle_s: seconds that it stays in memory when it is not wanted; 0 for ever.
        clock: seconds, monotonic.
    """

    def __init__(self, load: Callable[[], T], idle_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._load, self._idle_s, self._clock = load, idle_s, clock
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="load")
        self._future: Future[tuple[T, float]] | None = None
        self._counted = False
        self._wanted, self._released_at = False, clock()
        self._loads = self._failures = self._unloads = 0
        self._load_s = self._waited_s = 0.0
        self._closed = False

    def acquire(self) -> None:
        """Want it from now on: begin to load it, if it is not there. Returns at once.

        A load that failed before is tried again, if the model was released in between.

        Raises:
            RuntimeError: the lease is closed.
        """
        if self._closed:
            raise RuntimeError("the lease is closed")
        self._settle()
        if not self._wanted and self._failed:
            self._future = None
        self._wanted = True
        if self._future is None:
            self._future, self._counted = self._executor.submit(self._timed), False

    def wait(self, timeout_s: float) -> T | None:
        """Return the engine as soon as it is there; None if it is not in so many seconds.

        Args:
            timeout_s: 0 to look and not wait.

        Raises:
            RuntimeError: nobody has acquired it.
            Exception: what `load` raised, each time until the model is released and acquired again.
        """
        if self._future is None:
            raise RuntimeError("nobody has acquired the model")
        began = self._clock()
        try:
            return self._future.result(timeout_s)[0]
        except Late:
            if self._future.done():
                raise  # it is the load that raised it
            return None
        finally:
            self._waited_s += self._clock() - began
            self._settle()

    @property
    def engine(self) -> T | None:
        """The engine if it is loaded, wanted or not."""
        self._settle()
        future = self._future
        return future.result()[0] if future is not None and future.done() and not self._failed else None

    def release(self) -> None:
        """Want it no more; from now on it ages."""
        if self._wanted:
            self._wanted, self._released_at = False, self._clock()

    def tick(self) -> bool:
        """Unload it if it was not wanted for long enough; return whether it was unloaded now."""
        self._settle()
        if self._wanted or not self._idle_s or self._clock() - self._released_at < self._idle_s:
            return False
        return self.unload()

    def unload(self) -> bool:
        """Unload it at once, unless it is wanted or is just being loaded; return whether it was unloaded now.

        Where memory is short an owner calls this in each turn, so a load that was under way is caught in the next.
        """
        if self._wanted or (engine := self.engine) is None:
            return False
        self._future = None
        engine.close()
        del engine
        trim()
        self._unloads += 1
        return True

    def close(self) -> None:
        """Unload it, wanted or not; a load under way is awaited, since a thread cannot be ended. Twice is fine."""
        self._closed, self._wanted = True, False
        self._executor.shutdown(wait=True, cancel_futures=True)
        if self._future is not None and self._future.cancelled():
            self._future = None
        self.unload()

    def statistics(self) -> LeaseStatistics:
        """Return what it has done so far."""
        return LeaseStatistics(
            loaded=self.engine is not None, wanted=self._wanted, loads=self._loads, failures=self._failures,
            unloads=self._unloads, load_s=self._load_s, waited_s=self._waited_s,
        )  # fmt: skip

    @property
    def _failed(self) -> bool:
        return self._future is not None and self._future.done() and self._future.exception() is not None

    def _timed(self) -> tuple[T, float]:
        began = self._clock()
        engine = self._load()
        return engine, self._clock() - began

    def _settle(self) -> None:
        """Count a load that has ended, once."""
        if self._future is None or self._counted or not self._future.done():
            return
        self._counted = True
        if self._failed:
            self._failures += 1
        else:
            self._loads += 1
            self._load_s = self._future.result()[1]
