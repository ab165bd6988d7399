"""The chaos bench: a service that is struck all the time loses nothing, and the judge sees it if it does."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from sottovoce.actors import failpoints
from sottovoce.ops import bench_chaos
from sottovoce.ops.live import feed
from sottovoce.ops.private import private_service
from sottovoce.ops.verdict import Played, Tally, compare
from sottovoce.protocol.messages import Notice, NotTyped
from sottovoce.protocol.rows import Recording, State, UtteranceRow

ACTORS = Path(__file__).parents[2] / "actors"
REACHES = """
import sys
from sottovoce.actors.failpoints import failpoint
for name in sys.argv[1:]:
    failpoint(name)
print("through")
"""


def reach(folder: Path | None, *names: str) -> subprocess.CompletedProcess[str]:
    """Run a process that reaches the points `names`."""
    environment = {key: value for key, value in os.environ.items() if key != failpoints.VARIABLE}
    if folder is not None:
        environment[failpoints.VARIABLE] = str(folder)
    return subprocess.run(
        [sys.executable, "-c", REACHES, *names], env=environment, capture_output=True, text=True, check=False
    )


def row(first: int, text: str, state: State = "typed") -> UtteranceRow:
    """Return a row of a recording that began at sample 0 of stream 1."""
    values = {
        name: None if name in {"model", "backend", "reason"} or name.endswith("_ns") else 0
        for name in UtteranceRow.__struct_fields__
    } | {
        "ordinal": first, "first": first, "stream": 1, "boot": "", "state": state, "text": text, "heard": text,
        "spoken_ns": 0, "asleep_ns": 0, "wall_ns": 0, "segmented_ns": 0,
    }  # fmt: skip
    return msgspec.convert(values, UtteranceRow)


def played(text: str, *rows: UtteranceRow, closed: bool = True) -> Played:
    """Return a recording of which `rows` came and `text` was typed."""
    recording = Recording(
        generation=1, boot="", source="{}", requested_ns=0, stop_ns=None, cancelled=0, stream=1, first=0,
        source_offset=0, end=9, end_reason="eof", position=None, floor=None, drained=1, closed_ns=1 if closed else None,
    )  # fmt: skip
    return Played(recording, list(rows), text)


# -- the fail points ---------------------------------------------------------------------------------------------------


def test_a_point_fires_once(tmp_path: Path) -> None:
    """An armed point kills the process that reaches it, says so, and lets its successor pass."""
    failpoints.arm(tmp_path, "inject.after_type", signal.SIGKILL)
    assert reach(tmp_path, "inject.after_intent", "inject.after_type").returncode == -signal.SIGKILL
    assert (tmp_path / failpoints.FIRED).read_text().split()[::2] == ["inject.after_type", "SIGKILL"]
    assert reach(tmp_path, "inject.after_type").stdout == "through\n"


def test_a_point_may_be_taken_back(tmp_path: Path) -> None:
    """A point that was disarmed before it was reached does nothing; afterwards it is too late to take it back."""
    failpoints.arm(tmp_path, "vad.after_segment", signal.SIGKILL)
    assert failpoints.disarm(tmp_path, "vad.after_segment")
    assert reach(tmp_path, "vad.after_segment").stdout == "through\n"
    assert not failpoints.disarm(tmp_path, "vad.after_segment")


def test_without_the_variable_there_are_none(tmp_path: Path) -> None:
    """A service that was started without the variable looks for no file."""
    failpoints.arm(tmp_path, "vad.after_segment", signal.SIGKILL)
    assert reach(None, "vad.after_segment").stdout == "through\n"


def test_a_point_that_does_not_exist_cannot_be_armed(tmp_path: Path) -> None:
    """A misspelt name is refused with the list of names."""
    with pytest.raises(ValueError, match="there are: capture"):
        failpoints.arm(tmp_path, "capture.after_beginning", signal.SIGKILL)


def test_the_list_of_points_is_the_code() -> None:
    """Each point of the list stands in the stages once, and no other does."""
    code = "".join(path.read_text() for path in ACTORS.rglob("*.py") if path.name != "failpoints.py")
    assert Counter(re.findall(r'failpoint\("(.*?)"\)', code)) == Counter(failpoints.POINTS)


# -- the judge ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("One. Two. Three.", (0, 0, 0)),
        ("One. Two.", (1, 0, 0)),
        ("One. Two. Two. Three.", (0, 1, 0)),
        ("One. Three. Two.", (0, 0, 1)),
        ("One. Two. Three. Four.", (0, 1, 0)),
    ],
)
def test_the_file_is_compared_with_the_rows(text: str, verdict: tuple[int, int, int]) -> None:
    """What is missing, surplus or swapped in the file is found."""
    assert compare(text, [row(1, "One."), row(2, " Two."), row(3, " Three.")]) == verdict


@pytest.mark.parametrize(("text", "surplus"), [("One.", 0), ("One. Two.", 0), ("One. Two. Two.", 1)])
def test_a_row_in_doubt_may_be_in_the_file(text: str, surplus: int) -> None:
    """Text in doubt may stand there or not, but not twice."""
    assert compare(text, [row(1, "One."), row(2, " Two.", "in_doubt")]) == (0, surplus, 0)


def test_an_utterance_that_did_not_come_is_lost() -> None:
    """What came in peace and has no row, or a row that is not at its end, is lost; a moved boundary shows."""
    tally = Tally()
    peace = played("One. Two. Three.", row(1, "One."), row(2, " Two."), row(3, " Three."))
    tally.add(played("One.", row(1, "One."), row(4, " Three.", "segmented"), closed=False), peace)
    assert (tally.utterances, tally.lost, tally.unexpected, tally.stuck) == (3, 3, 1, 1)


# -- the service -------------------------------------------------------------------------------------------------------


def test_doubt_is_told(beckett: Path) -> None:
    """The injector dies between intent and keystroke: that one utterance is in doubt, and its successor tells so."""
    with bench_chaos.failpoint_folder() as folder, private_service() as service:
        failpoints.arm(folder, "inject.after_intent", signal.SIGKILL)
        events = [event.body for event in feed(service.paths, beckett, pace=0)]
    assert [body.state for body in events if isinstance(body, NotTyped)] == ["in_doubt"]
    assert [body.code for body in events if isinstance(body, Notice)] == ["in_doubt"]


def test_nothing_is_lost(beckett: Path) -> None:
    """Every fail point is hit, stages are killed at random and frozen, and no utterance is lost or comes twice."""
    told: list[str] = []
    report = bench_chaos.run(
        kills=len(failpoints.POINTS) + 2, seconds=12, seed=4, pace=2.0, aimed=0.9, frozen=0.05, tell=told.append
    )
    assert {name: report[name] for name in bench_chaos.ZERO} == dict.fromkeys(bench_chaos.ZERO, 0)
    assert (report["unexpected"], report["stuck"], report["not_back"]) == (0, 0, 0)
    assert report["kills"] >= len(failpoints.POINTS) + 2
    assert report["utterances"] == report["typed"] + report["suppressed"] + report["in_doubt"] + report["late"]
    assert len(report["points"]) > len(failpoints.POINTS) // 2
    assert len(told) == report["plays"]
    assert f"kills                   {report['kills']}" in bench_chaos.render(report)
