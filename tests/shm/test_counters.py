import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sottovoce.shm import CountersInvalid, CountersPage, CountersView

OWNER = """
import sys
from pathlib import Path
from sottovoce.shm import CountersPage
page = CountersPage.create(Path(sys.argv[1]), counters=["frames", "drops"], histograms=["decode_us"])
page.add("frames", 31)
page.set("drops", -4)
for value in (0, 1, 3, 1000):
    page.observe("decode_us", value)
print("ready", flush=True)
sys.stdin.read()
"""
VIEWER = """
import dataclasses, json, sys
from pathlib import Path
from sottovoce.shm import CountersView
with CountersView.attach(Path(sys.argv[1])) as view:
    histograms = {name: dataclasses.asdict(one) for name, one in view.histograms().items()}
    print(json.dumps([view.pid, view.alive, view.counters(), histograms]))
"""


@pytest.fixture
def page_path(directory: Path) -> Path:
    """Where a page may be made."""
    return directory / "stt.counters"


def test_counters_count(page_path: Path) -> None:
    """Counters are added to and set by name or by a bound object, may be negative, and are seen by a view at once."""
    with (
        CountersPage.create(page_path, counters=["a", "b"], histograms=[]) as page,
        CountersView.attach(page_path) as view,
    ):
        assert view.counters() == {"a": 0, "b": 0}
        page.add("a")
        page.add("a", 41)
        bound = page.counter("b")
        bound.set(-5)
        bound.add(2)
        assert view.counters() == {"a": 42, "b": -3}
        assert (page.get("a"), bound.value) == (42, -3)
        assert view.histograms() == {}


def test_histograms_observe(page_path: Path) -> None:
    """A histogram keeps the count, the sum, the largest value and the count of each power of two."""
    with (
        CountersPage.create(page_path, counters=[], histograms=["x", "y"]) as page,
        CountersView.attach(page_path) as view,
    ):
        for value in (-7, 0, 1, 2, 3, 1023, 1024, 1 << 62):
            page.observe("y", value)
        page.histogram("x").observe(5)
        found = view.histograms()
        assert (found["x"].count, found["x"].sum, found["x"].max) == (1, 5, 5)
        assert (found["y"].count, found["y"].max) == (8, 1 << 62)
        assert found["y"].sum == 1 + 2 + 3 + 1023 + 1024 + (1 << 62)
        assert {i: n for i, n in enumerate(found["y"].buckets) if n} == {0: 2, 1: 1, 2: 2, 10: 1, 11: 1, 63: 1}


def test_a_name_that_is_not_there_is_a_key_error(page_path: Path) -> None:
    """A counter that the page was not made with cannot be counted."""
    with CountersPage.create(page_path, counters=["a"], histograms=["h"]) as page:
        for count in (page.add, page.get, page.counter, page.histogram):
            with pytest.raises(KeyError, match="b"):
                count("b")


@pytest.mark.parametrize(("counters", "histograms"), [(["a", "a"], []), ([], ["h", "h"])])
def test_a_name_given_twice_is_refused(page_path: Path, counters: list[str], histograms: list[str]) -> None:
    """Two counters of one name would be one that loses counts."""
    with pytest.raises(ValueError, match="named twice"):
        CountersPage.create(page_path, counters=counters, histograms=histograms)
    assert list(page_path.parent.iterdir()) == []


def test_any_process_can_view_a_page(page_path: Path) -> None:
    """A process that knows only the path gets names, numbers and owner, and still does when the owner was killed."""
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(page_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "ready\n"
        for alive in (True, False):
            if not alive:
                owner.kill()
                owner.wait()
            seen = subprocess.run(
                [sys.executable, "-c", VIEWER, str(page_path)], capture_output=True, text=True, check=True
            )
            pid, is_alive, counters, histograms = json.loads(seen.stdout)
            assert (pid, is_alive) == (owner.pid, alive)
            assert counters == {"frames": 31, "drops": -4}
            assert list(histograms) == ["decode_us"]
            assert [histograms["decode_us"][key] for key in ("count", "sum", "max")] == [4, 1004, 1000]
    finally:
        owner.kill()
        owner.communicate()


def test_a_new_page_replaces_an_old_one(page_path: Path) -> None:
    """A new page takes the place of the old one in one step; views of the old keep it and can tell."""
    with CountersPage.create(page_path, counters=["old"], histograms=[]) as old, CountersView.attach(page_path) as view:
        old.add("old")
        assert not view.stale()
        with CountersPage.create(page_path, counters=["new"], histograms=[]):
            assert view.stale()
            assert view.counters() == {"old": 1}
            with CountersView.attach(page_path) as fresh:
                assert fresh.counters() == {"new": 0}
                assert (fresh.pid, fresh.alive) == (os.getpid(), True)
            old.close(unlink=True)
            assert page_path.exists()
        assert [path.name for path in page_path.parent.iterdir()] == [page_path.name]


def test_a_draft_that_was_left_is_no_hindrance(page_path: Path) -> None:
    """What a process of the same id left half made is thrown away."""
    page_path.with_name(f".{page_path.name}.{os.getpid()}").write_bytes(b"half")
    CountersPage.create(page_path, counters=["a"], histograms=[]).close(unlink=True)
    assert list(page_path.parent.iterdir()) == []


def test_a_missing_page_is_named(page_path: Path) -> None:
    """Where there is no page the error says so."""
    with pytest.raises(CountersInvalid, match=r"stt\.counters: no counters there"):
        CountersView.attach(page_path)


@pytest.mark.parametrize(
    ("at", "content", "message"),
    [
        (0, b"\0", "version"),
        (8, b"\0\0\0\0\0\0\0\0", "another boot"),
        (40, b"\x01", "table of names"),
        (48, b"\xff", "table of names"),
        (56, b"\xff\xff\xff", "damaged"),
        (64, b"xx", "table of names"),
    ],
)
def test_a_damaged_page_is_refused(page_path: Path, at: int, content: bytes, message: str) -> None:
    """A page whose description of itself does not hold is refused, with the reason."""
    CountersPage.create(page_path, counters=["a"], histograms=["h"]).close()
    with page_path.open("r+b") as file:
        file.seek(at)
        file.write(content)
    with pytest.raises(CountersInvalid, match=message):
        CountersView.attach(page_path)


@pytest.mark.parametrize("size", [0, 7, 64, 127])
def test_a_truncated_page_is_refused(page_path: Path, size: int) -> None:
    """A page that is shorter than it says is never mapped."""
    CountersPage.create(page_path, counters=["a"], histograms=["h"]).close()
    os.truncate(page_path, size)
    with pytest.raises(CountersInvalid):
        CountersView.attach(page_path)
