"""Members out of archives: what was asked for, nothing else, and never more than there should be."""

from __future__ import annotations

import io
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from sottovoce.models.archive import Member, extract, is_archive
from sottovoce.models.exceptions import SourceFailed

Build = Callable[..., Path]
FORMATS = ["tar", "tar.gz", "tar.bz2", "tar.xz", "zip"]


def pack(path: Path, members: dict[str, bytes], *special: tarfile.TarInfo) -> Path:
    """Write an archive of the kind that the name says."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in members.items():
                archive.writestr(name, data)
        return path
    with tarfile.open(path, "w:" + path.suffix[1:].replace("tar", "")) as archive:
        for info in special:
            archive.addfile(info)
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    """Return a member that is no file."""
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = target
    return info


def test_archives_are_known_by_their_names() -> None:
    """What ends in one of the known ways is an archive; a model's file is not."""
    assert all(is_archive(f"x.{kind}") for kind in [*FORMATS, "whl", "TAR.GZ", "tbz2"])
    assert not any(is_archive(name) for name in ("model.onnx", "model.int8.onnx", "tokens.txt", "x.gz", "tar"))


@pytest.mark.parametrize("kind", FORMATS)
def test_what_was_named_is_written(tmp_path: Path, kind: str) -> None:
    """Members go where the caller says, readable to the user alone, and nothing else is written."""
    archive = pack(tmp_path / f"m.{kind}", {"m/a": b"abc" * 1000, "m/b": b"d", "m/c/a": b"other"})
    (tmp_path / "out").mkdir()
    extract(archive, [Member("m/a", tmp_path / "out" / "x", 3000), Member("m/c/a", tmp_path / "out" / "y")])
    written = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert written == {"x": b"abc" * 1000, "y": b"other"}
    assert (tmp_path / "out" / "x").stat().st_mode & 0o777 == 0o600


def test_names_with_a_dot_before_them_are_the_same(tmp_path: Path) -> None:
    """`tar c ./m` and `tar c m` hold the same members."""
    extract(pack(tmp_path / "m.tar", {"./m/a": b"abc"}), [Member("m/a", tmp_path / "a", 3)])
    assert (tmp_path / "a").read_bytes() == b"abc"


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("name", ["../up", "m/../../up", "/etc/x"])
def test_a_name_that_climbs_out_condemns_the_archive(tmp_path: Path, kind: str, name: str) -> None:
    """Path traversal is told by the archive's and the member's name, even where that member is not wanted."""
    archive = pack(tmp_path / f"m.{kind}", {name: b"evil", "m/a": b"abc"})
    with pytest.raises(SourceFailed, match=rf"m\.{kind}: it holds a file named '{name}', which points out of it"):
        extract(archive, [Member("m/a", tmp_path / "a", 3)])
    assert not (tmp_path / "a").exists()
    assert not (tmp_path.parent / "up").exists()


@pytest.mark.parametrize("target", ["/etc/passwd", "../../x", "../m/../../x"])
@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE], ids=["symlink", "hardlink"])
def test_a_link_that_climbs_out_condemns_the_archive(tmp_path: Path, kind: bytes, target: str) -> None:
    """A link out of the archive is told by its target, whether or not it is wanted."""
    archive = pack(tmp_path / "m.tar.gz", {"m/a": b"abc"}, special("m/l", kind, target))
    with pytest.raises(SourceFailed, match=r"it holds a link to .*points out of it; the archive is refused"):
        extract(archive, [Member("m/a", tmp_path / "a", 3)])
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE], ids=["symlink", "hard", "dir"])
def test_a_link_is_no_file(tmp_path: Path, kind: bytes) -> None:
    """A harmless link in the place of a wanted file is refused, by name; beside it, it does no harm."""
    archive = pack(tmp_path / "m.tar", {"m/a": b"abc"}, special("m/l", kind, "a" if kind == tarfile.SYMTYPE else "m/a"))
    with pytest.raises(SourceFailed, match="'m/l' is a link or a folder in it, not a file"):
        extract(archive, [Member("m/l", tmp_path / "l", 3)])
    extract(archive, [Member("m/a", tmp_path / "a", 3)])
    assert (tmp_path / "a").read_bytes() == b"abc"


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_a_device_condemns_the_archive(tmp_path: Path, kind: bytes) -> None:
    """Nobody publishes a model with a device in it."""
    archive = pack(tmp_path / "m.tar.bz2", {"m/a": b"abc"}, special("m/d", kind))
    with pytest.raises(SourceFailed, match="'m/d' is a device"):
        extract(archive, [Member("m/a", tmp_path / "a", 3)])


