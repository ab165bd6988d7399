"""Every decoder against all that was ever found to be hard for one, and against damage that hypothesis thinks of."""

from __future__ import annotations

import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from fuzz.targets import TARGETS, seeds
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

CORPUS = Path(__file__).parent / "corpus"
LIMIT_S = 5
LIMIT_KB = 400 << 10  # growth of the whole process; the largest legitimate one is FFmpeg's, once


@pytest.fixture(autouse=True)
def limits() -> Iterator[None]:
    """Turn a hang into a failure, and see that no input makes the process grow much."""

    def late(*_: object) -> None:
        raise TimeoutError(f"longer than {LIMIT_S} s")

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    old = signal.signal(signal.SIGALRM, late)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, old)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < LIMIT_KB


def run(name: str, data: bytes) -> None:
    """Give a target an input, for at most LIMIT_S."""
    signal.alarm(LIMIT_S)
    TARGETS[name](data)
    signal.alarm(0)


@pytest.mark.parametrize("name", TARGETS)
def test_the_corpus_is_endured(name: str) -> None:
    """Each input of the corpus is read, or refused by the decoder's own error: no other exception, hang or growth."""
    files = sorted((CORPUS / name).iterdir())
    assert files
    for file in files:
        assert file.stat().st_size < 10_000
        try:
            run(name, file.read_bytes())
        except BaseException as error:
            error.add_note(f"input: tests/fuzz/corpus/{name}/{file.name}")
            raise


@pytest.mark.parametrize("name", TARGETS)
def test_damage(name: str) -> None:
    """A correct input with stretches overwritten, cut out or put in twice is read or refused."""
    correct = seeds()[name]

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(
        base=st.sampled_from(correct),
        cuts=st.lists(st.tuples(st.integers(0, 6_000), st.integers(0, 40), st.binary(max_size=12)), max_size=3),
    )
    def endure(base: bytes, cuts: list[tuple[int, int, bytes]]) -> None:
        for start, length, by in cuts:
            start %= len(base) + 1  # noqa: PLW2901 - within what the cut before has left
            base = base[:start] + by + base[start + length :]
        run(name, base)

    endure()
