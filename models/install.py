"""From files that came to a model that is there: checked, complete, on the disk, and then visible by one rename."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sottovoce.models import metadata
from sottovoce.models.catalogue import Entry
from sottovoce.models.check import check
from sottovoce.models.derive import MAKERS
from sottovoce.models.exceptions import VerifyFailed


@contextmanager
def workshop(root: Path, name: str) -> Iterator[Path]:
    """Make a hidden directory beside the models, and remove it at the end with all that is left in it.

    What a killed process left there is removed first; the caller holds the lock of that name.
    """
    work = root / "models" / f".{name}.partial"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(mode=0o700)
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def complete(entry: Entry, directory: Path, source: str, revision: str, advice: str) -> None:
    """Check the files of a model, make those that are derived, write down what it is, and wait for the disk.

    Raises:
        VerifyFailed: a file is not what the catalogue says; has `advice`.
        OSError: the disk fails.
    """
    check(entry, directory, entry.files, advice)
    for derived in entry.derived:
        try:
            data = MAKERS[derived.maker]((directory / derived.input).read_bytes())
        except ValueError as error:
            raise VerifyFailed(f"model {entry.name}: {derived.input}: {error}; {advice}") from error
        (directory / derived.name).write_bytes(data)
        (directory / derived.name).chmod(0o600)
    check(entry, directory, entry.derived, "correct the catalogue")
    metadata.record(directory, entry.name, source, [file.name for file in entry.all_files], revision)
    for path in directory.iterdir():
        _sync(path)
    _sync(directory)


def swap_in(entries: Sequence[Entry], work: Path, models: Path) -> None:
    """Put the directories `<work>/<name>` in the place of the models of those names."""
    for entry in entries:
        final = models / entry.name
        if final.exists():  # unsound, or it would not be replaced; who has its files open keeps them
            final.rename(work / f"{entry.name}.old")
        (work / entry.name).rename(final)
    _sync(models)


def link_or_copy(path: Path, target: Path, *, copy: bool = False) -> None:
    """Give a file a second name, or where that cannot be or shall not be, copy it, 0600.

    Raises:
        OSError: neither can be done.
    """
    if not copy:
        try:
            os.link(path, target)
            return
        except OSError as error:
            if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP, errno.EACCES):
                raise
    shutil.copyfile(path, target)
    target.chmod(0o600)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