def test_links_in_a_zip(tmp_path: Path) -> None:
    """A zip file can hold symlinks, too: one out of it is refused, and one in a file's place."""
    for number, (target, says) in enumerate((("/etc/passwd", "points out of it"), ("a", "is a link or a folder"))):
        with zipfile.ZipFile(tmp_path / f"{number}.zip", "w") as archive:
            info = zipfile.ZipInfo("m/l")
            info.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(info, target)
        with pytest.raises(SourceFailed, match=says):
            extract(tmp_path / f"{number}.zip", [Member("m/l", tmp_path / "l", 3)])
        assert not (tmp_path / "l").is_symlink()


@pytest.mark.parametrize("kind", FORMATS)
def test_a_member_is_cut_off_beyond_its_size(tmp_path: Path, kind: str) -> None:
    """A member far larger than it should be is cut off, so that a bomb fills no disk."""
    archive = pack(tmp_path / f"m.{kind}", {"m/a": bytes(10_000_000)})
    extract(archive, [Member("m/a", tmp_path / "a", 100)])
    assert (tmp_path / "a").stat().st_size == 101


@pytest.mark.parametrize("kind", ["tar.gz", "tar.bz2", "tar.xz", "zip"])
def test_a_bomb_of_unknown_size_is_stopped(tmp_path: Path, kind: str) -> None:
    """Where no size is known, an archive that unpacks to far more than any model does is refused."""
    archive = pack(tmp_path / f"m.{kind}", {"m/a": bytes(100 << 20)})
    with pytest.raises(SourceFailed, match="it unpacks to more than 32 times its size"):
        extract(archive, [Member("m/a", tmp_path / "a")])
    assert (tmp_path / "a").stat().st_size < 70 << 20


def test_a_bomb_beside_what_is_wanted_is_stopped(tmp_path: Path) -> None:
    """Members that nobody asked for cost no more time than an honest archive's could."""
    archive = pack(tmp_path / "m.tar.bz2", {"m/bomb": bytes(100 << 20), "m/a": b"abc"})
    with pytest.raises(SourceFailed, match="unpacks to more"):
        extract(archive, [Member("m/a", tmp_path / "a", 3)])


@pytest.mark.parametrize("kind", FORMATS)
def test_what_is_not_there_is_named(tmp_path: Path, kind: str) -> None:
    """A member that the archive lacks is named, and the archive too."""
    with pytest.raises(SourceFailed, match=rf"m\.{kind}: there is no m/z in it; is the catalogue's version right"):
        extract(pack(tmp_path / f"m.{kind}", {"m/a": b"abc"}), [Member("m/z", tmp_path / "z", 1)])


def test_a_member_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    """Which of two files of one name is meant, nobody can say."""
    archive = tmp_path / "m.tar"
    with tarfile.open(archive, "w") as tar:
        for data in (b"one", b"two"):
            info = tarfile.TarInfo("m/a")
            info.size = 3
            tar.addfile(info, io.BytesIO(data))
    with pytest.raises(SourceFailed, match="'m/a' is in it twice"):
        extract(archive, [Member("m/a", tmp_path / "a", 3)])


@pytest.mark.parametrize("kind", FORMATS)
def test_damage_is_told(tmp_path: Path, kind: str) -> None:
    """A page of HTML, an empty file, an archive cut short and, where there are checksums, a flipped byte: damaged."""
    import random

    archive = pack(tmp_path / f"m.{kind}", {"m/a": random.Random(1).randbytes(50_000), "m/b": b"x" * 5000})
    whole = archive.read_bytes()
    flipped = bytearray(whole)
    flipped[30_000] ^= 1
    damaged = [b"<html>Sign in</html>" * 100, b"", whole[: len(whole) // 2], whole[:100]]
    for number, data in enumerate([*damaged, bytes(flipped)] if kind != "tar" else damaged):
        archive.write_bytes(data)
        with pytest.raises(SourceFailed, match=rf"m\.{kind}: damaged archive"):
            extract(archive, [Member("m/a", tmp_path / f"a{number}", 50_000)])


def test_an_archive_that_is_cut_behind_what_is_wanted_is_damaged(tmp_path: Path) -> None:
    """Its checksum stands at the end, so an archive without one has not been checked."""
    import random

    archive = pack(tmp_path / "m.tar.bz2", {"m/a": b"abc", "m/b": random.Random(1).randbytes(3_000_000)})
    archive.write_bytes(archive.read_bytes()[:2_000_000])
    with pytest.raises(SourceFailed, match="damaged archive"):
        extract(archive, [Member("m/a", tmp_path / "a", 3)])
