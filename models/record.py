"""Small notes in the cache that only the user may read: written whole or not at all, read with no trouble made."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TypeVar

import msgspec

T = TypeVar("T")


def keep(path: Path, value: msgspec.Struct) -> None:
    """Write a note as JSON, 0600, in a directory that is made if need be, 0700.

    Raises:
        OSError: it cannot be written: a full or read-only disk.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(value)))
        fresh.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)
        raise


def recall(path: Path, kind: type[T]) -> T | None:
    """Return a note; None where there is none, or one that is damaged or of another version: it is made anew."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError):
        return None
