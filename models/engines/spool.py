"""Audio for a child program that cannot read the ring: one file at a time, in memory, for nobody else's eyes."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sottovoce.protocol.runtime import runtime_directory
from sottovoce.shm import choose_directory
from sottovoce.shm.process import is_alive, start_time

_PREFIX = "bridge-"


class Spool:
    """A directory, 0700 on tmpfs, that holds a file only while somebody is decoding it.

    Its name bears the process and when it was started; what processes have left that were killed is removed when the
    next one is made.

    Raises:
        OSError, PathError, ShmError: there is no place for it.
    """

    def __init__(self) -> None:
        shared = choose_directory(Path(runtime_directory()))
        for left in shared.glob(f"{_PREFIX}*-*-*"):
            owner, start = left.name.removeprefix(_PREFIX).split("-")[:2]
            if owner.isdigit() and start.isdigit() and not is_alive(int(owner), int(start)):
                shutil.rmtree(left, ignore_errors=True)
        pid = os.getpid()
        self.path = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{pid}-{start_time(pid)}-", dir=shared))

    @contextlib.contextmanager
    def file(self, samples: NDArray[np.float32]) -> Iterator[Path]:
        """Write the samples, little endian, and remove the file at the end of the block; it is 0600.

        Args:
            samples: float32, shape (n,).

        Raises:
            OSError: there is no room.
        """
        descriptor, name = tempfile.mkstemp(suffix=".f32", dir=self.path)
        try:
            with os.fdopen(descriptor, "wb") as file:
                samples.astype("<f4", copy=False).tofile(file)
            yield Path(name)
        finally:
            Path(name).unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove the directory. May be called again."""
        shutil.rmtree(self.path, ignore_errors=True)
