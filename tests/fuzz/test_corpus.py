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
OPEN: dict[str, str] = {  # input: the defect that it shows
    "takeover/generation-at-its-end": "shm/writer.py: 2**64 - 1 writers, and one more",
    "takeover/gap-at-its-end": "shm/writer.py: a gap that ends at sample 2**64 - 1, and one frame more",
    "journal/index-damaged": "protocol/database.py: sqlite3.OperationalError of a schema that quick_check passes",
    "journal/column-renamed": "protocol/database.py: the same, TypeError",
    "journal/name-not-utf8": "protocol/database.py: set_aside_damaged reads what quick_check quotes as UTF-8",
}


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
        if f"{name}/{file.name}" not in OPEN:
            assert file.stat().st_size < 10_000
            try:
                run(name, file.read_bytes())
            except BaseException as error:
                error.add_note(f"input: tests/fuzz/corpus/{name}/{file.name}")
                raise


@pytest.mark.parametrize("place", OPEN)
def test_open_defects(place: str) -> None:
    """What is known and not mended yet: this fails as soon as it is, and the entry of OPEN is to be deleted."""
    name = place.partition("/")[0]
    with pytest.raises(Exception):  # noqa: B017, PT011 - whatever it is, it is not the decoder's own error
        run(name, (CORPUS / place).read_bytes())


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

    if not any(place.startswith(f"{name}/") for place in OPEN):
        endure()
