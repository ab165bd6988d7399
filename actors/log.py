"""Logging: structlog events as JSON lines, one file a process, written when the process has nothing better to do.

An event costs a dict and an orjson call; the write waits for `flush`, which the actor loop calls before it sleeps, so
no stage ever waits for a disk between a segment and its text. What a SIGKILL can take are the lines of one turn. Native
libraries print to the standard streams, which end in `<name>.native.log` beside it, tracebacks of crashes too.

Dictated text is never logged at INFO or above, and nothing here makes an exception for errors.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

import orjson
import structlog

_ROTATE_BYTES = 4 << 20  # some 20,000 lines; one older file is kept beside
_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


class LogFile:
    """An append-only file of lines, private to the user, written in batches and rotated once it is large.

    Args:
        path: the file; the rotated one has `.1` appended.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines: list[bytes] = []
        self._last: tuple[dict[str, Any], int] | None = None
        self._fd = self._open()

    def _open(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)

    def add(self, event: dict[str, Any]) -> None:
        """Queue one event; one that says the same as the last is folded into a count."""
        plain = {key: value for key, value in event.items() if key != "timestamp"}
        if self._last is not None and self._last[0] == plain:
            self._last = (plain, self._last[1] + 1)
            return
        self._fold()
        self._last = (plain, 0)
        self._lines.append(orjson.dumps(event, default=str))

    def _fold(self) -> None:
        if self._last is not None and self._last[1]:
            event, times = self._last
            self._lines.append(orjson.dumps({**event, "repeated": times}, default=str))
            self._last = (event, 0)

    def flush(self) -> None:
        """Write what is queued, in one call."""
        self._fold()
        if not self._lines:
            return
        os.write(self._fd, b"\n".join(self._lines) + b"\n")
        self._lines.clear()
        if os.fstat(self._fd).st_size > _ROTATE_BYTES:
            os.close(self._fd)
            self._path.replace(self._path.with_suffix(self._path.suffix + ".1"))
            self._fd = self._open()

    def close(self) -> None:
        """Write what is queued and close."""
        self.flush()
        os.close(self._fd)


class _ToFile:
    """The last structlog processor: into the file, and onto a terminal where there is one."""

    def __init__(self, file: LogFile, terminal: bool) -> None:
        self._file = file
        self._console = structlog.dev.ConsoleRenderer() if terminal else None

    def __call__(self, logger: Any, method: str, event: MutableMapping[str, Any]) -> str:
        self._file.add(dict(event))
        return str(self._console(logger, method, dict(event))) if self._console else ""


class _Terminal:
    """A structlog logger that prints non-empty lines to the standard error stream."""

    def msg(self, text: str) -> None:
        if text:
            print(text, file=sys.stderr)  # noqa: T201 - a person runs this stage by hand

    debug = info = warning = error = exception = critical = msg


def configure(path: Path, *, level: str, stage: str) -> LogFile:
    """Send this process's structlog events to `path` as JSON lines, and to a terminal if it has one.

    Args:
        path: the log file.
        level: "debug", "info", "warning" or "error".
        stage: bound to each event.
    """
    file = LogFile(path)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _ToFile(file, terminal=sys.stderr.isatty()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=lambda *_: _Terminal(),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(stage=stage, pid=os.getpid())
    return file


def read(line: bytes) -> Mapping[str, Any]:
    """Parse a line of such a file; a torn last line comes back as an event that says so."""
    try:
        event = orjson.loads(line)
    except orjson.JSONDecodeError:
        return {"event": "unreadable line", "level": "warning"}
    return event if isinstance(event, dict) else {"event": str(event), "level": "info"}
