"""The conductor as a process, asked over its control socket; the test plays the other stages through the journal."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable
from typing import Any

import pytest
from stages import Stages

from sottovoce.actors.sources import Microphone, parse_source
from sottovoce.protocol.bus import Subscriber
from sottovoce.protocol.control import request
from sottovoce.protocol.exceptions import ControlError
from sottovoce.protocol.journal import Journal
from sottovoce.protocol.messages import PipelineState
from sottovoce.protocol.paths import Paths

Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def ask(paths: Paths) -> Ask:
    """Return a function that asks the conductor."""
    return lambda verb, **args: request(paths.control, verb, args)


@pytest.fixture
def conductor(stages: Stages) -> subprocess.Popen[str]:
    """Run a conductor."""
    return stages.start("conductor")


def capture(journal: Journal, generation: int, *, end: bool = True) -> None:
    """Play capture and VAD: record four seconds, with one segment in them."""
    assert journal.capture_began(generation, stream=7, first=0)
    now = time.monotonic_ns()
    journal.segmented(
        generation=generation, stream=7, first=1600, end=32_000, speech_end=30_000, position=40_000, spoken_ns=now,
        wall_ns=time.time_ns(),
    )  # fmt: skip
    if end:
        assert journal.capture_ended(generation, end=64_000, reason="stop")
        assert journal.vad_drained(generation)


def deliver(journal: Journal) -> None:
    """Play the recogniser, the transform and the injector."""
    row = journal.oldest("segmented")
    assert row is not None
    assert journal.transcribed(row.ordinal, text="Ever tried.", model="m")
    assert journal.transformed(row.ordinal, text="Ever tried.", context="{}")
    assert journal.intent(row.ordinal, backend="file")
    assert journal.typed(row.ordinal, backend="file")


def refused(ask: Ask, verb: str, **args: Any) -> ControlError:
    """Return the error of a request that must be refused."""
    with pytest.raises(ControlError) as caught:
        ask(verb, **args)
    return caught.value


def test_a_dictation_from_idle_to_idle(
    stages: Stages, paths: Paths, journal: Journal, ask: Ask, conductor: subprocess.Popen[str]
) -> None:
    """It records until told to stop, processes until all is typed, and tells each step on the bus."""
    subscriber = Subscriber(paths, ("state.pipeline",))
    told: list[PipelineState] = []

    def hear(state: str) -> bool:
        told.extend(event.body for event in subscriber.drain() if isinstance(event.body, PipelineState))
        return bool(told) and told[-1].state == state and told[-1].waiting == 0

    try:
        stages.wait_until(lambda: hear("idle"), conductor)
        started = ask("start")
        assert started == {
            "state": "recording", "generation": 1, "source": "microphone", "waiting": 0, "changed": True,
        }  # fmt: skip
        recording = journal.recording()
        assert recording is not None
        assert recording.wanted
        assert parse_source(recording.source) == Microphone()
        capture(journal, 1, end=False)
        assert ask("status")["waiting"] == 1
        assert ask("stop") == {**started, "state": "processing", "waiting": 1}
        assert not (journal.recording() or recording).wanted
        assert journal.capture_ended(1, end=64_000, reason="stop")
        assert journal.vad_drained(1)
        assert ask("status")["state"] == "processing"
        deliver(journal)
        stages.wait_until(lambda: hear("idle"), conductor)
    finally:
        subscriber.close()
    states = [state.state for state in told]
    assert list(dict.fromkeys(states)) == ["idle", "recording", "processing"]
    assert states[-1] == "idle"
    assert journal.open_recordings() == []


def test_the_end_of_a_file_ends_the_recording(
    stages: Stages, journal: Journal, ask: Ask, conductor: subprocess.Popen[str]
) -> None:
    """Nobody need say stop: where the source ends, so does the recording."""
    assert ask("start", source={"type": "file", "path": "/a.wav", "pace": 0})["source"] == "/a.wav"
    journal.capture_began(1, stream=7, first=0)
    journal.capture_ended(1, end=10, reason="eof")
    stages.wait_until(lambda: ask("status")["state"] == "processing", conductor)
    journal.vad_drained(1)
    stages.wait_until(lambda: ask("status")["state"] == "idle", conductor)


def test_a_recording_that_is_stopped_before_it_began_is_over(
    stages: Stages, ask: Ask, conductor: subprocess.Popen[str]
) -> None:
    """Where capture never opened its source there is nothing to wait for."""
    assert ask("start")["state"] == "recording"
    ask("stop")
    stages.wait_until(lambda: ask("status")["state"] == "idle", conductor)


def test_asking_twice_changes_nothing(journal: Journal, ask: Ask, conductor: subprocess.Popen[str]) -> None:
    """Start, stop and cancel say what is wanted, so saying it again is no error and does nothing."""
    assert [ask("stop")["changed"], ask("cancel")["changed"]] == [False, False]
    assert ask("start")["changed"]
    again = ask("start")
    assert (again["changed"], again["generation"], again["state"]) == (False, 1, "recording")
    capture(journal, 1, end=False)
    assert ask("stop")["changed"]
    again = ask("stop")
    assert (again["changed"], again["state"]) == (False, "processing")
    assert ask("cancel")["changed"]
    assert [row.state for row in journal.utterances()] == ["suppressed"]
    assert ask("cancel")["waiting"] == 0


def test_toggle_goes_to_and_fro(journal: Journal, ask: Ask, conductor: subprocess.Popen[str]) -> None:
    """Each press of the key begins or ends a recording; the next may begin while the last is still being typed."""
    assert ask("toggle")["state"] == "recording"
    capture(journal, 1, end=False)
    stopped = ask("toggle")
    assert (stopped["state"], stopped["generation"]) == ("processing", 1)
    assert (ask("toggle")["generation"], ask("status")["state"]) == (2, "recording")
    assert ask("toggle")["generation"] == 2


def test_cancel_gives_up_what_is_not_typed(
    stages: Stages, journal: Journal, ask: Ask, conductor: subprocess.Popen[str]
) -> None:
    """What waits is suppressed with the reason, so is what comes late of the same recording, and all is idle again."""
    ask("start")
    capture(journal, 1, end=False)
    assert ask("cancel")["state"] == "processing"
    journal.segmented(
        generation=1, stream=7, first=40_000, end=50_000, speech_end=50_000, position=50_000, spoken_ns=1, wall_ns=1
    )
    journal.capture_ended(1, end=64_000, reason="stop")
    journal.vad_drained(1)
    stages.wait_until(lambda: ask("status")["state"] == "idle", conductor)
    assert {(row.state, row.reason) for row in journal.utterances()} == {("suppressed", "cancelled")}


@pytest.mark.parametrize("state", ["recording", "processing"])
def test_a_killed_conductor_goes_on_where_it_was(
    stages: Stages, journal: Journal, ask: Ask, conductor: subprocess.Popen[str], state: str
) -> None:
    """SIGKILL loses nothing: its successor is in the same state, of the same recording, and brings it to its end."""
    ask("start")
    capture(journal, 1, end=state == "processing")
    assert ask("status" if state == "recording" else "stop")["state"] == state
    conductor.kill()
    conductor.wait()
    successor = stages.start("conductor")
    status = ask("status")
    assert (status["state"], status["generation"], status["waiting"]) == (state, 1, 1)
    if state == "recording":
        ask("stop")
        journal.capture_ended(1, end=64_000, reason="stop")
        journal.vad_drained(1)
    deliver(journal)
    stages.wait_until(lambda: ask("status")["state"] == "idle", successor)


# A request, the code of its refusal, and what the refusal says.
WRONG: tuple[tuple[tuple[str, dict[str, Any]], str, str], ...] = (
    (("sing", {}), "unknown_verb", "no verb 'sing'; there are: start, stop, cancel, toggle, status, shutdown"),
    (("start", {"sauce": 1}), "bad_arguments", "sauce"),
    (("start", {"source": "tape"}), "bad_arguments", "source"),
    (("start", {"source": {"type": "file"}}), "bad_arguments", "path"),
    (("start", {"source": {"type": "file", "path": "x", "pace": -1}}), "bad_arguments", "$.pace"),
    (("stop", {"now": True}), "bad_arguments", "now"),
    (("shutdown", {"limit": "soon"}), "bad_arguments", "limit is a number of seconds"),
    (("shutdown", {"limit": -1}), "bad_arguments", "limit is a number of seconds"),
)


def test_wrong_requests_are_refused_clearly(ask: Ask, conductor: subprocess.Popen[str]) -> None:
    """The error names the verb or the argument; the conductor is none the worse for it."""
    for (verb, args), code, said in WRONG:
        error = refused(ask, verb, **args)
        assert error.code == code
        assert said in str(error)
    assert ask("status")["state"] == "idle"


def test_a_second_file_is_refused_while_one_is_recorded(ask: Ask, conductor: subprocess.Popen[str]) -> None:
    """A file that is asked for would otherwise silently not be transcribed."""
    ask("start")
    error = refused(ask, "start", source={"type": "file", "path": "/a.wav"})
    assert error.code == "busy"
    assert "sottovoce stop" in str(error)


def test_a_shutdown_waits_and_refuses_new_recordings(
    stages: Stages, journal: Journal, ask: Ask, conductor: subprocess.Popen[str]
) -> None:
    """It ends what is recorded, lets it be typed, begins nothing new meanwhile, and then goes."""
    ask("start")
    capture(journal, 1)
    assert ask("shutdown", limit=60)["state"] == "processing"
    assert refused(ask, "start").code == "stopping"
    assert refused(ask, "toggle").code == "stopping"
    assert conductor.poll() is None
    deliver(journal)
    assert conductor.wait(10) == 0


def test_a_shutdown_does_not_wait_for_ever(journal: Journal, ask: Ask, conductor: subprocess.Popen[str]) -> None:
    """After its limit it goes though an utterance still waits; that one is in the journal."""
    ask("start")
    capture(journal, 1)
    ask("shutdown", limit=0.3)
    assert conductor.wait(10) == 0
    assert journal.unfinished() == 1


def test_old_texts_are_forgotten(stages: Stages, paths: Paths, journal: Journal) -> None:
    """`keep = "1d"` deletes at the start what was finished more than a day ago, and nothing else."""
    paths.config.write_text('[history]\nkeep = "1d"\n')
    day = 86_400 * 10**9
    for first, age, finish in ((1, 2, True), (2, 2, False), (3, 0, True)):
        journal.segmented(
            generation=1, stream=1, first=first, end=9, speech_end=9, position=9,
            spoken_ns=time.monotonic_ns() - age * day, wall_ns=time.time_ns() - age * day,
        )  # fmt: skip
        if finish:
            journal.suppressed(first, reason="test")
    conductor = stages.start("conductor")
    stages.wait_until(lambda: [row.first for row in journal.utterances()] == [2, 3], conductor)


def test_a_session_ends_with_its_texts(stages: Stages, paths: Paths, journal: Journal) -> None:
    """`keep = "session"` deletes what is finished when the service stops."""
    paths.config.write_text('[history]\nkeep = "session"\n')
    conductor = stages.start("conductor")
    journal.begin_recording('{"type": "microphone"}')
    capture(journal, 1)
    deliver(journal)
    conductor.send_signal(signal.SIGTERM)
    assert conductor.wait(10) == 0
    assert journal.utterances() == []
