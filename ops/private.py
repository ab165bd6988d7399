"""A service of its own: for the demo, the benchmarks and the tests, apart from the user's and gone without a trace."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sottovoce.ops import service
from sottovoce.ops.exceptions import ServiceError
from sottovoce.ops.supervision import STOP_WAIT_S
from sottovoce.protocol.paths import Paths

_TMPFS = "/dev/shm"  # noqa: S108 - mkdtemp makes it private


@dataclass(slots=True)
class PrivateService:
    """A running service that types into a file."""

    paths: Paths
    typed: Path
    """What it types into."""
    ready_s: float
    process: subprocess.Popen[bytes] | None = None
    """Its supervisord; None where somebody else started it."""
    keep: bool = False
    """Whether its directories are left where they are in the end, to be looked at."""

    def up(self) -> None:
        """Start it once more, after its supervisord was killed.

        Raises:
            ServiceError: as of `service.start`; it may be tried again.
        """
        if self.process is not None:
            self.process.wait(STOP_WAIT_S)
        self.process, self.ready_s = service.start(self.paths, detach=False)

    def down(self) -> None:
        """End it, if it runs.

        Raises:
            ServiceError: it does not end.
        """
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)  # stopped, it could not end
        if not service.stop(self.paths):
            service.sweep(self.paths)
        if self.process is not None:
            self.process.wait(STOP_WAIT_S)

    def text(self) -> str:
        """Return what it has typed so far."""
        return self.typed.read_text() if self.typed.exists() else ""


@contextlib.contextmanager
def private_service(
    *, config: str = "", root: Path | None = None, backends: Sequence[str] = ("file",)
) -> Iterator[PrivateService]:
    """Run a service in directories of its own for as long as the block lasts.

    Args:
        config: more of the configuration file, as TOML, after `[inject]`.
        root: where to make the directories, by default on tmpfs.
        backends: where it types; by default only into the file.

    Raises:
        ServiceError: it did not start, did not end, or left something behind.
    """
    directory = Path(tempfile.mkdtemp(prefix="sottovoce-", dir=root or os.environ.get("XDG_RUNTIME_DIR") or _TMPFS))
    running = None
    try:
        paths = Paths(directory / "run", directory / "state", directory / "config.toml").ensure()
        typed = directory / "typed.txt"
        paths.config.write_text(
            f"[inject]\nbackends = {json.dumps(backends)}\nfile = {json.dumps(str(typed))}\n{config}"
        )
        process, ready_s = service.start(paths, detach=False)
        running = PrivateService(paths, typed, ready_s, process)
        try:
            yield running
        finally:
            running.down()
        if left := leftovers(paths):
            raise ServiceError(f"the service left behind: {', '.join(left)}")
    finally:
        if running is None or not running.keep:
            shutil.rmtree(directory)


def leftovers(paths: Paths) -> list[str]:
    """Return the processes, sockets and mappings of a service that should all be gone."""
    left = [str(path) for directory in {paths.runtime, paths.shared} for path in directory.iterdir()]
    marker = f"SOTTOVOCE_RUNTIME_DIR={paths.runtime}".encode()
    for entry in Path("/proc").iterdir():
        # Somebody else's process cannot be read, and one that has just ended has nothing to read.
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and int(entry.name) != os.getpid() and marker in (entry / "environ").read_bytes():
                left.append(f"process {entry.name}")
    return left
