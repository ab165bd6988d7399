"""The chaos bench: a service that is struck all the time loses nothing, and the judge sees it if it does."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import msgspec
import pytest
from stages import LEAN

from sottovoce.actors import failpoints, lossy
from sottovoce.actors.lossy import Channel, Shares
from sottovoce.ops import bench_chaos
from sottovoce.ops.attack import Attack, Strike
from sottovoce.ops.live import feed
from sottovoce.ops.private import PrivateService, private_service
from sottovoce.ops.verdict import Played, Tally, compare
from sottovoce.protocol.messages import Event, Notice, NotTyped, StageState
from sottovoce.protocol.paths import Paths
from sottovoce.protocol.rows import Recording, State, UtteranceRow

ACTORS = Path(__file__).parents[2] / "actors"
UNSET = {"model", "backend", "reason", "mend", "mended", "plain", "edit", "before", "stands", "place"}
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
        name: None if name in UNSET or name.endswith("_ns") else 0
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


# -- messages ----------------------------------------------------------------------------------------------------------


def through(channel: Channel[int], *messages: int) -> list[int]:
    """Return what arrives of `messages` now."""
    return list(channel(messages))


def until_all(channel: Channel[int], held: set[int]) -> list[int]:
    """Return what arrives until all of `held` has, without another message."""
    came: list[int] = []
    deadline = time.monotonic() + 20
    while not held <= set(came):
        assert time.monotonic() < deadline, "a message that was held back never came"
        came += through(channel)
    return came


def test_without_shares_all_messages_arrive(tmp_path: Path) -> None:
    """Where nothing was settled, and where that was taken back, each message arrives once and in order."""
    channel = Channel[int](tmp_path)
    assert through(channel, 1, 2, 3) == [1, 2, 3]
    lossy.settle(tmp_path, Shares(lost=1))
    assert through(channel, 4) == []
    (tmp_path / lossy.MESSAGES).unlink()
    assert through(channel, 5) == [5]


def test_shares_are_changed_while_it_runs(tmp_path: Path) -> None:
    """Lost, doubled or late, as was settled last."""
    channel = Channel[int](tmp_path)
    lossy.settle(tmp_path, Shares(doubled=1))
    came = through(channel, *range(20))
    twice = Counter(came + until_all(channel, set(range(20)) - {n for n in range(20) if came.count(n) == 2}))
    assert twice == dict.fromkeys(range(20), 2)
    lossy.settle(tmp_path, Shares(late=1))
    assert through(channel, *range(20)) == []
    assert sorted(until_all(channel, set(range(20)))) == list(range(20))


def test_the_shares_are_as_settled(tmp_path: Path) -> None:
    """Of 20,000 messages a tenth each is lost, doubled and late, and all that is counted, over all channels."""
    lossy.settle(tmp_path, Shares(lost=0.1, doubled=0.1, late=0.1, seed=1))
    for channel in (Channel[int](tmp_path), Channel[int](tmp_path)):
        for first in range(0, 10_000, 100):
            through(channel, *range(first, first + 100))
    counts = lossy.counted(tmp_path)
    assert counts.passed == 20_000
    for count in (counts.dropped, counts.doubled, counts.late):
        assert 1_700 < count < 2_300


def test_shares_are_of_one_whole(tmp_path: Path) -> None:
    """More than all messages cannot be lost, doubled and late."""
    with pytest.raises(ValueError, match="1 at most together"):
        lossy.settle(tmp_path, Shares(lost=0.5, doubled=0.5, late=0.5))


def test_a_service_of_a_person_loses_nothing() -> None:
    """Without the variable, messages pass untouched: it is the very same object."""
    messages = iter([1])
    assert lossy.received(messages) is messages  # type: ignore[arg-type,comparison-overlap]
    assert lossy.rung(messages) is messages  # type: ignore[arg-type,comparison-overlap]


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


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("One. Two.", (0, 0, 0)),
        ("One", (0, 0, 0)),
        ("One, two.", (0, 0, 0)),
        ("On, two.", (1, 1, 0)),
    ],
    ids=["nothing", "the full stop is gone", "it is mended", "more is gone"],
)
def test_a_mended_row_in_doubt(text: str, verdict: tuple[int, int, int]) -> None:
    """Where it is in doubt whether a text was mended, the one before may have lost its last character, no other."""
    doubtful = msgspec.structs.replace(row(2, " Two.", "in_doubt"), mended=", two.")
    assert compare(text, [row(1, "One."), doubtful]) == verdict


def test_an_utterance_that_did_not_come_is_lost() -> None:
    """What came in peace and has no row, or a row that is not at its end, is lost; a moved boundary shows."""
    tally = Tally()
    peace = played("One. Two. Three.", row(1, "One."), row(2, " Two."), row(3, " Three."))
    tally.add(played("One.", row(1, "One."), row(4, " Three.", "segmented"), closed=False), peace)
    assert (tally.utterances, tally.lost, tally.unexpected, tally.stuck) == (3, 3, 1, 1)


@pytest.fixture
def attack(tmp_path: Path) -> Attack:
    """One at a service that is not there."""
    paths = Paths(tmp_path / "run", tmp_path / "state", tmp_path / "config.toml")
    return Attack(
        PrivateService(paths, tmp_path / "typed", 0.0), tmp_path, random.Random(1), kills=3, every=1, aimed=0, frozen=0,
        supervisord=0,
    )  # fmt: skip


def test_recovery_is_told_with_and_without_the_load(attack: Attack) -> None:
    """What the successor's engine took to load is left out; a strike whose load is unknown is not counted there."""
    second = 10**9
    attack.strikes = [
        Strike("stt-final", 1, signal.SIGKILL, 0, back_ns=2 * second, successor=2),
        Strike("stt-final", 2, signal.SIGKILL, 3 * second, back_ns=9 * second, successor=3),
        Strike("inject", 4, signal.SIGKILL, 10 * second, back_ns=11 * second, successor=5),
        Strike("supervisord", 6, signal.SIGKILL, 12 * second, back_ns=15 * second),
    ]
    report = attack.report({("stt-final", 2): 1.5})
    assert report["recovery_s"] == {"n": 3, "p50": 2.0, "p95": 5.6, "max": 6.0}
    assert report["recovery_without_load_s"] == {"n": 2, "p50": 0.75, "p95": 0.975, "max": 1.0}
    assert report["load_s"]["stt-final"]["max"] == 1.5
    assert report["up_again_s"]["max"] == 3.0


