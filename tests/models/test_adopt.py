"""Models that somebody has already."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import msgspec
import pytest

from sottovoce.models import Catalogue, Entry, ImportFailed, Store, VerifyFailed
from sottovoce.models.source import GithubSource, HuggingFaceSource

Entries = dict[str, Entry]
FILES = {"a.bin": b"A" * 1000, "t.bin": b"\x05<unk>\x02ab\x81\x01" + b"x" * 129}


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """Return a directory with the files of `alpha`, under the catalogue's names."""
    folder = tmp_path / "mine"
    folder.mkdir(mode=0o755)
    for name, data in FILES.items():
        (folder / name).write_bytes(data)
        (folder / name).chmod(0o644)
    return folder


def nothing(store: Store) -> bool:
    """Tell whether nothing is installed, not even half."""
    return list((store.root / "models").iterdir()) == []


def test_a_directory(store: Store, mine: Path) -> None:
    """Files are taken by a second name, which costs no room; what is derived is made; the user's are as they were."""
    store.adopt("alpha", mine)
    store.verify("alpha")
    path = store.path("alpha")
    assert sorted(file.name for file in path.glob("[!.]*")) == ["a.bin", "t.bin", "tokens.txt"]
    assert (path / "a.bin").samefile(mine / "a.bin")
    assert (mine / "a.bin").stat().st_mode & 0o777 == 0o644
    came, _ = store.metadata("alpha")
    assert came is not None
    assert came.source == f"import {mine}"


def test_what_others_may_write_is_copied(store: Store, mine: Path) -> None:
    """A file that somebody else could change later is not shared with the cache; nor is any, if the user says so."""
    (mine / "a.bin").chmod(0o666)
    store.adopt("alpha", mine)
    assert not (store.path("alpha") / "a.bin").samefile(mine / "a.bin")
    assert (store.path("alpha") / "a.bin").stat().st_mode & 0o777 == 0o600
    assert (store.path("alpha") / "t.bin").samefile(mine / "t.bin")
    store.adopt("alpha", mine, copy=True)
    assert not (store.path("alpha") / "t.bin").samefile(mine / "t.bin")


def test_links_of_another_cache(store: Store, mine: Path, tmp_path: Path) -> None:
    """A folder of symlinks, as Hugging Face's cache is one, gives the files and not the links."""
    snapshot = tmp_path / "snapshot"
    snapshot.mkdir()
    for name in FILES:
        (snapshot / name).symlink_to(mine / name)
    store.adopt("alpha", snapshot)
    assert not any(file.is_symlink() for file in store.path("alpha").iterdir())
    store.verify("alpha")


@pytest.mark.parametrize("kind", ["directory", "archive"])
def test_as_a_source_lays_them_out(tmp_path: Path, entries: Entries, kind: str) -> None:
    """Where a source has the files in a folder, so may the user's copy of it."""
    sources = (
        HuggingFaceSource(repository="a/alpha", folder="int8"),
        GithubSource(repository="a/b", release="v", asset="alpha.tar.gz", folder="alpha-1"),
    )
    store = Store(tmp_path / "cache", Catalogue({"alpha": msgspec.structs.replace(entries["alpha"], sources=sources)}))
    members = {f"alpha-1/tiny_model/{name}": data for name, data in FILES.items()}
    path = tmp_path / "got"
    if kind == "directory":
        for name, data in members.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(data)
    else:
        path = tmp_path / "got.tar.gz"
        with tarfile.open(path, "w:gz") as archive:
            for name, data in members.items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    store.adopt("alpha", path)
    store.verify("alpha")
    assert [one.name for one in (store.root / "models").iterdir()] == ["alpha"]


def test_a_file(store: Store, tmp_path: Path) -> None:
    """The only file of a model may be named itself; of several, it may not."""
    (tmp_path / "b").write_bytes(b"B" * 10)
    store.adopt("beta", tmp_path / "b")
    assert (store.path("beta") / "b.bin").read_bytes() == b"B" * 10
    with pytest.raises(ImportFailed, match="is one file and no archive, and the model has 2; name the directory"):
        store.adopt("alpha", tmp_path / "b")


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("a.bin", b"Z" * 1000, r"a\.bin has sha256 .* has another model, or another version of it"),
        ("a.bin", b"A" * 999, r"a\.bin has 999 bytes instead of 1000: another model, or another version"),
        ("t.bin", None, r"model alpha: there is no t\.bin in "),
    ],
)
def test_what_is_not_the_model_is_refused(store: Store, mine: Path, name: str, data: bytes | None, says: str) -> None:
    """Another file, another length, a file missing: told by name, and nothing is installed."""
    (mine / name).unlink()
    if data is not None:
        (mine / name).write_bytes(data)
    with pytest.raises((ImportFailed, VerifyFailed), match=says):
        store.adopt("alpha", mine)
    assert nothing(store)


def test_what_is_no_archive_and_what_is_not_there(store: Store, tmp_path: Path) -> None:
    """Damage, and a path to nowhere, are told with the model's name."""
    (tmp_path / "x.zip").write_bytes(b"<html>")
    with pytest.raises(ImportFailed, match=r"model alpha: x\.zip: damaged archive"):
        store.adopt("alpha", tmp_path / "x.zip")
    with pytest.raises(ImportFailed, match=r"model alpha: /nowhere is not there"):
        store.adopt("alpha", Path("/nowhere"))
    assert nothing(store)


def test_a_sound_model_is_replaced_at_once(store: Store, mine: Path) -> None:
    """An import in the place of an installed model replaces it, or leaves it as it is."""
    store.adopt("alpha", mine, copy=True)
    (mine / "a.bin").write_bytes(b"Z" * 1000)
    with pytest.raises(VerifyFailed):
        store.adopt("alpha", mine)
    store.verify("alpha")
