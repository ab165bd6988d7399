"""Which processes of a service there are, read from /proc: to ask supervisord would wake it, and spoil the figures."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from sottovoce.protocol.paths import Paths

SUPERVISORD = "supervisord"


def children(supervisor: int) -> dict[str, int]:
    """Return the process id of each stage that this supervisord has started and that lives."""
    found = {}
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for pid in Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split():
            if (stage := _stage(int(pid))) is not None:
                found[stage] = int(pid)
    return found


def everybody(paths: Paths) -> dict[str, list[int]]:
    """Return the process ids of each stage, and of supervisord, whoever started them; a dead one does not count."""
    found: dict[str, list[int]] = {}
    for pid, name in _named(paths):
        found.setdefault(name, []).append(pid)
    supervisors = found.get(SUPERVISORD, [])
    if supervisors:  # a child that has not become a stage yet looks like its parent
        found[SUPERVISORD] = [pid for pid in supervisors if _parent(pid) not in supervisors]
    return found


def _named(paths: Paths) -> Iterator[tuple[int, str]]:
    marker = f"SOTTOVOCE_RUNTIME_DIR={paths.runtime}".encode()
    config = str(paths.supervisor_config)
    for pid in [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]:
        if (stage := _stage(pid)) is not None:
            # Somebody else's process cannot be read, and one that has just ended has nothing to read.
            with contextlib.suppress(OSError):
                if marker in Path(f"/proc/{pid}/environ").read_bytes():
                    yield pid, stage
        elif config in _command(pid):
            yield pid, SUPERVISORD


def _command(pid: int) -> list[str]:
    """Return a process's command line; [] if it has gone, or is dead and only not yet taken note of."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").split("\0")
    return []


def _stage(pid: int) -> str | None:
    """Return which stage a process is."""
    command = _command(pid)
    module = command[command.index("-m") + 1 :][0] if "-m" in command[:-1] else ""
    if not module.startswith("sottovoce.actors."):
        return None
    role = command[command.index("--role") + 1 :][:1] if "--role" in command else []
    return "-".join([module.rsplit(".", 1)[1], *role])


def _parent(pid: int) -> int:
    with contextlib.suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return 0
