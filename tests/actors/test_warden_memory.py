"""What is weighed, when it is too heavy, and which moments are quiet."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import get_args

import pytest

from sottovoce.actors.memory import RECOGNISERS, Excess, Quiet, Scales, pss
from sottovoce.protocol.bus import STAGES
from sottovoce.protocol.config import Stage
from sottovoce.protocol.journal import Journal
from sottovoce.protocol.messages import Body, Event, SegmentClosed, SegmentsDrained, SpeechOnset

EATER = "import sys; held = []; print()\nfor line in sys.stdin: held.append(bytes(range(256)) * 80_000); print()"
"""Takes 20 MB more for each line that it is sent."""
BRIDGED = "import subprocess, sys; subprocess.run([sys.executable, '-u', '-c', sys.argv[1]], check=True)"
"""Takes nothing itself, and has started what does: a recogniser whose engine is a child program."""
Process = subprocess.Popen[str]


@pytest.fixture
def eater() -> Iterator[Process]:
    """A process that grows when told to."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", EATER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    yield process
    process.kill()
    process.communicate()


@pytest.fixture
def parent() -> Iterator[Process]:
    """A process with a child that grows when told to, and ends with its input."""
    process = subprocess.Popen(
        [sys.executable, "-c", BRIDGED, EATER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    yield process
    process.communicate()


def grow(process: Process) -> None:
    """Have it take another 20 MB."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    process.stdout.readline()


def weigh(scales: Scales, turns: int = 3) -> list[Excess]:
    """Weigh a few times, as soon as the scales are ready again."""
    found = []
    for _ in range(turns):
        scales._due = 0.0
        if (excess := scales.weigh()) is not None:
            found.append(excess)
    return found


def event(body: Body) -> Event:
    """Return an event of the VAD."""
    return Event(src="vad", boot="", seq=1, t_ns=1, trace="", topic="", body=body)


def test_growth_is_found(eater: Process) -> None:
    """A process that needs so much more than at first is found, with the figures; one that grew less is not."""
    scales = Scales(growth=30, limits={}, every=0.0)
    assert scales.first("vad", eater.pid) is None
    grow(eater)
    assert weigh(scales) == []
    grow(eater)
    (excess, *_) = weigh(scales)
    assert (excess.stage, excess.pid) == ("vad", eater.pid)
    assert 35e6 < excess.now - excess.first < 50e6
    assert " MB when it was ready" in str(excess)


def test_an_absolute_limit(eater: Process) -> None:
    """A stage with a limit of its own is found when it is beyond that, however little it has grown."""
    size = pss("vad", eater.pid)
    assert size is not None
    scales = Scales(growth=10_000, limits={"vad": size // 10**6 + 10}, every=0.0)
    assert scales.first("vad", eater.pid) is None
    assert weigh(scales) == []
    grow(eater)
    assert weigh(scales)[0].stage == "vad"


def test_a_limit_that_cannot_be_held(eater: Process) -> None:
    """A limit below what the stage needs to be ready would restart it for ever: it is told once, and ignored."""
    scales = Scales(growth=10_000, limits={"vad": 1}, every=0.0)
    assert "[warden.memory] vad = 1 is ignored" in str(scales.first("vad", eater.pid))
    assert scales.first("vad", eater.pid) is None
    grow(eater)
    assert weigh(scales) == []


@pytest.mark.parametrize("stage", RECOGNISERS)
def test_the_child_program_of_a_recogniser_counts(stage: str, parent: Process) -> None:
    """The model of a bridge is in a program that the recogniser has started: that one's growth is the stage's."""
    scales = Scales(growth=30, limits={}, every=0.0)
    assert scales.first(stage, parent.pid) is None
    grow(parent)
    assert weigh(scales) == []
    grow(parent)
    (excess, *_) = weigh(scales)
    assert (excess.stage, excess.pid) == (stage, parent.pid)
    assert 35e6 < excess.now - excess.first < 50e6


def test_what_others_start_does_not_count(parent: Process) -> None:
    """A hook is a program of the person's: what it takes is no reason to restart the stage that calls it."""
    scales = Scales(growth=30, limits={}, every=0.0)
    assert scales.first("transform", parent.pid) is None
    for _ in range(3):
        grow(parent)
    assert weigh(scales) == []


def test_each_in_turn(eater: Process) -> None:
    """One stage is weighed at a time, the longest unweighed first, and a rest follows."""
    scales = Scales(growth=1, limits={}, every=60.0)
    for stage in ("vad", "inject", "capture"):
        scales.first(stage, eater.pid)
    grow(eater)
    assert [excess.stage for excess in weigh(scales, 4)] == ["vad", "inject", "capture", "vad"]
    assert scales.weigh() is None


def test_the_dead_weigh_nothing(eater: Process) -> None:
    """A process that has ended, reaped or not, has no size, and is forgotten."""
    scales = Scales(growth=1, limits={}, every=0.0)
    scales.first("vad", eater.pid)
    eater.kill()
    eater.communicate()
    assert pss("vad", eater.pid) is None
    assert weigh(scales) == []
    assert scales.first("vad", eater.pid) is None


@pytest.fixture
def quiet(journal: Journal) -> Quiet:
    """Who knows when nobody speaks."""
    return Quiet(journal, max_segment=24.0)


def test_speech_is_not_quiet(quiet: Quiet) -> None:
    """From its onset to its end, an utterance is no moment to restart anything; a pause within it neither."""
    assert quiet.now("vad")
    ends: list[Callable[[], Body]] = [
        lambda: SegmentClosed(stream=1, first=1, end=9, speech_end=8, reason="silence"),
        lambda: SegmentsDrained(generation=1),
    ]
    for end in ends:
        quiet.hear(event(SpeechOnset(stream=1, first=1)))
        assert not quiet.now("vad")
        quiet.hear(event(end()))
        assert quiet.now("vad")


def test_a_lost_end_does_not_last(quiet: Quiet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the end of an utterance is never heard of, it is over when no utterance could be so long."""
    quiet.hear(event(SpeechOnset(stream=1, first=1)))
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 30.0)
    assert quiet.now("vad")


def test_what_waits_is_not_quiet(quiet: Quiet, journal: Journal) -> None:
    """Until what was said is typed nothing is restarted, and in a recording never capture."""
    generation = journal.begin_recording('{"type":"microphone"}')
    assert (quiet.now("stt-final"), quiet.now("capture")) == (True, False)
    journal.capture_began(generation, stream=7, first=0)
    journal.segmented(generation=generation, stream=7, first=0, end=9, speech_end=8, position=9, spoken_ns=1, wall_ns=1)
    assert not quiet.now("stt-final")
    row = journal.oldest("segmented")
    assert row is not None
    journal.suppressed(row.ordinal, reason="no words")
    assert quiet.now("stt-final")
    journal.stop_recording(generation)
    assert quiet.now("capture")


def test_every_stage_may_have_a_limit() -> None:
    """`[warden.memory]` takes the names of all stages that the warden watches."""
    assert set(get_args(Stage)) == set(STAGES) - {"warden"}
