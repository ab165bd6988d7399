"""What is written beside a model: what was installed, from where and when; and when it was last used.

    <model>/.installed.json     with the model, by the same rename; never changed
    <model>/.usage.json         again with each use

A model without them is as sound as one with them, if the catalogue knows its files: it came with an older version.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import msgspec

INSTALLED = ".installed.json"
USAGE = ".usage.json"
_T = TypeVar("_T")


class FileRecord(msgspec.Struct, frozen=True):
    """One file, as it was installed."""

    size: int
    sha256: str


class Installed(msgspec.Struct, frozen=True):
    """How a model came here."""

    model: str
    source: str
    """The source's title; `import PATH` for what somebody had."""
    at: datetime
    files: dict[str, FileRecord]
    revision: str = ""
    """The commit, of a source that has such."""


class Usage(msgspec.Struct, frozen=True):
    """When and how a model was used."""

    last: datetime
    uses: int = 1
    load_s: float | None = None
    """Seconds that the last load took, where whoever loaded it said so."""


def record(directory: Path, model: str, source: str, names: Iterable[str], revision: str = "") -> Installed:
    """Read the files of a model that is about to be installed and write down what they are.

    Raises:
        OSError: they cannot be read, or the disk is full.
    """
    files = {}
    for name in names:
        with (directory / name).open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
            files[name] = FileRecord(os.fstat(stream.fileno()).st_size, digest)
    installed = Installed(model, source, datetime.now(UTC), files, revision)
    _write(directory / INSTALLED, installed)
    return installed


def installed(directory: Path) -> Installed | None:
    """Return how the model in a directory came there; None where that is not known."""
    return _read(directory / INSTALLED, Installed)


def usage(directory: Path) -> Usage | None:
    """Return when the model in a directory was last used; None if never, as far as is known."""
    return _read(directory / USAGE, Usage)


def use(directory: Path, load_s: float | None = None) -> bool:
    """Write down that a model is used now; return False where that could not be written: a full or read-only disk.

    No use of a model fails over this, and a reader finds the old note or the new one.
    """
    before = usage(directory)
    known = load_s if load_s is not None or before is None else before.load_s
    with contextlib.suppress(OSError):
        _write(directory / USAGE, Usage(datetime.now(UTC), 1 if before is None else before.uses + 1, known))
        return True
    return False


def last_used(directory: Path) -> datetime:
    """Return when a model was last used, or when it was installed if it never was.

    Raises:
        OSError: the directory cannot be read.
    """
    used, came = usage(directory), installed(directory)
    if used is not None:
        return used.last
    return datetime.fromtimestamp(directory.stat().st_mtime, UTC) if came is None else came.at


def _write(path: Path, value: msgspec.Struct) -> None:
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        fresh.touch(0o600)
        fresh.write_bytes(msgspec.json.format(msgspec.json.encode(value)))
        fresh.replace(path)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise


def _read(path: Path, kind: type[_T]) -> _T | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError):
        return None
