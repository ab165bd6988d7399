"""A file that is somewhere else: what is known of it, and whether what came is that file."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sottovoce.models.partial import key, without_query


@dataclass(frozen=True, slots=True)
class Remote:
    """A file somewhere else, and what is known about it."""

    url: str
    size: int | None = None
    sha256: str | None = None
    blob: str | None = None
    """git's own checksum of it: SHA-1 of `blob <size>\\0` and the bytes."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)
    """For this host alone: a redirect to another one takes no `Authorization` along."""
    hint: str = ""
    """What may help where the server refuses it."""

    @property
    def name(self) -> str:
        """What messages call it: its address, without what should not be shown."""
        return without_query(self.url)

    @property
    def key(self) -> str:
        """The name of its partial file."""
        return key(self.url, self.sha256)


def difference(path: Path, remote: Remote) -> str:
    """Say how a file differs from what is known of it; "" where it does not."""
    size = path.stat().st_size
    if remote.size is not None and size != remote.size:
        return f"has {size} bytes instead of {remote.size}"
    if remote.sha256 is not None:
        with path.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        if found != remote.sha256:
            return f"has sha256 {found[:12]}... instead of {remote.sha256[:12]}..."
    elif remote.blob is not None:
        digest = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
        with path.open("rb") as stream:
            while data := stream.read(1 << 20):
                digest.update(data)
        if digest.hexdigest() != remote.blob:
            return f"has git's checksum {digest.hexdigest()[:12]}... instead of {remote.blob[:12]}..."
    return ""
