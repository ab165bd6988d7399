"""Members out of archives, tar and zip, that may be damaged or hostile.

Only members that are asked for by exact name are written, to paths that the caller chose: no name in an archive ever
becomes a path. An archive that tries all the same (a name or a link that climbs out, a device) is refused as a whole,
for nobody who publishes a model packs such a thing. None of it fills the disk: a member is cut off one byte beyond the
size that it should have, which is enough for the check that follows to refuse it, and all that comes out of an archive
is bounded by its own size.
"""

from __future__ import annotations

import bz2
import errno
import gzip
import io
import lzma
import posixpath
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NoReturn

from sottovoce.models import space
from sottovoce.models.exceptions import SourceFailed

SUFFIXES = (".tar.bz2", ".tbz2", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar", ".zip", ".whl")
"""What an archive's name ends in; anything else is the file itself."""
# Weights hardly shrink (Parakeet's archive is 0.73 of its files); tables of tokens shrink to a quarter.
_MOST_RATIO = 32
_MOST_BASE = 64 << 20
_LINK_LENGTH = 4096
_CHUNK = 1 << 20

# What damage makes of the decoders: names and dates that cannot be, tables cut short, numbers beyond a C long, and
# (RuntimeError) encryption and methods that zipfile does not know, and chains of headers that tarfile follows.
_DAMAGE = (
    tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, RuntimeError, ValueError,
    OverflowError, IndexError,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Member:
    """A file in an archive, and where it is to go."""

    name: str
    """Its whole path in the archive."""
    target: Path
    """Does not exist yet."""
    size: int | None = None
    """Bytes, where that is known."""


def is_archive(name: str) -> bool:
    """Tell by a file's name whether it is an archive."""
    return name.lower().endswith(SUFFIXES)


def extract(archive: Path, members: Sequence[Member]) -> None:
    """Write members of an archive to files, 0600.

    Raises:
        SourceFailed: damaged, hostile, neither tar nor zip, or a member is not there or no plain file.
        NoSpace: the disk has no room for a member.
        OSError: the disk fails otherwise.
    """
    wanted = {member.name: member for member in members}
    try:
        with archive.open("rb") as stream:
            magic = stream.read(8)
        if magic.startswith((b"PK\x03\x04", b"PK\x05\x06")):
            _unzip(archive, wanted)
        else:
            _untar(archive, magic, wanted)
    except OSError as error:
        if error.errno in space.FULL:
            raise space.no_space(error, archive.parent) from error
        if error.errno not in (None, errno.EINVAL):
            raise
        # bz2 and gzip on bytes that are none of their own, and a seek to before the start of the file
        _damaged(archive, error)
    except _DAMAGE as error:
        _damaged(archive, error)


def _damaged(archive: Path, error: Exception) -> NoReturn:
    raise SourceFailed(f"{archive.name}: damaged archive ({error or type(error).__name__}); pull again") from error


def _unzip(archive: Path, wanted: Mapping[str, Member]) -> None:
    left = _allowance(archive, wanted)
    with zipfile.ZipFile(archive) as file:
        for info in file.infolist():
            _check_name(archive, info.filename)
            kind = stat.S_IFMT(info.external_attr >> 16)
            if kind == stat.S_IFLNK:
                with file.open(info) as stream:
                    _check_link(archive, info.filename, stream.read(_LINK_LENGTH).decode())
            if info.filename in wanted and (kind not in (0, stat.S_IFREG) or info.is_dir()):
                _no_plain_file(archive, info.filename)
        _check_present(archive, wanted, file.namelist())
        for member in wanted.values():
            space.require(member.target.parent, file.getinfo(member.name).file_size if member.size is None else 0)
            with file.open(member.name) as stream:
                left -= _write(archive, member, stream, left)


def _untar(archive: Path, magic: bytes, wanted: Mapping[str, Member]) -> None:
    found: set[str] = set()
    with _decompressed(archive, magic) as stream:
        whole = _Bounded(archive, stream, _allowance(archive, wanted))
        with tarfile.open(fileobj=whole, mode="r|") as tar:
            while (info := tar.next()) is not None:
                tar.members.clear()  # type: ignore[attr-defined] # it keeps every header that it has seen
                name = _check_name(archive, info.name)
                if info.issym() or info.islnk():
                    _check_link(archive, info.name if info.issym() else "", info.linkname)
                elif not (info.isreg() or info.isdir()):
                    _refuse(archive, f"{_shown(info.name)} is a device")
                if name in wanted:
                    if name in found:
                        _refuse(archive, f"{_shown(name)} is in it twice")
                    found.add(name)
                    body = tar.extractfile(info) if info.isreg() and not info.issparse() else None
                    if body is None:
                        _no_plain_file(archive, name)
                    if wanted[name].size is None:
                        space.require(wanted[name].target.parent, info.size)
                    _write(archive, wanted[name], body, info.size)
        while whole.read(_CHUNK):  # to the checksum at its end
            continue
    _check_present(archive, wanted, found)


def _decompressed(archive: Path, magic: bytes) -> IO[bytes]:
    openers: dict[bytes, Callable[[Path], IO[bytes]]] = {
        b"BZh": bz2.open,
        b"\x1f\x8b": gzip.open,  # type: ignore[dict-item] # it reads like one
        b"\xfd7zXZ\0": lzma.open,
    }
    opener = next((opener for start, opener in openers.items() if magic.startswith(start)), None)
    return archive.open("rb") if opener is None else opener(archive)


class _Bounded(io.RawIOBase):
    """A stream that ends with an error beyond so many bytes."""

    def __init__(self, archive: Path, stream: IO[bytes], most: int) -> None:
        self._archive = archive
        self._stream = stream
        self._left = most

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self._left -= len(data)
        if self._left < 0:
            _refuse(self._archive, f"it unpacks to more than {_MOST_RATIO} times its size")
        return data


def _allowance(archive: Path, wanted: Mapping[str, Member]) -> int:
    """Return how many bytes may come out of an archive."""
    known = sum(member.size or 0 for member in wanted.values())
    return _MOST_RATIO * archive.stat().st_size + _MOST_BASE + known


def _write(archive: Path, member: Member, stream: IO[bytes], most: int) -> int:
    """Write one member, cut off one byte beyond its size; return the bytes written."""
    most = most if member.size is None else min(most, member.size + 1)
    written = 0
    with member.target.open("xb") as file:
        member.target.chmod(0o600)
        while written < most and (chunk := stream.read(min(most - written, _CHUNK))):
            file.write(chunk)
            written += len(chunk)
        if member.size is None and written == most and stream.read(1):
            _refuse(archive, f"it unpacks to more than {_MOST_RATIO} times its size")
    return written


def _check_name(archive: Path, name: str) -> str:
    """Refuse a name that would climb out; return it without a leading "./"."""
    if name.startswith("/") or ".." in name.split("/"):
        _refuse(archive, f"it holds a file named {_shown(name)}, which points out of it")
    return posixpath.normpath(name)


def _check_link(archive: Path, name: str, target: str) -> None:
    """Refuse a link that points out of the archive."""
    where = posixpath.normpath(posixpath.join(posixpath.dirname(name), target))
    if target.startswith("/") or where.split("/")[0] == "..":
        _refuse(archive, f"it holds a link to {_shown(target)}, which points out of it")


def _check_present(archive: Path, wanted: Mapping[str, Member], names: Iterable[str]) -> None:
    if missing := sorted(wanted.keys() - set(names)):
        raise SourceFailed(f"{archive.name}: there is no {missing[0]} in it; is the catalogue's version right?")


def _no_plain_file(archive: Path, name: str) -> NoReturn:
    _refuse(archive, f"{_shown(name)} is a link or a folder in it, not a file")


def _refuse(archive: Path, why: str) -> NoReturn:
    raise SourceFailed(f"{archive.name}: {why}; the archive is refused: get it from somebody else")


def _shown(name: str) -> str:
    return ascii(name[:80])
