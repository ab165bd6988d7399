"""The conductor as a process, asked over its control socket; the test plays the other stages through the journal."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stages import DEADLINE_S, Stages

from sottovoce.actors.key import REPEAT_NS, Key
from sottovoce.actors.sources import Microphone, parse_source
from sottovoce.protocol.bus import Subscriber
from sottovoce.protocol.control import request
from sottovoce.protocol.exceptions import ControlError
from sottovoce.protocol.journal import Journal
from sottovoce.protocol.messages import Notice, PipelineState
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
    (("sing", {}), "unknown_verb", "no verb 'sing'; there are: start, stop, cancel, toggle, ptt, status, shutdown"),
    (("start", {"sauce": 1}), "bad_arguments", "sauce"),
    (("start", {"source": "tape"}), "bad_arguments", "source"),
    (("start", {"source": {"type": "file"}}), "bad_arguments", "path"),
    (("start", {"source": {"type": "file", "path": "x", "pace": -1}}), "bad_arguments", "$.pace"),
    (("stop", {"now": True}), "bad_arguments", "now"),
    (("shutdown", {"limit": "soon"}), "bad_arguments", "limit is a number of seconds"),
    (("shutdown", {"limit": -1}), "bad_arguments", "limit is a number of seconds"),
    (("start", {"source": {"type": "microphone", "hold": 1}}), "bad_arguments", "ask for `ptt`"),
    (("ptt", {}), "bad_arguments", "edge"),
    (("ptt", {"edge": "sideways"}), "bad_arguments", '"down"'),
    (("ptt", {"edge": "up", "source": {"type": "microphone"}}), "bad_arguments", '"up"'),
    (("ptt", {"edge": "down", "source": {"type": "file"}}), "bad_arguments", "path"),
    (("ptt", {"edge": "down", "at_ns": 2**62}), "bad_arguments", "not one to come"),
    (("ptt", {"edge": "down", "at_ns": True}), "bad_arguments", "at_ns"),
    (("ptt", {"edge": "up", "at_ns": 0}), "bad_arguments", "at_ns"),
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
    assert refused(ask, "ptt", edge="down").code == "stopping"
    assert conductor.poll() is None
    deliver(journal)
    assert conductor.wait(DEADLINE_S) == 0


def test_a_shutdown_does_not_wait_for_ever(journal: Journal, ask: Ask, conductor: subprocess.Popen[str]) -> None:
    """After its limit it goes though an utterance still waits; that one is in the journal."""
    ask("start")
    capture(journal, 1)
    ask("shutdown", limit=0.3)
    assert conductor.wait(DEADLINE_S) == 0
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
    assert conductor.wait(DEADLINE_S) == 0
    assert journal.utterances() == []


# -- push-to-talk ------------------------------------------------------------------------------------------------------


def recordings(journal: Journal) -> int:
    """Return the generation of the newest recording."""
    newest = journal.recording()
    return newest.generation if newest else 0


def test_a_recording_lasts_while_the_key_is_down(journal: Journal, ask: Ask, conductor: subprocess.Popen[str]) -> None:
    """The press begins it and is noted with it, the release ends it; the next press begins another."""
    before = time.monotonic_ns()
    pressed = ask("ptt", edge="down")
    assert (pressed["state"], pressed["changed"]) == ("recording", True)
    newest = journal.recording()
    assert newest is not None
    assert before <= (parse_source(newest.source).hold or 0) <= time.monotonic_ns()
    capture(journal, 1, end=False)
    released = ask("ptt", edge="up")
    assert (released["state"], released["changed"]) == ("processing", True)
    assert ask("ptt", edge="down")["generation"] == 2


def test_edges_that_are_told_again_change_nothing(journal: Journal, ask: Ask, conductor: subprocess.Popen[str]) -> None:
    """A held key repeats its press; whoever got no answer tells the same edge once more."""
    pressed = time.monotonic_ns()
    assert ask("ptt", edge="down", at_ns=pressed)["changed"]
    assert not any(ask("ptt", edge="down", at_ns=at)["changed"] for at in (pressed, *[time.monotonic_ns()] * 50))
    released = time.monotonic_ns()
    assert ask("ptt", edge="up", at_ns=released)["changed"]
    assert not any(ask("ptt", edge="up", at_ns=at)["changed"] for at in (released, time.monotonic_ns()))
    assert recordings(journal) == 1


@pytest.mark.parametrize("verb", ["start", "toggle"])
def test_the_key_ends_no_recording_that_it_did_not_begin(
    journal: Journal, ask: Ask, conductor: subprocess.Popen[str], verb: str
) -> None:
    """Press, release and repeats during a recording that was begun otherwise leave it as it is."""
    ask("ptt", edge="down")
    ask("stop")
    assert ask(verb)["generation"] == 2
    for edge in ("up", "up", "down", "down", "up"):
        answer = ask("ptt", edge=edge)
        assert (answer["state"], answer["generation"], answer["changed"]) == ("recording", 2, False)
    newest = journal.recording()
    assert newest is not None
    assert parse_source(newest.source).hold is None


@pytest.mark.parametrize("killed", [False, True])
def test_a_press_that_comes_after_its_release_begins_nothing(
    stages: Stages, journal: Journal, ask: Ask, conductor: subprocess.Popen[str], killed: bool
) -> None:
    """The release overtook it; a conductor that was killed in between knows that from its predecessor."""
    pressed = time.monotonic_ns()
    assert not ask("ptt", edge="up")["changed"]
    if killed:
        conductor.kill()
        conductor.wait()
        stages.start("conductor")
    assert not ask("ptt", edge="down", at_ns=pressed)["changed"]
    assert recordings(journal) == 0
    assert ask("ptt", edge="down")["changed"]


def test_a_release_that_comes_after_the_next_press_ends_nothing(
    journal: Journal, ask: Ask, conductor: subprocess.Popen[str]
) -> None:
    """The key is down again by then."""
    released = time.monotonic_ns()
    ask("ptt", edge="down")
    assert not ask("ptt", edge="up", at_ns=released)["changed"]
    assert ask("status")["state"] == "recording"
    assert ask("ptt", edge="up")["changed"]


def test_a_release_is_honoured_by_the_successor_of_a_killed_conductor(
    stages: Stages, journal: Journal, ask: Ask, conductor: subprocess.Popen[str]
) -> None:
    """SIGKILL between press and release: the recording is still the key's."""
    ask("ptt", edge="down")
    conductor.kill()
    conductor.wait()
    stages.start("conductor")
    assert not ask("ptt", edge="down")["changed"]
    assert ask("ptt", edge="up")["changed"]
    assert recordings(journal) == 1


