"""Room on the disk: asked before it is needed, so that a pull fails before it has filled the disk, not by it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from sottovoce.models.exceptions import NoSpace

# A full disk, a quota that is used up, a file larger than this process may write (RLIMIT_FSIZE).
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def require(directory: Path, size: int) -> None:
    """Check that `size` more bytes fit on the file system of an existing directory.

    Raises:
        NoSpace: they do not; says how many are missing and what to do.
    """
    status = os.statvfs(directory)
    free = status.f_bavail * status.f_frsize
    if size > free:
        raise NoSpace(
            f"{size / 1e6:.0f} MB are needed in {directory} and {free / 1e6:.0f} MB are free; make room "
            "(`sottovoce models gc --limit MB` removes what was longest not used) and pull again"
        )


def no_space(error: OSError, directory: Path) -> NoSpace:
    """Return a write error of the kinds in `FULL` as one that says what to do."""
    reason = "this process may not write files of that size" if error.errno == errno.EFBIG else "the disk is full"
    return NoSpace(
        f"{error.filename or directory}: {reason}; make room (`sottovoce models gc --limit MB` removes what was "
        "longest not used) and pull again: it goes on where it stopped"
    )
