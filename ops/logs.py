"""Reading the stages' logs back, for people."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sottovoce.actors.log import read
from sottovoce.ops.exceptions import OpsError
from sottovoce.protocol.clocks import boot_id

_HEAD = ("timestamp", "stage", "level", "event", "pid", "boot", "boot_s")


def last_lines(directory: Path, stage: str, count: int, *, as_json: bool) -> Iterator[str]:
    """Yield the last `count` lines of one log, or of all together in the order of their times.

    Args:
        directory: where the logs are.
        stage: a stage's name, "supervisord", or "" for all stages.
        count: how many lines.
        as_json: as they are in the file, rather than for reading.

    Raises:
        OpsError: there is no such log.
    """
    if stage == "supervisord" and (own := directory / "supervisord.log").exists():
        yield from _tail(own, count)
        return
    files = sorted(directory.glob("*.jsonl")) if not stage else [directory / f"{stage}.jsonl"]
    if not files or not all(file.exists() for file in files):
        known = ", ".join(sorted(file.stem for file in directory.glob("*.jsonl"))) or "none yet"
        raise OpsError(f"no log of {stage or 'any stage'} in {directory}; there are: {known}")
    lines = sorted((line for file in files for line in _tail(file, count)), key=_time)[-count:]
    for line in lines:
        yield line if as_json else _readable(line)
    if stage and (native := directory / f"{stage}.native.log").exists() and native.stat().st_size:
        yield f"-- {native.name} (output of native libraries, tracebacks) --"
        yield from _tail(native, count)


def _tail(file: Path, count: int) -> list[str]:
    return file.read_text("utf-8", errors="replace").splitlines()[-count:]


def _time(line: str) -> tuple[bool, float, str]:
    """Return what orders lines: of this boot, the clock that cannot be set; of others, which came before, the wall."""
    event = read(line.encode())
    this_boot = event.get("boot") == boot_id()[:8]
    since = event.get("boot_s")
    return this_boot, since if this_boot and isinstance(since, int | float) else 0.0, str(event.get("timestamp", ""))


def _readable(line: str) -> str:
    event = read(line.encode())
    more = " ".join(f"{key}={value}" for key, value in event.items() if key not in (*_HEAD, "exception"))
    text = (
        f"{str(event.get('timestamp', ''))[11:23]} {event.get('stage', ''):<11} {event.get('level', ''):<8}"
        f"{event.get('event', '')} {more}"
    ).rstrip()
    return f"{text}\n{event['exception']}" if "exception" in event else text
