"""Whether files are those of a model: by the catalogue, and where it knows too little, by what was installed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from sottovoce.models.catalogue import DerivedFile, Entry, ModelFile
from sottovoce.models.exceptions import VerifyFailed
from sottovoce.models.metadata import Installed


def size_of(file: ModelFile | DerivedFile, record: Installed | None) -> int | None:
    """Return the bytes that a file should have; None where nobody knows."""
    if file.size is not None or record is None or file.name not in record.files:
        return file.size
    return record.files[file.name].size


def sha256_of(file: ModelFile | DerivedFile, record: Installed | None) -> str | None:
    """Return the checksum that a file should have; None where nobody knows."""
    if file.sha256 is not None or record is None or file.name not in record.files:
        return file.sha256
    return record.files[file.name].sha256


def check(
    entry: Entry,
    directory: Path,
    files: Sequence[ModelFile | DerivedFile],
    advice: str,
    record: Installed | None = None,
) -> None:
    """Read files and compare them.

    Raises:
        VerifyFailed: one is missing or differs; names it, and says `advice`.
    """
    for file in files:
        path = directory / file.name
        where = f"model {entry.name}: {file.name}"
        try:
            size = path.stat().st_size
        except FileNotFoundError:
            raise VerifyFailed(f"{where} is missing; {advice}") from None
        known = size_of(file, record)
        if known is not None and size != known:
            found = f"{size} of" if size < known else "more than"  # an extracted one was cut off there
            raise VerifyFailed(f"{where} has {found} its {known} bytes; {advice}")
        if (digest := sha256_of(file, record)) is None:
            continue
        with path.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        if found != digest:
            raise VerifyFailed(f"{where} has sha256 {found[:12]}... instead of {digest[:12]}...; {advice}")
