"""Logging: structlog events as JSON lines, one file a process, written when the process has nothing better to do.

An event costs a dict and an orjson call; the write waits for `flush`, which the actor loop calls before it sleeps, so
no stage ever waits for a disk between a segment and its text. What a SIGKILL can take are the lines of one turn. A disk
that is full costs lines, the oldest first, never the stage. An error is written at once, for the process may end of it.

`timestamp` is the time on the wall, which may be set back; `boot` and `boot_s`, seconds since then with suspends, order
the lines of one boot whatever was done to the clock (`ops.logs`). Native
libraries print to the standard streams, which end in `<name>.native.log` beside it, tracebacks of crashes too.

Dictated text is never logged at INFO or above, and nothing here makes an exception for errors.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

import orjson

from sottovoce.actors.process import ROTATE_BYTES
from sottovoce.protocol.clocks import boot_id

# structlog loads rich where it finds it (Typer brings it along), to colour tracebacks, of which a stage has none to
# show: half of the time that structlog takes to load, and 4 MB, in each of eight processes.
_RICH = "rich" in sys.modules
if not _RICH:
    sys.modules["rich"] = None  # type: ignore[assignment]
import structlog  # noqa: E402

if not _RICH:
    del sys.modules["rich"]
get_logger = structlog.get_logger

_MAX_LINES = 1_000  # kept while they cannot be written: 200 KB
_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


class LogFile:
    """An append-only file of lines, private to the user, written in batches and rotated once it is large.

    Args:
        path: the file; the rotated one has `.1` appended.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines: list[bytes] = []
        self._lost = 0
        self._last: tuple[dict[str, Any], int, dict[str, Any]] | None = None  # without its time; repeats; the latest
        self._fd = self._open()

    def _open(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)

    def add(self, event: dict[str, Any]) -> None:
        """Queue one event; one that says the same as the last is folded into a count."""
        plain = {key: value for key, value in event.items() if key not in ("timestamp", "boot_s")}
        if self._last is not None and self._last[0] == plain:
            self._last = (plain, self._last[1] + 1, event)
            return
        self._fold()
        self._last = (plain, 0, event)
        self._lines.append(orjson.dumps(event, default=str))

    def _fold(self) -> None:
        if self._last is not None and self._last[1]:
            plain, times, latest = self._last
            self._lines.append(orjson.dumps({**latest, "repeated": times}, default=str))
            self._last = (plain, 0, latest)

    def flush(self) -> None:
        """Write what is queued, in one call; what the disk does not take waits for the next one."""
        self._fold()
        if not self._lines:
            return
        lost = (
            [orjson.dumps({"event": "log lines lost", "level": "warning", "lines": self._lost})] if self._lost else []
        )
        data = b"\n".join([*lost, *self._lines]) + b"\n"
        try:
            written = os.write(self._fd, data)
        except OSError:
            written = 0
        if written < len(data):
            waiting = data[written:].splitlines() if written else self._lines
            self._lost = max(0, len(waiting) - _MAX_LINES) + (0 if written else self._lost)
            self._lines = waiting[-_MAX_LINES:]
            return
        self._lines.clear()
        self._lost = 0
        if os.fstat(self._fd).st_size > ROTATE_BYTES:
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
        if event.get("level") == "error":  # it may be the last word
            self._file.flush()
        return str(self._console(logger, method, dict(event))) if self._console else ""


def _stamp(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Add the clock that nobody can set."""
    event["boot"] = boot_id()[:8]
    event["boot_s"] = round(time.clock_gettime(time.CLOCK_BOOTTIME), 3)
    return event


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
            _stamp,
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
