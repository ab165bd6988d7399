"""A model that somebody has already: a directory, an archive or a file on this disk, checked as a download would be."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from sottovoce.models import archive, space
from sottovoce.models.catalogue import Entry
from sottovoce.models.exceptions import ImportFailed, SourceFailed
from sottovoce.models.install import complete, link_or_copy, swap_in, workshop


def adopt(entry: Entry, path: Path, root: Path, *, copy: bool = False) -> None:
    """Install a model from files of the user's. The caller holds its lock.

    Args:
        entry: which model they are said to be.
        path: a directory that has them under the catalogue's names or as a source lays them out; an archive of a
            source; or the file, if the model has only one.
        root: the cache.
        copy: never link. Else files on the same file system that nobody but the user may write get a second name here
            and take no room.

    Raises:
        ImportFailed: they are not there, or no files.
        VerifyFailed: they are not what the catalogue says.
        NoSpace: there is no room to copy or unpack.
        OSError: the disk fails otherwise.
    """
    if not entry.files:
        raise ImportFailed(f"model {entry.name} has no files: its engine brings or reaches them by itself")
    if not path.exists():
        raise ImportFailed(f"model {entry.name}: {path} is not there")
    with workshop(root, entry.name) as work:
        directory = work / entry.name
        if path.is_dir():
            directory.mkdir(mode=0o700)
            _from_directory(entry, path, directory, copy=copy)
        elif archive.is_archive(path.name):
            _from_archive(entry, path, directory)
        elif len(entry.files) == 1:
            directory.mkdir(mode=0o700)
            _take(path, directory / entry.files[0].name, copy=copy)
        else:
            raise ImportFailed(
                f"model {entry.name}: {path} is one file and no archive, and the model has {len(entry.files)}; name "
                "the directory that has them"
            )
        complete(entry, directory, f"import {path}", "", f"{path} has another model, or another version of it")
        swap_in([entry], work, root / "models")


def _folders(entry: Entry) -> Iterator[str]:
    """Yield the folders in which members may lie, as the sources lay them out, without repeats."""
    yield from dict.fromkeys(["", *(getattr(source, "folder", "").strip("/") for source in entry.sources)])


def _from_directory(entry: Entry, path: Path, directory: Path, *, copy: bool) -> None:
    for file in entry.files:
        names = [file.name, *(str(Path(folder, file.member or file.name)) for folder in _folders(entry))]
        found = next((path / name for name in names if (path / name).is_file()), None)
        if found is None:
            raise ImportFailed(f"model {entry.name}: there is no {file.name} in {path}")
        if file.size is not None and (size := found.stat().st_size) != file.size:
            raise ImportFailed(
                f"model {entry.name}: {found} has {size} bytes instead of {file.size}: another model, or another "
                "version of it"
            )
        _take(found, directory / file.name, copy=copy)


def _from_archive(entry: Entry, path: Path, directory: Path) -> None:
    failure: SourceFailed | None = None
    for number, folder in enumerate(_folders(entry)):
        attempt = directory.with_name(f"{directory.name}.{number}")
        attempt.mkdir(mode=0o700)
        members = [
            archive.Member(str(Path(folder, file.member or file.name)), attempt / file.name, file.size)
            for file in entry.files
        ]
        try:
            archive.extract(path, members)
        except SourceFailed as error:
            failure = error
        else:
            attempt.rename(directory)
            return
    raise ImportFailed(f"model {entry.name}: {failure}") from failure


def _take(path: Path, target: Path, *, copy: bool) -> None:
    """Give a file a second name where that is safe, else copy it: who may write to it could change the model."""
    path = path.resolve()
    status = path.stat()
    private = status.st_uid == os.getuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    if not stat.S_ISREG(status.st_mode):
        raise ImportFailed(f"{path} is no plain file")
    if copy or not private or status.st_dev != target.parent.stat().st_dev:
        space.require(target.parent, status.st_size)
        link_or_copy(path, target, copy=True)
    else:
        link_or_copy(path, target)
