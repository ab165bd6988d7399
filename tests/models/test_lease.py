"""A model that is in memory only while it is wanted."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sottovoce.models.exceptions import EngineFailed
from sottovoce.models.lease import Lease

PATIENCE_S = 60.0


class Engine:
    """Knows whether it was closed."""

    def __init__(self) -> None:
        self.closed = 0

    def close(self) -> None:
        """Count."""
        self.closed += 1


class Bench:
    """A lease whose loads are let go, or fail, as the test says, and whose clock stands still until it is moved."""

    def __init__(self, idle_s: float) -> None:
        self.now, self.made = 0.0, list[Engine]()
        self.began, self.go, self.error = threading.Event(), threading.Event(), None
        self.go.set()
        self.lease = Lease(self.load, idle_s, lambda: self.now)

    def load(self) -> Engine:
        """Load, once it may."""
        self.began.set()
        assert self.go.wait(PATIENCE_S)
        if self.error is not None:
            raise self.error
        self.made.append(Engine())
        return self.made[-1]

    error: Exception | None


@pytest.fixture
def bench() -> Iterator[Bench]:
    """A lease that ends after ten seconds."""
    made = Bench(10.0)
    yield made
    made.go.set()
    made.lease.close()


def test_loaded_when_wanted(bench: Bench) -> None:
    """To acquire returns at once; to wait returns the engine, or nothing as long as it is not there."""
    bench.go.clear()
    bench.lease.acquire()
    assert bench.lease.wait(0.0) is None
    assert bench.lease.engine is None
    bench.go.set()
    assert bench.lease.wait(PATIENCE_S) is bench.made[0]
    bench.lease.acquire()
    assert bench.lease.wait(0.0) is bench.lease.engine is bench.made[0]
    assert bench.lease.statistics().loads == 1


def test_unloaded_when_idle(bench: Bench) -> None:
    """Once it was not wanted for so long it is closed; wanted again, it is loaded anew."""
    bench.lease.acquire()
    bench.lease.wait(PATIENCE_S)
    bench.now = 100.0
    assert not bench.lease.tick()
    bench.lease.release()
    bench.now = 109.0
    bench.lease.release()  # what it is already does not begin anew
    assert not bench.lease.tick()
    bench.now = 110.0
    assert bench.lease.tick()
    assert (bench.made[0].closed, bench.lease.engine) == (1, None)
    assert not bench.lease.tick()
    bench.lease.acquire()
    assert bench.lease.wait(PATIENCE_S) is bench.made[1]
    statistics = bench.lease.statistics()
    assert (statistics.loads, statistics.unloads, statistics.loaded, statistics.wanted) == (2, 1, True, True)


def test_wanted_again_in_time(bench: Bench) -> None:
    """Who wants it before it is idle for long enough finds it there."""
    bench.lease.acquire()
    first = bench.lease.wait(PATIENCE_S)
    bench.lease.release()
    bench.now = 9.0
    bench.lease.acquire()
    bench.now = 50.0
    assert not bench.lease.tick()
    assert bench.lease.wait(0.0) is first


def test_never_unloaded() -> None:
    """With no limit it stays, until it is told to go."""
    bench = Bench(0.0)
    bench.lease.acquire()
    bench.lease.wait(PATIENCE_S)
    bench.lease.release()
    bench.now = 1e9
    assert not bench.lease.tick()
    assert bench.lease.unload()
    assert bench.made[0].closed == 1
    bench.lease.close()


def test_what_is_wanted_is_not_unloaded(bench: Bench) -> None:
    """Short memory does not take a model from who decodes with it, nor one that is being loaded."""
    bench.go.clear()
    bench.lease.acquire()
    bench.lease.release()
    assert not bench.lease.unload()
    bench.go.set()
    bench.lease.wait(PATIENCE_S)
    bench.lease.acquire()
    assert not bench.lease.unload()
    bench.lease.release()
    assert bench.lease.unload()


def test_a_load_that_fails(bench: Bench) -> None:
    """The error comes out of `wait`, each time; it is tried again by who releases and acquires."""
    bench.error = EngineFailed("model x: no")
    bench.lease.acquire()
    for _ in range(2):
        with pytest.raises(EngineFailed, match="no"):
            bench.lease.wait(PATIENCE_S)
    assert bench.lease.engine is None
    bench.lease.acquire()
    with pytest.raises(EngineFailed):
        bench.lease.wait(0.0)
    bench.error = None
    bench.lease.release()
    bench.lease.acquire()
    assert bench.lease.wait(PATIENCE_S) is bench.made[0]
    statistics = bench.lease.statistics()
    assert (statistics.failures, statistics.loads) == (1, 1)


def test_a_load_that_times_out_by_itself(bench: Bench) -> None:
    """A TimeoutError of the load, a remote one say, is not taken for "not yet there"."""
    bench.error = TimeoutError("the server does not answer")
    bench.lease.acquire()
    with pytest.raises(TimeoutError, match="the server"):
        bench.lease.wait(PATIENCE_S)


def test_closed_while_it_loads(bench: Bench) -> None:
    """To close awaits the load and closes what came of it; afterwards nothing can be had, and to close is fine."""
    bench.go.clear()
    bench.lease.acquire()
    assert bench.began.wait(PATIENCE_S)
    closing = threading.Thread(target=bench.lease.close)
    closing.start()
    bench.go.set()
    closing.join(PATIENCE_S)
    assert [engine.closed for engine in bench.made] == [1]
    bench.lease.close()
    with pytest.raises(RuntimeError, match="closed"):
        bench.lease.acquire()


def test_nobody_has_acquired_it(bench: Bench) -> None:
    """To wait for what nobody wants is a mistake, and is told as one."""
    with pytest.raises(RuntimeError, match="nobody"):
        bench.lease.wait(0.0)


REAL = """
import sys
from pathlib import Path
import numpy as np
from sottovoce.models import Catalogue, load_engine
from sottovoce.models.footprint import footprint
from sottovoce.models.lease import Lease
entry = Catalogue.load()["moonshine-tiny-en"]
lease = Lease(lambda: load_engine(entry, Path(sys.argv[1])), 60.0)
noise = np.random.default_rng(1).normal(0.0, 0.05, 160_000).astype(np.float32)
for _ in range(2):
    lease.acquire()
    lease.wait(60.0).decode(noise)
    loaded = footprint().pss
    lease.release()
    assert lease.unload()
    print(loaded, footprint().pss)
"""


def test_memory_comes_back(real: Callable[[str], Path]) -> None:
    """What a real model took is the machine's again once it is unloaded, and each round ends as low as the first."""
    child = subprocess.run(
        [sys.executable, "-c", REAL, str(real("moonshine-tiny-en"))], capture_output=True, check=True, text=True
    )
    rounds = [tuple(map(int, line.split())) for line in child.stdout.splitlines()]
    assert len(rounds) == 2
    for loaded, unloaded in rounds:
        assert loaded - unloaded > 60e6  # half of it and more is the model's
        assert unloaded < rounds[0][1] + 60e6  # what is shared counts by its share, which other processes change
