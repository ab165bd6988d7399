from __future__ import annotations

import json
from pathlib import Path

import pytest

from sottovoce.ops.exceptions import OpsError
from sottovoce.ops.logs import last_lines


def event(second: int, stage: str, text: str, **more: object) -> str:
    """Return a line as a stage writes it."""
    time = f"2026-11-20T10:00:{second:02}.123456Z"
    return json.dumps({"event": text, "stage": stage, "pid": 7, "level": "info", "timestamp": time, **more}) + "\n"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Return the logs of two stages and of supervisord."""
    (tmp_path / "vad.jsonl").write_text(event(1, "vad", "loading") + event(4, "vad", "segment", seconds=1.5))
    (tmp_path / "inject.jsonl").write_text(event(2, "inject", "ready") + event(3, "inject", "backends", chain="file"))
    (tmp_path / "vad.native.log").write_text("a library says\n")
    (tmp_path / "inject.native.log").touch()
    (tmp_path / "supervisord.log").write_text("one\ntwo\nthree\n")
    return tmp_path


def test_all_logs_are_one_in_the_order_of_time(directory: Path) -> None:
    """Without a stage's name the lines of all of them are merged; the last so many are shown."""
    texts = [line.split()[3] for line in last_lines(directory, "", 3, as_json=False)]
    assert texts == ["ready", "backends", "segment"]


def test_a_line_is_readable(directory: Path) -> None:
    """Time of day, stage, level, event, then whatever else it says; not what is the same in each."""
    *_, line = last_lines(directory, "inject", 1, as_json=False)
    assert line.split() == ["10:00:03.123", "inject", "info", "backends", "chain=file"]


def test_a_line_as_json_is_as_it_was_written(directory: Path) -> None:
    """For programs nothing is rendered or left out."""
    (line,) = last_lines(directory, "inject", 1, as_json=True)
    assert json.loads(line)["timestamp"] == "2026-11-20T10:00:03.123456Z"


def test_what_native_libraries_printed_is_shown_with_their_stage(directory: Path) -> None:
    """Where there is such output it follows the stage's own lines, and is said to be that."""
    *_, title, line = last_lines(directory, "vad", 5, as_json=False)
    assert "vad.native.log" in title
    assert line == "a library says"
    assert "native" not in "".join(last_lines(directory, "inject", 5, as_json=False))
    assert "a library says" not in list(last_lines(directory, "", 5, as_json=False))


def test_the_supervisors_own_log(directory: Path) -> None:
    """supervisord's log is plain text and shown as that."""
    assert list(last_lines(directory, "supervisord", 2, as_json=False)) == ["two", "three"]


def test_a_traceback_is_shown_in_full(directory: Path) -> None:
    """An exception stands below its event, line by line."""
    (directory / "vad.jsonl").write_text(event(5, "vad", "crashed", exception="Traceback:\n  boom"))
    text = "\n".join(last_lines(directory, "", 1, as_json=False))
    assert text.endswith("crashed\nTraceback:\n  boom")


def test_a_torn_line_does_not_stop_the_others(directory: Path) -> None:
    """A stage that was killed in mid-write leaves half a line; it is shown as unreadable."""
    with (directory / "vad.jsonl").open("ab") as file:
        file.write(b'{"event": "hal\xff')
    lines = list(last_lines(directory, "", 10, as_json=False))
    assert len(lines) == 5
    assert any("unreadable line" in line for line in lines)


@pytest.mark.parametrize(("stage", "known"), [("vat", "inject, vad"), ("stt-final", "inject, vad")])
def test_a_log_that_is_not_there_is_named(directory: Path, stage: str, known: str) -> None:
    """The error names the logs that there are."""
    with pytest.raises(OpsError, match=f"no log of {stage} .*there are: {known}"):
        list(last_lines(directory, stage, 1, as_json=False))


@pytest.mark.parametrize("stage", ["", "supervisord"])
def test_no_logs_at_all(tmp_path: Path, stage: str) -> None:
    """Before the first start there is nothing to show, which is said."""
    with pytest.raises(OpsError, match="no log"):
        list(last_lines(tmp_path, stage, 1, as_json=False))
