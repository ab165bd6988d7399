from __future__ import annotations

import resource
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import structlog

from sottovoce.actors import log


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the log goes."""
    return tmp_path / "stage.jsonl"


@pytest.fixture
def file(path: Path) -> Iterator[log.LogFile]:
    """Return this process's log, and afterwards structlog as it was."""
    before = structlog.get_config()
    configured = log.configure(path, level="info", stage="tester")
    yield configured
    configured.close()
    structlog.contextvars.clear_contextvars()
    structlog.configure(**before)


def events(path: Path) -> list[dict[str, Any]]:
    """Return what the file holds."""
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def test_events_are_lines_of_json(file: log.LogFile, path: Path) -> None:
    """Each event is one line with its time, level, stage and process, whatever is in its values."""
    structlog.get_logger().info("loaded", model="m\nn", where=path)
    file.flush()
    (event,) = events(path)
    assert (event["event"], event["level"], event["stage"], event["model"]) == ("loaded", "info", "tester", "m\nn")
    assert event["where"] == str(path)
    assert event["timestamp"].endswith("Z")
    assert isinstance(event["pid"], int)


def test_nothing_is_written_before_the_flush(file: log.LogFile, path: Path) -> None:
    """Between two turns of a loop an event costs no system call."""
    structlog.get_logger().warning("first")
    assert path.read_bytes() == b""
    file.flush()
    assert [event["event"] for event in events(path)] == ["first"]


def test_an_error_is_written_at_once(file: log.LogFile, path: Path) -> None:
    """An error may be the last word of a process, so it waits for no flush, nor does what was said before it."""
    structlog.get_logger().info("before")
    structlog.get_logger().error("the end")
    assert [event["event"] for event in events(path)] == ["before", "the end"]


def test_what_is_below_the_level_is_dropped(file: log.LogFile, path: Path) -> None:
    """At level "info" debug events are not written."""
    structlog.get_logger().debug("detail")
    file.flush()
    assert path.read_bytes() == b""


def test_repeats_are_folded_into_a_count(file: log.LogFile, path: Path) -> None:
    """A loop that says the same thing a thousand times writes two lines; what differs in any value is not the same."""
    logger = structlog.get_logger()
    for _ in range(1000):
        logger.warning("nobody there", port=1)
    logger.warning("nobody there", port=2)
    file.flush()
    assert [(event["port"], event.get("repeated")) for event in events(path)] == [(1, None), (1, 999), (2, None)]
    times = [event["boot_s"] for event in events(path)]  # the count bears the time of the latest
    assert times == sorted(times)


def test_repeats_are_counted_across_flushes(file: log.LogFile, path: Path) -> None:
    """A repeat in each turn is counted in each turn, and none is lost."""
    for _ in range(3):
        structlog.get_logger().warning("again")
        file.flush()
    assert [event.get("repeated") for event in events(path)] == [None, 1, 1]


def test_an_exception_is_logged_with_its_traceback(file: log.LogFile, path: Path) -> None:
    """A crash says where it was, in one line of the file."""
    try:
        raise OSError("disk on fire")
    except OSError:
        structlog.get_logger().exception("crashed")
    file.flush()
    (event,) = events(path)
    assert "disk on fire" in event["exception"]
    assert "test_log.py" in event["exception"]


def test_the_file_is_private(file: log.LogFile, path: Path) -> None:
    """Only the user can read what his machine hears of itself."""
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_link_in_its_place_is_refused(tmp_path: Path, path: Path) -> None:
    """A log that somebody has pointed elsewhere is not written through."""
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic link"):
        log.LogFile(path)


def test_a_large_log_is_rotated(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once large it is set aside as `.1`, one older file is kept, and no line is lost on the way."""
    monkeypatch.setattr(log, "ROTATE_BYTES", 1000)
    file = log.LogFile(path)
    for number in range(30):
        file.add({"event": "x" * 40, "number": number})
        file.flush()
    file.close()
    older = path.with_name("stage.jsonl.1")
    numbers = [event["number"] for event in events(older) + events(path)]
    assert numbers == list(range(numbers[0], 30))
    assert path.stat().st_size <= 1000 + 100
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(older.stat().st_mode) == 0o600
    assert sorted(tmp.name for tmp in path.parent.iterdir()) == ["stage.jsonl", "stage.jsonl.1"]


@pytest.mark.parametrize(
    ("line", "event"),
    [
        (b'{"event": "ready"}', {"event": "ready"}),
        (b'{"event": "rea', {"event": "unreadable line", "level": "warning"}),
        (b"[1]", {"event": "[1]", "level": "info"}),
        (b"\xff\xfe", {"event": "unreadable line", "level": "warning"}),
    ],
)
def test_a_torn_line_is_read_as_one(line: bytes, event: dict[str, str]) -> None:
    """A process killed in mid-write leaves half a line; readers go on."""
    assert dict(log.read(line)) == event


def test_a_full_disk_costs_the_oldest_lines(path: Path) -> None:
    """What cannot be written waits, up to 1,000 lines; the file then says how many are gone, and the stage goes on."""
    file = log.LogFile(path)
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(
        resource.RLIMIT_FSIZE, (0, hard)
    )  # Python ignores SIGXFSZ, so that a write fails as on a full disk
    try:
        for number in range(1_500):
            file.add({"event": f"line {number}"})
            file.flush()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert path.read_bytes() == b""
    file.close()
    first, *rest = events(path)
    assert (first["event"], first["lines"]) == ("log lines lost", 500)
    assert [event["event"] for event in rest] == [f"line {number}" for number in range(500, 1_500)]
