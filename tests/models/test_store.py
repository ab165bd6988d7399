"""The store: whole models or none, whatever happens to a pull."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from sottovoce.models import (
    Catalogue,
    DownloadFailed,
    Entry,
    ModelMissing,
    PullEvent,
    Store,
    UnknownModel,
    VerifyFailed,
    cache_root,
)

Entries = dict[str, Entry]
# Another process that pulls: writes each stage as a line, and waits for one line at the stage it is told to stop at.
PULL = """
import sys, msgspec
from pathlib import Path
from sottovoce.models import Catalogue, Entry, Store
root, described, stop = sys.argv[1:4]
entries = msgspec.json.decode(Path(described).read_bytes(), type=dict[str, Entry])
def report(event):
    print(event.stage, flush=True)
    if event.stage == stop:
        sys.stdin.readline()
Store(Path(root), Catalogue(entries)).pull(["alpha"], report)
"""


def stages(store: Store, *names: str) -> list[tuple[str, tuple[str, ...]]]:
    """Pull, and return what was reported, without the bytes."""
    events: list[PullEvent] = []
    store.pull(names, events.append)
    return list(dict.fromkeys((event.stage, event.models) for event in events))


def left_overs(store: Store) -> list[str]:
    """Return what a pull has left in the cache beside whole models."""
    return sorted(path.name for path in (store.root / "models").glob(".*"))


def spawn(store: Store, entries: Entries, stop: str = "") -> subprocess.Popen[str]:
    """Start another process that pulls `alpha`."""
    described = store.root.parent / "entries.json"
    described.write_bytes(msgspec.json.encode(entries))
    command = [sys.executable, "-c", PULL, str(store.root), str(described), stop]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_pull_installs_every_file(wheelhouse: Path, store: Store) -> None:
    """A pulled model has its files and the derived one, is sound, and belongs to the user alone."""
    assert not store.installed("alpha")
    assert stages(store, "alpha") == [(s, ("alpha",)) for s in ("downloading", "checking", "ready")]
    path = store.path("alpha")
    assert path == store.root / "models" / "alpha"
    assert sorted(file.name for file in path.iterdir()) == [".installed.json", "a.bin", "t.bin", "tokens.txt"]
    assert (path / "tokens.txt").read_text().splitlines()[:2] == ["PHVuaz4= 0", "YWI= 1"]
    store.verify("alpha")
    ours = (*store.root.iterdir(), path, *path.iterdir(), store.root)
    assert {file.stat().st_mode & 0o077 for file in ours} == {0}
    assert left_overs(store) == []


def test_one_download_serves_the_models_of_one_source(wheelhouse: Path, store: Store) -> None:
    """Two models out of one wheel are one download."""
    assert stages(store, "beta", "alpha", "beta") == [
        ("downloading", ("alpha", "beta")),
        ("checking", ("alpha", "beta")),
        ("ready", ("alpha",)),
        ("ready", ("beta",)),
    ]
    assert [(model.name, model.installed) for model in store.list()] == [("alpha", True), ("beta", True)]


def test_what_is_cached_needs_no_network(wheelhouse: Path, store: Store) -> None:
    """A second pull works with every source gone."""
    store.pull(["alpha"])
    for path in wheelhouse.iterdir():
        path.unlink()
    assert stages(store, "alpha") == [("cached", ("alpha",))]


def test_a_damaged_model_is_pulled_anew(wheelhouse: Path, store: Store) -> None:
    """A file whose bytes changed under its right size is found by verify, named, and mended by pull."""
    store.pull(["alpha"])
    (store.path("alpha") / "a.bin").write_bytes(b"Z" * 1000)
    assert store.installed("alpha")  # which only looks at sizes
    with pytest.raises(VerifyFailed, match=r"model alpha: a\.bin has sha256 .*models pull alpha"):
        store.verify("alpha")
    store.pull(["alpha"])
    store.verify("alpha")
    assert left_overs(store) == []


@pytest.mark.parametrize("damage", ["remove", "truncate"])
def test_an_incomplete_model_is_not_installed(wheelhouse: Path, store: Store, damage: str) -> None:
    """A model with a file gone or cut is missing, and the error names the file and the command."""
    store.pull(["alpha"])
    file = store.path("alpha") / "t.bin"
    if damage == "remove":
        file.unlink()
    else:
        os.truncate(file, 5)
    assert not store.installed("alpha")
    with pytest.raises(ModelMissing, match=r"alpha is incomplete \(t\.bin .*models pull alpha"):
        store.path("alpha")
    with pytest.raises(VerifyFailed, match=r"t\.bin"):
        store.verify("alpha")


def test_a_missing_model_names_the_command(store: Store) -> None:
    """Asking for what is not there says what to run, and makes no directory."""
    for ask in (store.path, store.verify):
        with pytest.raises(ModelMissing, match="run: sottovoce models pull alpha"):
            ask("alpha")
    assert not store.root.exists()


def test_an_unknown_name_stops_the_pull_before_it_starts(wheelhouse: Path, store: Store) -> None:
    """One wrong name among right ones downloads nothing."""
    with pytest.raises(UnknownModel):
        store.pull(["alpha", "gamma"])
    assert not store.installed("alpha")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"sha256": "0" * 64}, "has sha256"),
        ({"size": 999}, "has more than its 999 bytes"),
        ({"size": 1001}, "has 1000 of its 1001 bytes"),
    ],
)
def test_a_wrong_file_installs_nothing(
    wheelhouse: Path, tmp_path: Path, entries: Entries, change: dict[str, object], says: str
) -> None:
    """A download that is not what the catalogue says is refused by name, and nothing of it stays."""
    files = (msgspec.structs.replace(entries["alpha"].files[0], **change), *entries["alpha"].files[1:])
    catalogue = Catalogue({"alpha": msgspec.structs.replace(entries["alpha"], files=files), "beta": entries["beta"]})
    store = Store(tmp_path / "cache", catalogue)
    with pytest.raises(VerifyFailed, match=rf"model alpha: a\.bin {says}"):
        store.pull(["alpha", "beta"])
    assert not store.installed("alpha")
    assert left_overs(store) == []


def test_a_wrong_derived_file_installs_nothing(wheelhouse: Path, tmp_path: Path, entries: Entries) -> None:
    """A derived file that differs from the catalogue is refused too."""
    derived = (msgspec.structs.replace(entries["alpha"].derived[0], sha256="0" * 64),)
    store = Store(tmp_path / "cache", Catalogue({"alpha": msgspec.structs.replace(entries["alpha"], derived=derived)}))
    with pytest.raises(VerifyFailed, match=r"tokens\.txt has sha256"):
        store.pull(["alpha"])
    assert not store.installed("alpha")


def test_a_failed_download_leaves_the_old_model(wheelhouse: Path, store: Store) -> None:
    """Where the source is gone, what is installed, even damaged, is not thrown away."""
    store.pull(["alpha"])
    (store.path("alpha") / "a.bin").write_bytes(b"Z" * 1000)
    next(wheelhouse.iterdir()).unlink()
    with pytest.raises(DownloadFailed, match="pip said"):
        store.pull(["alpha"])
    assert store.installed("alpha")
    assert left_overs(store) == []


def test_an_interrupted_pull_leaves_nothing(wheelhouse: Path, store: Store) -> None:
    """Ctrl-C between download and installation leaves no half model."""

    def interrupt(event: PullEvent) -> None:
        if event.stage == "checking":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.pull(["alpha"], interrupt)
    assert not store.installed("alpha")
    assert left_overs(store) == []


def test_a_killed_pull_is_swept_by_the_next(wheelhouse: Path, store: Store, entries: Entries) -> None:
    """SIGKILL in the midst leaves nothing that looks installed; the next pull clears the rest away."""
    with spawn(store, entries, stop="checking") as process:
        assert process.stdout is not None
        while process.stdout.readline().strip() != "checking":
            assert process.poll() is None
        process.kill()
    assert not store.installed("alpha")
    assert left_overs(store) == [".alpha.partial"]
    store.pull(["alpha"])
    store.verify("alpha")
    assert left_overs(store) == []


def test_two_processes_pull_once(wheelhouse: Path, store: Store, entries: Entries) -> None:
    """Of two processes that pull the same model one works; the other waits and finds it done."""
    with spawn(store, entries, stop="downloading") as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "downloading\n"  # it has the lock and stands
        with spawn(store, entries) as second:
            assert second.stdout is not None
            assert second.stdout.readline() == "waiting\n"
            first.communicate("\n", timeout=60)
            assert second.communicate(timeout=60)[0].split() == ["cached"]
    assert (first.returncode, second.returncode) == (0, 0)
    store.verify("alpha")


def test_a_pull_waits_for_the_lock(wheelhouse: Path, store: Store) -> None:
    """While somebody holds a model's lock a pull reports that it waits, and goes on when it is free."""
    (store.root / "locks").mkdir(parents=True)
    events: list[PullEvent] = []
    with (store.root / "locks" / "alpha.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        thread = threading.Thread(target=store.pull, args=(["alpha"], events.append))
        thread.start()
        deadline = time.monotonic() + 60
        while not events and time.monotonic() < deadline:
            time.sleep(0.005)
        assert [event.stage for event in events] == ["waiting"]
    thread.join(60)
    assert store.installed("alpha")


def test_a_cache_that_cannot_be_written_is_named(wheelhouse: Path, tmp_path: Path, entries: Entries) -> None:
    """A cache directory that cannot be made is one clear error with its path."""
    (tmp_path / "file").write_text("")
    store = Store(tmp_path / "file" / "cache", Catalogue(entries))
    with pytest.raises(DownloadFailed, match=r"file/cache: Not a directory"):
        store.pull(["alpha"])


def test_the_cache_follows_xdg(tmp_path: Path) -> None:
    """$XDG_CACHE_HOME moves the cache; without it, it is ~/.cache/sottovoce."""
    assert cache_root({"HOME": str(tmp_path), "XDG_CACHE_HOME": "/big"}) == Path("/big/sottovoce")
    assert cache_root({"HOME": str(tmp_path)}) == tmp_path / ".cache" / "sottovoce"


def test_a_cache_without_metadata_is_as_good(wheelhouse: Path, store: Store) -> None:
    """A model that an older version installed is installed and sound, and its use is written down."""
    store.pull(["alpha"])
    (store.path("alpha") / ".installed.json").unlink()
    store.verify("alpha")
    assert stages(store, "alpha") == [("cached", ("alpha",))]
    assert store.metadata("alpha") == (None, None)
    assert store.used("alpha", 0.5)
    assert store.metadata("alpha")[1] is not None


def test_what_the_catalogue_does_not_know_is_known_from_the_pull(
    wheelhouse: Path, tmp_path: Path, entries: Entries
) -> None:
    """Without sizes and checksums in the catalogue, those that the files had when they came are held against them."""
    files = tuple(msgspec.structs.replace(file, size=None, sha256=None) for file in entries["beta"].files)
    store = Store(tmp_path / "cache", Catalogue({"beta": msgspec.structs.replace(entries["beta"], files=files)}))
    store.pull(["beta"])
    store.verify("beta")
    (store.path("beta") / "b.bin").write_bytes(b"Z" * 10)
    assert store.installed("beta")
    with pytest.raises(VerifyFailed, match=r"model beta: b\.bin has sha256"):
        store.verify("beta")
    (store.path("beta") / "b.bin").write_bytes(b"Z")
    assert not store.installed("beta")
    store.pull(["beta"])
    store.verify("beta")


def test_a_model_without_files_is_always_there(tmp_path: Path) -> None:
    """A server's model has nothing to be pulled, and a pull of it asks nobody."""
    entry = Entry(name="far", task="asr", licence="MIT", engine="remote", url="http://127.0.0.1:1/v1")
    store = Store(tmp_path / "cache", Catalogue({"far": entry}))
    assert stages(store, "far") == [("cached", ("far",))]
    assert store.installed("far")
    store.verify("far")


@pytest.mark.parametrize("name", ["silero-v6", "moonshine-tiny-en", "beckett"])
def test_the_real_models_are_what_the_catalogue_says(real: Callable[[str], Path], name: str) -> None:
    """Every file of the embedded models has its sha256."""
    real(name)
    Store().verify(name)
