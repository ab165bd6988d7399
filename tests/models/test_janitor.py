"""Removing models: the right ones, whole, and never one that is in use."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from sottovoce.models import Catalogue, Entry, ModelInUse, ModelMissing, Store, UnknownModel, metadata
from sottovoce.models.catalogue import ModelFile
from sottovoce.models.locks import alone
from sottovoce.models.partial import Note, Partial
from sottovoce.models.source import UrlSource

HOLD = (
    "import sys; from sottovoce.models import Store; h = Store(__import__('pathlib').Path(sys.argv[1])).hold('old')\n"
)


def entry(name: str) -> Entry:
    """Describe a model of one file."""
    source = UrlSource(url="http://127.0.0.1:1/x")
    return Entry(name=name, task="sample", licence="MIT", sources=(source,), files=(ModelFile(name="f"),))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Three models of a megabyte, used on three days, and one that no catalogue has."""
    store = Store(tmp_path / "cache", Catalogue({name: entry(name) for name in ("old", "middle", "new")}))
    (tmp_path / "f").write_bytes(bytes(1_000_000))
    for day, name in enumerate(("old", "middle", "new"), 1):
        store.adopt(name, tmp_path / "f", copy=True)
        usage = metadata.Usage(datetime(2026, 1, day, tzinfo=UTC))
        (store.path(name) / metadata.USAGE).write_bytes(msgspec.json.encode(usage))
    stranger = store.root / "models" / "stranger"
    stranger.mkdir()
    (stranger / "f").write_bytes(bytes(500_000))
    os.utime(stranger, (1_000_000_000, 1_000_000_000))
    return store


def here(store: Store) -> set[str]:
    """Return the names below `models`, hidden ones included."""
    return {path.name for path in (store.root / "models").iterdir()}


@pytest.mark.parametrize(
    ("limit", "keep", "gone"),
    [
        (None, (), []),
        (4_000_000, (), []),
        (3_200_000, (), ["stranger"]),
        (3_000_000, (), ["stranger", "old"]),
        (1_500_000, (), ["stranger", "old", "middle"]),
        (0, (), ["stranger", "old", "middle", "new"]),
        (2_600_000, ("stranger", "old"), ["middle"]),
        (0, ("stranger", "old", "middle", "new"), []),
    ],
)
def test_the_longest_unused_goes_first(store: Store, limit: int | None, keep: tuple[str, ...], gone: list[str]) -> None:
    """Models go in the order of their last use, until the rest fits; those to be kept stay, whatever they take."""
    before = here(store)
    assert [removed.name for removed in store.collect(limit, keep, dry=True)] == gone
    assert here(store) == before
    removed = store.collect(limit, keep)
    assert [one.name for one in removed] == gone
    assert all(one.size >= 500_000 for one in removed)
    assert here(store) == before - set(gone)


def test_what_is_loaded_stays(store: Store) -> None:
    """A model that a process has loaded is neither collected nor removed, until that process ends, however it ends."""
    command = [sys.executable, "-c", f"{HOLD}print('held', flush=True); sys.stdin.read()", str(store.root)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(ModelInUse, match=r"model old is loaded by a running service; .* sottovoce down"):
            store.remove("old")
        assert "old" not in [removed.name for removed in store.collect(0, dry=True)]
        store.collect(0)
        assert here(store) == {"old"}
        process.kill()
    store.remove("old")
    assert here(store) == set()


def test_a_hold_that_is_given_back(store: Store) -> None:
    """Two may hold a model; when both have given it back it can go."""
    first, second = store.hold("new"), store.hold("new")
    first.close()
    with pytest.raises(ModelInUse):
        store.remove("new")
    second.close()
    assert store.remove("new").size >= 1_000_000
    assert not store.installed("new")
    Store(store.root / "nowhere", store.catalogue).hold("new").close()  # where nothing is, nothing is to be held


def test_what_is_not_here_cannot_be_removed(store: Store) -> None:
    """A model that is not here is told with how to get it, and one that nobody knows as such."""
    store.remove("new")
    with pytest.raises(ModelMissing, match="model new is not installed"):
        store.remove("new")
    with pytest.raises(UnknownModel, match=r"no model is named '../f'"):
        store.remove("../f")
    store.remove("stranger")
    assert here(store) == {"old", "middle"}


def test_what_killed_pulls_left_is_swept(store: Store) -> None:
    """Unfinished downloads and hidden directories go, but for those that a living process works on."""
    for name in (".old.partial", ".new.partial", ".gone.0123abcd.gone"):
        (store.root / "models" / name).mkdir()
        (store.root / "models" / name / "x").write_bytes(bytes(100))
    for name in ("a.json.part", "b.part"):
        partial = Partial.take(store.root / "partial" / name)
        assert partial is not None
        with partial:
            partial.restart(Note("http://h/x"))
            partial.write(bytes(1000))
    (store.root / "partial" / "c.note").touch()
    busy = Partial.take(store.root / "partial" / "a.json.part")
    assert busy is not None
    with busy, alone(store.root, "new", lambda: None):
        (swept,) = store.collect(None)
    assert (swept.name, swept.size) == ("", 1200)
    assert {name for name in here(store) if name.startswith(".")} == {".new.partial"}
    assert {path.name for path in (store.root / "partial").iterdir()} == {"a.json.part", "a.json.note"}
    (swept,) = store.collect(None)
    assert swept.size == 1100
    assert list((store.root / "partial").iterdir()) == []


def test_a_cache_that_is_not_there_has_nothing_to_collect(tmp_path: Path) -> None:
    """Collecting makes no directory."""
    assert Store(tmp_path / "none", Catalogue({})).collect(0) == ()
    assert not (tmp_path / "none").exists()