def test_a_stage_that_fell_unseen_is_back(attack: Attack, tmp_path: Path) -> None:
    """A fail point that fired while the attack looked elsewhere is noted before the `ready` of the next process."""
    (tmp_path / failpoints.FIRED).write_text("inject.after_type 7 SIGKILL 1000\n")
    ready = StageState(stage="inject", pid=8, state="ready")
    attack.hear(Event(src="inject", boot="b", seq=1, t_ns=2000, trace="", topic="state.stage", body=ready))
    assert [(strike.pid, strike.successor) for strike in attack.strikes] == [(7, 8)]
    assert not attack.waiting


# -- the service -------------------------------------------------------------------------------------------------------


def test_doubt_is_told(beckett: Path) -> None:
    """The injector dies between intent and keystroke: that one utterance is in doubt, and its successor tells so."""
    with bench_chaos.failpoint_folder() as folder, private_service(config=LEAN) as service:
        failpoints.arm(folder, "inject.after_intent", signal.SIGKILL)
        events = [event.body for event in feed(service.paths, beckett, pace=0)]
    assert [body.state for body in events if isinstance(body, NotTyped)] == ["in_doubt"]
    told = [body.code for body in events if isinstance(body, Notice)]
    assert [code for code in told if code != "stalled"] == ["in_doubt"]  # supervisord may be, on a busy machine


def test_nothing_is_lost(beckett: Path) -> None:
    """Fail points, random kills and freezes, supervisord, lost, doubled and late messages: nothing lost or twice."""
    told: list[str] = []
    report = bench_chaos.run(
        kills=len(failpoints.POINTS) + 2, seconds=12, seed=4, pace=2.0, aimed=0.85, frozen=0.05, supervisord=0.08,
        loss=0.1, tell=told.append,
    )  # fmt: skip
    assert not bench_chaos.failed(report), {name: report[name] for name in bench_chaos.ZERO}
    assert (report["unexpected"], report["stuck"], report["not_back"]) == (0, 0, 0)
    assert report["kills"] >= len(failpoints.POINTS) + 2
    assert report["utterances"] == report["typed"] + report["suppressed"] + report["in_doubt"] + report["late"]
    assert len(report["points"]) > len(failpoints.POINTS) // 2
    assert len(told) == report["plays"]
    assert min(report[name] for name in ("dropped", "doubled", "delayed", "supervisord_kills")) > 0
    assert f"kills                   {report['kills']}" in bench_chaos.render(report)
