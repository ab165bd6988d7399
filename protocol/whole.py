"""Small files that are read while they are written: the reader has the old one or the new one, never half of it."""

from __future__ import annotations

import os
from pathlib import Path


def write_whole(path: Path, content: bytes) -> None:
    """Put a file with mode 0600 in the place of the one that is there, if one is: whole or not at all.

    What a process left that was killed in between has its number in its name, and is overwritten by the next of that
    number. It is not made durable: after a power cut the old file may be there, or none.

    Raises:
        OSError: it cannot be written; the one that is there is as it was.
    """
    partly = path.with_suffix(f"{path.suffix}.{os.getpid()}.partly")
    try:
        descriptor = os.open(partly, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        partly.replace(path)
    except OSError:
        partly.unlink(missing_ok=True)
        raise