def test_a_release_that_a_killed_conductor_had_noted_is_carried_out(
    stages: Stages, paths: Paths, journal: Journal, ask: Ask, conductor: subprocess.Popen[str]
) -> None:
    """SIGKILL between taking the release in and journalling it: the successor ends the recording unasked."""
    ask("ptt", edge="down")
    conductor.kill()
    conductor.wait()
    Key(paths.runtime / "conductor.key").release(time.monotonic_ns())
    successor = stages.start("conductor")
    stages.wait_until(lambda: ask("status")["state"] == "idle", successor)


@pytest.mark.parametrize("killed", [False, True])
def test_a_lost_release_ends_by_the_limit(stages: Stages, paths: Paths, journal: Journal, killed: bool) -> None:
    """After `[ptt] limit`, counted over restarts, the recording ends and a notice says why; repeats begin no other."""
    paths.config.write_text("[ptt]\nlimit = 1.0\n")
    conductor = stages.start("conductor")
    subscriber = Subscriber(paths, ("notice",))

    def ask(verb: str, **args: Any) -> dict[str, Any]:
        return request(paths.control, verb, args)

    told: list[str] = []

    def over() -> bool:
        told.extend(event.body.code for event in subscriber.drain() if isinstance(event.body, Notice))
        return bool(told) and ask("status")["state"] == "idle"

    try:
        pressed = time.monotonic_ns() - 10 * REPEAT_NS
        assert ask("ptt", edge="down", at_ns=pressed)["changed"]
        asked = journal.recording()
        assert asked is not None
        if killed:
            conductor.kill()
            conductor.wait()
            stages.wait_until(lambda: time.monotonic_ns() - asked.requested_ns > 10**9)
            conductor = stages.start("conductor")
        stages.wait_until(over, conductor)
    finally:
        subscriber.close()
    assert told == ["ptt"]
    ended = journal.recording()
    assert ended is not None
    assert (ended.stop_ns or 0) - ended.requested_ns > 10**9
    assert not ask("ptt", edge="down", at_ns=pressed + REPEAT_NS // 2)["changed"]
    assert ask("ptt", edge="down")["changed"]  # no repeat can come so late: the key was up in between


def test_the_limit_is_for_the_key_alone(stages: Stages, paths: Paths, ask: Ask, journal: Journal) -> None:
    """A recording that was begun with `start` goes on for as long as it is wanted."""
    paths.config.write_text("[ptt]\nlimit = 1.0\n")
    conductor = stages.start("conductor")
    ask("start")
    asked = journal.recording()
    assert asked is not None
    stages.wait_until(lambda: time.monotonic_ns() - asked.requested_ns > 1.6e9, conductor)
    assert ask("status")["state"] == "recording"


EDGES = st.tuples(st.sampled_from(["down", "up"]), st.integers(0, 7))
KILL = ("kill", 0)
KILL_AT = st.none() | st.integers(0, 11)  # once at most: a restart takes half a second
INTERLEAVED = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


class Played:
    """A conductor that edges at times of an example's own are told to, and that may be killed in between."""

    def __init__(self, stages: Stages, ask: Ask) -> None:
        self.stages, self.ask = stages, ask
        self.conductor = stages.start("conductor")

    def begin(self) -> None:
        """Let the key be up and nothing be recorded; from here on times count."""
        self.ask("ptt", edge="up")
        self.ask("cancel")
        self.base = time.monotonic_ns()

    def tell(self, what: str, at: int) -> dict[str, Any]:
        """Tell an edge that was made `at` ns after the beginning, or something else, and return the answer."""
        if what == "kill":
            self.conductor.kill()
            self.conductor.wait()
            self.conductor = self.stages.start("conductor")
            return self.ask("status")
        return self.ask("ptt", edge=what, at_ns=self.base + at) if what in ("down", "up") else self.ask(what)


def test_only_the_newest_edges_matter(stages: Stages, ask: Ask) -> None:
    """In whatever order and number edges arrive, a recording is on if the newest press is newer than all releases.

    That holds after each of them, and a conductor that is killed in between makes no difference.
    """
    played = Played(stages, ask)

    @INTERLEAVED
    @given(st.lists(EDGES, min_size=1, max_size=12), KILL_AT)
    def check(edges: list[tuple[str, int]], kill_at: int | None) -> None:
        played.begin()
        if kill_at is not None:
            edges = [*edges[:kill_at], KILL, *edges[kill_at:]]
        newest = {"down": -1, "up": -1, "kill": 0}
        for edge, at in edges:
            newest[edge] = max(newest[edge], at)
            state = played.tell(edge, at)["state"]
            assert (state == "recording") == (newest["down"] > newest["up"])

    check()


def test_edges_among_other_requests(stages: Stages, ask: Ask) -> None:
    """No edge ends a recording that was begun otherwise; none that the key began outlasts the newest release."""
    played = Played(stages, ask)
    others = st.sampled_from([("start", 0), ("stop", 0), ("toggle", 0), ("cancel", 0)])

    @INTERLEAVED
    @given(st.lists(EDGES | others, min_size=2, max_size=14), KILL_AT)
    def check(steps: list[tuple[str, int]], kill_at: int | None) -> None:
        played.begin()
        if kill_at is not None:
            steps = [*steps[:kill_at], KILL, *steps[kill_at:]]
        newest = {"down": -1, "up": -1}
        free = 0  # the recording that is on and was not begun by the key
        for step, at in steps:
            answer = played.tell(step, at)
            if step in newest:
                newest[step] = max(newest[step], at)
            if step in ("start", "toggle") and answer["changed"] and answer["state"] == "recording":
                free = answer["generation"]
            elif step in ("stop", "toggle", "cancel"):
                free = 0
            if free:
                assert (answer["state"], answer["generation"]) == ("recording", free)
            elif newest["up"] >= newest["down"]:
                assert answer["state"] != "recording"

    check()
