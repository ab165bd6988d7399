"""What a service's processes and files take, at one instant: the kernel's figures, no estimates."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from sottovoce.protocol.bus import STAGES
from sottovoce.protocol.paths import Paths
from sottovoce.shm import CountersView, Histogram, ShmError

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_ROLLUP: Final = {"Pss": "pss_kib", "Rss": "rss_kib", "Pss_Anon": "anon_kib"}
_SWITCHES: Final = re.compile(r"ctxt_switches:\s+(\d+)")
_SHMEM: Final = re.compile(r"RssShmem:\s+(\d+)")
_THREADS: Final = re.compile(r"Threads:\s+(\d+)")


def process(pid: int) -> dict[str, float]:
    """Return what a process takes.

    Returns:
        `pss_kib` (each page divided by how many processes map it), `rss_kib`, `anon_kib` (of the PSS, what is no
        file's: heap and stacks, where a leak shows), `shared_kib` (of the RSS, what is on tmpfs: the ring), `maps`,
        `fds`, `threads`; and running totals `cpu_s` and `switches` (of context, all threads).

    Raises:
        FileNotFoundError, ProcessLookupError: there is no such process (any more).
    """
    folder = Path(f"/proc/{pid}")
    rollup = dict(line.split(":", 1) for line in (folder / "smaps_rollup").read_text().splitlines()[1:])
    status = (folder / "status").read_text()
    times = (folder / "stat").read_text().rpartition(")")[2].split()[11:13]
    return {
        **{name: float(rollup[key].split()[0]) for key, name in _ROLLUP.items()},
        "shared_kib": float(_found(_SHMEM, status)),
        "maps": float((folder / "maps").read_bytes().count(b"\n")),
        "fds": float(len(os.listdir(folder / "fd"))),  # noqa: PTH208 - names only, of links that may vanish
        "threads": float(_found(_THREADS, status)),
        "cpu_s": sum(map(int, times)) / _TICKS,
        "switches": float(sum(_switches(folder))),
    }


def _found(pattern: re.Pattern[str], text: str) -> int:
    """Return the number that a pattern finds; a kernel without that line counts as 0."""
    found = pattern.search(text)
    return int(found[1]) if found else 0


def _switches(folder: Path) -> Iterable[int]:
    for task in (folder / "task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # threads come and go
            yield sum(map(int, _SWITCHES.findall((task / "status").read_text())))


def size(folder: Path, *patterns: str) -> tuple[int, int]:
    """Return how many files and how many bytes are in a folder under names that fit any of `patterns`."""
    count = total = 0
    for path in {path for pattern in patterns for path in folder.glob(pattern)}:
        with contextlib.suppress(FileNotFoundError):  # rotated just now
            count, total = count + 1, total + path.lstat().st_size
    return count, total


class Stages:
    """The counters pages of a service's stages, followed over restarts, and its processes.

    Args:
        paths: the service's paths.
    """

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._views: dict[str, CountersView] = {}
        self._pids: dict[str, int] = {}
        self.restarts = 0
        """How often a process was found to be another than before."""

    def look(self) -> dict[str, int]:
        """Attach to pages that are new, and return the process id of each living stage, and of supervisord."""
        pids = {}
        for name in STAGES:
            view = self._views.get(name)
            if view is not None and view.stale():
                self._views.pop(name).close()
            if name not in self._views:
                with contextlib.suppress(ShmError):
                    self._views[name] = CountersView.attach(self._paths.counters(name))
            if (view := self._views.get(name)) is not None and view.alive:
                pids[name] = view.pid
        with contextlib.suppress(FileNotFoundError, ValueError):
            pids["supervisord"] = int((self._paths.runtime / "supervisord.pid").read_text())
        self.restarts += sum(self._pids.get(name, pid) != pid for name, pid in pids.items())
        self._pids |= pids
        return pids

    def counters(self, stage: str) -> dict[str, int]:
        """Return a stage's counters; none while it has no page."""
        view = self._views.get(stage)
        return {} if view is None else view.counters()

    def histograms(self, stage: str) -> dict[str, Histogram]:
        """Return a stage's histograms; none while it has no page."""
        view = self._views.get(stage)
        return {} if view is None else view.histograms()

    def close(self) -> None:
        """Let the pages go."""
        for view in self._views.values():
            view.close()
        self._views.clear()
