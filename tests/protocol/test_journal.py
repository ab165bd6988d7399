"""The journal, one process: what each transition may change, recordings, files, versions."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sottovoce.protocol.clocks import boot_id, now_ns, suspended_ns
from sottovoce.protocol.database import SCHEMA_VERSION
from sottovoce.protocol.exceptions import JournalError
from sottovoce.protocol.journal import Journal
from sottovoce.protocol.paths import Paths
from sottovoce.protocol.rows import UNFINISHED

Open = Callable[..., Journal]
OTHER_BOOT = "00000000-0000-4000-8000-000000000000"


def enter(journal: Journal, *, first: int = 0, generation: int = 1, stream: int = 1, wall_ns: int = 1_000) -> bool:
    """Enter an utterance of a tenth of a second."""
    return journal.segmented(
        generation=generation, stream=stream, first=first, end=first + 1600, speech_end=first + 1500,
        spoken_ns=now_ns(), position=first + 1700, wall_ns=wall_ns,
    )  # fmt: skip


TRANSITIONS: dict[str, tuple[Callable[[Journal, int], bool], dict[str, str]]] = {
    "transcribed": (lambda j, n: j.transcribed(n, text="heard it", model="tiny"), {"segmented": "transcribed"}),
    "suppressed": (
        lambda j, n: j.suppressed(n, reason="noise", text="uh", model="tiny"),
        {"segmented": "suppressed", "transcribed": "suppressed"},
    ),
    "transformed": (lambda j, n: j.transformed(n, text="Heard it.", context="{}"), {"transcribed": "transformed"}),
    "intent": (lambda j, n: j.intent(n, backend="wtype"), {"transformed": "intent"}),
    "typed": (lambda j, n: j.typed(n, backend="wtype"), {"intent": "typed"}),
    "nothing_typed": (lambda j, n: j.nothing_typed(n, reason="no display"), {"intent": "transformed"}),
    "in_doubt": (lambda j, n: j.in_doubt(n, reason="time-out"), {"intent": "in_doubt"}),
    "late": (lambda j, n: j.late(n, reason="31 s"), {"transformed": "late"}),
    "edited": (lambda j, n: j.edited(n, backend="wtype", edit='{"does":"scratch"}'), {"intent": "typed"}),
    "refused": (
        lambda j, n: j.refused(n, reason="nothing was typed"),
        {"transformed": "suppressed", "intent": "suppressed"},
    ),
}
ROADS = {
    "segmented": (),
    "transcribed": ("transcribed",),
    "transformed": ("transcribed", "transformed"),
    "intent": ("transcribed", "transformed", "intent"),
    "typed": ("transcribed", "transformed", "intent", "typed"),
    "suppressed": ("suppressed",),
    "late": ("transcribed", "transformed", "late"),
    "in_doubt": ("transcribed", "transformed", "intent", "in_doubt"),
}


def lead(journal: Journal, state: str, *, first: int = 0, generation: int = 1, wall_ns: int = 1_000) -> int:
    """Enter an utterance, bring it to `state`, and return its ordinal."""
    assert enter(journal, first=first, generation=generation, wall_ns=wall_ns)
    ordinal = journal.utterances()[-1].ordinal
    for step in ROADS[state]:
        assert TRANSITIONS[step][0](journal, ordinal)
    assert journal.utterance(ordinal).state == state
    return ordinal


# -- transitions -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("keep", ["30d", "none"])
@pytest.mark.parametrize("name", TRANSITIONS)
@pytest.mark.parametrize("state", ROADS)
def test_every_transition_from_every_state(journal: Open, state: str, name: str, keep: str) -> None:
    """From each state each transition either is allowed and moves that one row, or says False and changes nothing."""
    one, other = journal(keep=keep), journal(keep=keep)
    bystander = lead(one, state, first=100_000)
    ordinal = lead(one, state)
    call, allowed = TRANSITIONS[name]
    before, beside, context = one.utterance(ordinal), one.utterance(bystander), one.context()[0]
    assert call(other, ordinal) is (state in allowed)
    after = one.utterance(ordinal)
    if state in allowed:
        assert after.state == allowed[state]
        # Once more is a replay: no change, unless the new state allows it as well.
        assert call(one, ordinal) is (after.state in allowed)
        assert one.utterance(ordinal) == after
    else:
        assert after == before
        assert one.context()[0] == context
    assert one.utterance(bystander) == beside


@pytest.mark.parametrize("name", TRANSITIONS)
def test_unknown_ordinal(journal: Open, name: str) -> None:
    """A transition of an utterance that is not there says False."""
    one = journal()
    lead(one, "segmented")
    assert TRANSITIONS[name][0](one, 99) is False
    with pytest.raises(JournalError, match="no utterance 99"):
        one.utterance(99)


def test_what_each_step_notes(journal: Open) -> None:
    """Text, model, back end and the time of each step are in the row, and the steps' times grow."""
    row = journal().utterance(lead(journal(), "typed"))
    assert (row.heard, row.text, row.model, row.backend, row.reason) == ("heard it", "Heard it.", "tiny", "wtype", None)
    times = [row.segmented_ns, row.transcribed_ns, row.transformed_ns, row.intent_ns, row.typed_ns]
    assert None not in times
    assert times == sorted(times)  # type: ignore[type-var]
    assert list(row.timings_ms()) == ["transcribed", "transformed", "typed"]
    assert row.timings_ms()["typed"] >= row.timings_ms()["transcribed"] >= 0
    assert row.trace == "1-0"


def test_reasons(journal: Open) -> None:
    """Why something was not typed is kept, and a proof that nothing was typed keeps the text for another try."""
    one = journal()
    assert [one.utterance(lead(one, state, first=first)).reason for state, first in
            (("suppressed", 0), ("late", 2000), ("in_doubt", 4000))] == ["noise", "31 s", "time-out"]  # fmt: skip
    again = lead(one, "intent", first=6000)
    assert one.nothing_typed(again, reason="no display")
    assert one.utterance(again).text == "Heard it."
    assert one.intent(again, backend="xdotool")
    assert one.typed(again, backend="xdotool")
    assert one.utterance(again).backend == "xdotool"


def test_replayed_segment(journal: Open) -> None:
    """Entering a known key again is a no-op, whatever became of it: rows, ordinals and order stay."""
    one = journal()
    generation = one.begin_recording("{}")
    for first, state in enumerate(ROADS):
        lead(one, state, first=first * 2000, generation=generation)
    before = one.utterances()
    for first in range(len(ROADS)):
        assert enter(one, first=first * 2000, generation=generation) is False
    assert one.utterances() == before
    assert enter(one, first=90_000, generation=generation)
    assert one.utterances()[:-1] == before
    assert one.utterances()[-1].first == 90_000


def test_key_is_stream_and_first(journal: Open) -> None:
    """The same first sample of another capture stream is another utterance."""
    one = journal()
    assert enter(one, first=5, stream=1)
    assert enter(one, first=5, stream=2)
    assert [(row.stream, row.first) for row in one.utterances()] == [(1, 5), (2, 5)]


@pytest.mark.parametrize("mended", [False, True])
def test_a_text_that_mends_the_one_before(journal: Open, mended: bool) -> None:
    """Once it is typed, both rows say what stands on the screen: with the full stop taken back, or with both as was."""
    one = journal()
    before = lead(one, "typed")
    assert enter(one, first=2_000)
    assert one.transcribed(before + 1, text="and saw", model="tiny", mend=",")
    assert one.transformed(before + 1, text=" And saw.", mended=", and saw.", context="{}")
    assert one.intent(before + 1, backend="wtype")
    assert one.typed(before + 1, backend="wtype", mended=mended)
    texts = [row.text for row in one.utterances()]
    assert texts == (["Heard it", ", and saw."] if mended else ["Heard it.", " And saw."])


def test_the_plain_text_beside_the_one_that_was_made_of_it(journal: Open) -> None:
    """Where a hook or a rewrite changed a text, both can be read after it was typed; where none did, there is one."""
    one = journal()
    assert enter(one)
    assert one.transcribed(1, text="hello there", model="tiny")
    assert one.transformed(1, text="Good day.", plain="Hello there.", context="{}")
    assert one.intent(1, backend="wtype")
    assert one.typed(1, backend="wtype")
    assert (one.utterance(1).heard, one.utterance(1).plain, one.utterance(1).text) == (
        "hello there", "Hello there.", "Good day.",
    )  # fmt: skip
    assert enter(one, first=2_000)
    assert one.transcribed(2, text="and so", model="tiny")
    assert one.transformed(2, text=" And so.", context="{}")
    assert one.utterance(2).plain is None


def test_context_is_committed_with_its_text(journal: Open) -> None:
    """The transform's context changes with a text that was accepted, and stays with one that was refused."""
    one = journal()
    assert one.context() == ("", None)
    first, second = lead(one, "transcribed"), lead(one, "transcribed", first=2000)
    assert one.transformed(first, text="One.", context="after one")
    assert one.transformed(first, text="Other.", context="after other") is False
    context, last = journal().context()
    assert context == "after one"
    assert last == one.utterance(first)
    assert one.transformed(second, text="Two.", context="after two")
    assert journal().context() == ("after two", one.utterance(second))


def test_what_types_nothing_may_leave_a_context(journal: Open) -> None:
    """What asks for capitals is suppressed, for it types nothing; what it changes is kept with that, or not at all."""
    one = journal()
    first = lead(one, "transcribed")
    assert one.suppressed(first, reason="nothing to type", context='{"caps": "upper"}')
    remembered, last = one.context()
    assert remembered == '{"caps": "upper"}'
    assert last is not None
    assert (last.ordinal, last.state) == (first, "suppressed")
    assert not one.suppressed(first, reason="again", context="{}")
    assert one.context()[0] == remembered
    second = lead(one, "suppressed", first=5_000)
    assert one.utterance(second).transformed_ns is None
    assert one.context()[1] == last


def test_a_failed_step_is_undone(journal: Open) -> None:
    """Where the second half of a step cannot be written, the first is not there either."""
    one = journal()
    ordinal = lead(one, "transcribed")
    before = one.utterance(ordinal)
    with pytest.raises(UnicodeEncodeError):
        one.transformed(ordinal, text="Heard it.", context="\ud800")
    assert journal().utterance(ordinal) == one.utterance(ordinal) == before
    assert one.transformed(ordinal, text="Heard it.", context="{}")


def test_oldest_in_spoken_order(journal: Open) -> None:
    """A stage that asks for its own and the earlier states sees when an earlier utterance is not there yet."""
    one = journal()
    slow = lead(one, "segmented")
    ready = lead(one, "transformed", first=2000)
    typed = lead(one, "typed", first=4000)

    def oldest(*states: Any) -> int | None:
        row = one.oldest(*states)
        return None if row is None else row.ordinal

    assert oldest(*UNFINISHED) == slow
    assert oldest("transformed") == ready
    assert oldest("transcribed", "transformed") == ready
    assert oldest("intent") is None
    assert one.unfinished() == 2
    assert one.suppressed(slow, reason="no words")
    assert oldest(*UNFINISHED) == ready
    assert one.unfinished() == one.unfinished(1) == 1
    assert one.unfinished(2) == 0
    assert [row.ordinal for row in one.utterances()] == [slow, ready, typed]
    assert [row.ordinal for row in one.utterances(limit=2)] == [ready, typed]
    assert one.utterances(generation=2) == []


# -- age ---------------------------------------------------------------------------------------------------------------


def test_age(journal: Open) -> None:
    """Age counts from when it was spoken, the machine's sleep included."""
    one = journal()
    began = now_ns() - 5 * 10**9
    one.segmented(
        generation=1, stream=1, first=0, end=10, speech_end=9, spoken_ns=began, position=10, wall_ns=time.time_ns()
    )
    row = one.utterance(1)
    assert 5.0 <= row.age_s() < 60.0
    assert abs(row.asleep_ns - suspended_ns()) < 10**9


def test_age_in_another_boot(journal: Open, other_boot: Callable[[], None]) -> None:
    """What another boot left is infinitely old, so that it is never typed into this one."""
    ordinal = lead(journal(), "transformed")
    other_boot()
    assert journal().utterance(ordinal).age_s() == float("inf")


@pytest.fixture
def other_boot(paths: Paths) -> Callable[[], None]:
    """Return a function that makes all that is in the journal another boot's."""

    def rewrite() -> None:
        database = sqlite3.connect(paths.state / "journal.db")
        with database:
            database.execute("UPDATE recording SET boot = ?", (OTHER_BOOT,))
            database.execute("UPDATE utterance SET boot = ?", (OTHER_BOOT,))
        database.close()

    return rewrite


# -- recordings --------------------------------------------------------------------------------------------------------


def test_recording_is_state(journal: Open) -> None:
    """What the conductor wants is there for whoever asks, and generations only grow."""
    one, other = journal(), journal()
    assert one.recording() is None
    first = one.begin_recording('{"type":"microphone"}')
    seen = other.recording()
    assert seen is not None
    assert (seen.generation, seen.source, seen.wanted, seen.boot) == (first, '{"type":"microphone"}', True, boot_id())
    second = other.begin_recording("{}")
    assert second > first
    newest, older = one.recording(), one.recording(first)
    assert newest is not None
    assert newest.generation == second
    assert older == seen
    assert one.recording(99) is None


def test_stop_once(journal: Open) -> None:
    """The first stop counts; a second one is told so and changes nothing."""
    one = journal()
    generation = one.begin_recording("{}")
    assert one.stop_recording(generation)
    stopped = one.recording()
    assert stopped is not None
    assert not stopped.wanted
    assert one.stop_recording(generation) is False
    assert one.recording() == stopped
    assert one.stop_recording(99) is False


def test_capture_guards(journal: Open) -> None:
    """Capture may begin, or go on in a new ring, only while the recording is wanted; it ends once."""
    one = journal()
    generation = one.begin_recording("{}")
    assert one.undrained() is None
    assert one.capture_began(generation, stream=7, first=1000)
    assert one.vad_moved(generation, stream=7, position=5000, floor=4800)
    assert one.capture_began(generation, stream=8, first=0, source_offset=3000, position=4000) is False
    assert one.capture_began(generation, stream=8, first=0, source_offset=3000) is False
    assert one.capture_began(generation, stream=8, first=0, source_offset=4000, position=5000)
    moved = one.undrained()
    assert moved is not None
    assert (moved.stream, moved.first, moved.source_offset, moved.position, moved.floor) == (8, 0, 4000, None, None)
    assert one.capture_failed(generation, reason="no device") is False
    assert one.capture_ended(generation, end=9000, reason="eof")
    assert one.capture_ended(generation, end=9999, reason="stop") is False
    ended = one.recording()
    assert ended is not None
    assert (ended.end, ended.end_reason, ended.wanted) == (9000, "eof", False)
    assert one.capture_began(generation, stream=9, first=0) is False
    stopped = one.begin_recording("{}")
    one.stop_recording(stopped)
    assert one.capture_began(stopped, stream=7, first=0) is False
    assert one.capture_began(99, stream=7, first=0) is False


def test_segment_moves_the_vad(journal: Open) -> None:
    """A segment and the point from which the VAD goes on are one commit; a replay moves the point as well."""
    one = journal()
    generation = one.begin_recording("{}")
    one.capture_began(generation, stream=1, first=0)
    enter(one, first=3200, generation=generation)
    recording = one.undrained()
    assert recording is not None
    assert (recording.position, recording.floor) == (3200 + 1700, 3200 + 1600)
    assert one.vad_moved(generation, stream=1, position=1, floor=1)
    assert enter(one, first=3200, generation=generation) is False
    assert one.undrained() == recording


def test_a_vad_in_the_old_ring(journal: Open) -> None:
    """Once a recording goes on in another ring, nothing of the old one is entered, and the VAD's place stays.

    What had not been entered is captured once more, so both would be typed.
    """
    one = journal()
    generation = one.begin_recording("{}")
    one.capture_began(generation, stream=1, first=0)
    enter(one, first=3200, generation=generation)
    assert one.capture_began(generation, stream=2, first=0, source_offset=4900, position=4900)
    recording = one.undrained()
    assert enter(one, first=6400, generation=generation) is False
    assert one.vad_moved(generation, stream=1, position=9000, floor=9000) is False
    assert one.undrained() == recording
    assert [row.first for row in one.utterances()] == [3200]


def test_undrained_in_order(journal: Open, other_boot: Callable[[], None]) -> None:
    """The VAD is given the oldest recording of this boot that has samples it has not seen."""
    one = journal()
    one.capture_began(one.begin_recording("{}"), stream=1, first=0)
    other_boot()
    first, second = one.begin_recording("{}"), one.begin_recording("{}")
    assert one.undrained() is None
    for generation in (second, first):
        one.capture_began(generation, stream=2, first=0)
    recording = one.undrained()
    assert recording is not None
    assert recording.generation == first
    assert one.vad_drained(first)
    assert one.vad_drained(first) is False
    recording = one.undrained()
    assert recording is not None
    assert recording.generation == second


def test_failed_capture_is_over(journal: Open) -> None:
    """A recording whose source could not be opened waits for nobody and can be closed."""
    one = journal()
    generation = one.begin_recording("{}")
    assert one.capture_failed(generation, reason="no such file")
    assert one.capture_failed(generation, reason="again") is False
    recording = one.recording()
    assert recording is not None
    assert (recording.wanted, recording.end_reason, recording.drained) == (False, "no such file", 1)
    assert one.undrained() is None
    assert one.close_recording(generation)


def test_cancel(journal: Open) -> None:
    """Cancelling gives up what is not being typed yet, of that recording alone, and what the VAD still finds of it."""
    one = journal()
    kept, generation = one.begin_recording("{}"), one.begin_recording("{}")
    elsewhere = lead(one, "transformed", generation=kept)
    ordinals = {state: lead(one, state, first=(2 + i) * 2000, generation=generation) for i, state in enumerate(ROADS)}
    assert one.stop_recording(generation, cancel=True)
    given_up = {"segmented", "transcribed", "transformed"}
    for state, ordinal in ordinals.items():
        row = one.utterance(ordinal)
        assert row.state == ("suppressed" if state in given_up else state)
        assert (row.reason == "cancelled") is (state in given_up)
    assert one.utterance(elsewhere).state == "transformed"
    assert enter(one, first=90_000, generation=generation)
    assert (one.utterances()[-1].state, one.utterances()[-1].reason) == ("suppressed", "cancelled")
    assert enter(one, first=95_000, generation=kept)
    assert one.utterances()[-1].state == "segmented"


def test_cancel_after_stop(journal: Open) -> None:
    """A recording that was stopped can still be cancelled: its waiting text is given up."""
    one = journal()
    generation = one.begin_recording("{}")
    ordinal = lead(one, "transcribed", generation=generation)
    assert one.stop_recording(generation)
    assert one.stop_recording(generation, cancel=True) is False
    assert one.utterance(ordinal).state == "suppressed"


def test_closing_before_capture(journal: Open) -> None:
    """A recording that is wanted stays open; one that was stopped before capture began is over."""
    one = journal()
    generation = one.begin_recording("{}")
    assert one.close_recording(generation) is False
    one.stop_recording(generation)
    assert [recording.generation for recording in one.open_recordings()] == [generation]
    assert one.close_recording(generation)
    assert one.close_recording(generation) is False
    assert one.open_recordings() == []


def test_closing_after_capture(journal: Open) -> None:
    """A recording that had samples is closed when these have ended, the VAD has seen all, and no text is under way."""
    one = journal()
    generation = one.begin_recording("{}")
    one.capture_began(generation, stream=1, first=0)
    one.stop_recording(generation)
    assert one.close_recording(generation) is False
    one.capture_ended(generation, end=9000, reason="stop")
    assert one.close_recording(generation) is False
    ordinal = lead(one, "segmented", generation=generation)
    one.vad_drained(generation)
    for step in ("transcribed", "transformed", "intent"):
        assert one.close_recording(generation) is False
        TRANSITIONS[step][0](one, ordinal)
    assert one.close_recording(generation) is False
    assert lead(one, "segmented", first=5000, generation=generation + 1)
    one.typed(ordinal, backend="wtype")
    assert one.close_recording(generation), "another recording's text does not hold it"


@pytest.mark.parametrize("end", ["suppressed", "late", "in_doubt"])
def test_closing_without_typing(journal: Open, end: str) -> None:
    """Text that found another end than being typed does not keep a recording open."""
    one = journal()
    generation = one.begin_recording("{}")
    one.capture_began(generation, stream=1, first=0)
    lead(one, end, generation=generation)
    one.capture_ended(generation, end=9000, reason="eof")
    one.vad_drained(generation)
    assert one.close_recording(generation)


def test_recording_of_another_boot(journal: Open, other_boot: Callable[[], None]) -> None:
    """What another boot left on is not wanted in this one, and can be closed as it is."""
    one = journal()
    generation = one.begin_recording("{}")
    one.capture_began(generation, stream=1, first=0)
    lead(one, "transcribed", generation=generation)
    other_boot()
    recording = one.recording()
    assert recording is not None
    assert not recording.wanted
    assert one.undrained() is None
    assert one.close_recording(generation)


def test_recording_range(journal: Open) -> None:
    """The recording that a sample is in begins at the last start before it in that stream; an unknown stream's at 0."""
    one = journal()
    for first in (0, 16_000, 32_000):
        one.capture_began(one.begin_recording("{}"), stream=7, first=first)
    assert [one.recording_range(7, sample)[0] for sample in (0, 15_999, 16_000, 31_999, 99_999)] == [
        0, 0, 16_000, 16_000, 32_000,
    ]  # fmt: skip
    assert one.recording_range(8, 20_000) == (0, None)
    last = one.recording()
    assert last is not None
    assert one.recording_range(7, 40_000) == (32_000, None)
    one.capture_ended(last.generation, end=48_000, reason="stopped")
    assert one.recording_range(7, 40_000) == (32_000, 48_000)


def test_forgotten_recordings(journal: Open) -> None:
    """Forgetting deletes closed recordings of which no utterance is left; the newest stays, so that numbers grow."""
    one = journal()
    generations = []
    for first, state in ((0, "typed"), (2000, "in_doubt"), (4000, "transformed")):
        generation = one.begin_recording("{}")
        lead(one, state, first=first, generation=generation, wall_ns=first)
        one.stop_recording(generation)
        generations.append(generation)
    empty, open_still, newest = (one.begin_recording("{}") for _ in range(3))
    for generation in (empty, newest):
        one.stop_recording(generation)
    assert [one.close_recording(generation) for generation in (*generations, empty, newest)] == [True] * 5
    assert one.forget(before_wall_ns=2000) == 1
    left = [generation for generation in range(1, newest + 1) if one.recording(generation) is not None]
    assert left == [generations[1], generations[2], open_still, newest]
    assert one.begin_recording("{}") == newest + 1


def test_changed(journal: Open) -> None:
    """It is told once that another connection has committed; one's own commits are no news."""
    one, other = journal(), journal()
    assert one.changed()
    assert not one.changed()
    other.begin_recording("{}")
    assert one.changed()
    assert not one.changed()
    one.begin_recording("{}")
    assert not one.changed()
    assert other.changed()
    other.recording()
    other.transcribed(99, text="", model="")
    assert not one.changed()


# -- files -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def loose_umask() -> Iterator[None]:
    """Take all protection away."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("loose_umask")
def test_files_are_private(paths: Paths, journal: Open) -> None:
    """The database, its log and its index have mode 0600 from the start, whatever the umask."""
    lead(journal(), "typed")
    files = {path.name: stat.S_IMODE(path.stat().st_mode) for path in paths.state.glob("journal.db*")}
    assert files == dict.fromkeys(["journal.db", "journal.db-wal", "journal.db-shm"], 0o600)


def test_reopened(journal: Open, paths: Paths) -> None:
    """What was committed is there for the next connection, and for one of another `keep`."""
    first = Journal(paths.state / "journal.db")
    ordinal = lead(first, "typed")
    row = first.utterance(ordinal)
    first.close()
    assert journal().utterance(ordinal) == journal(keep="none").utterance(ordinal) == row


def _open_and_fail(path: Path) -> str:
    with pytest.raises(JournalError) as caught:
        Journal(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


_OF_4 = ("edit", "before", "stands", "place")


@pytest.mark.parametrize(
    ("version", "lacks"),
    [(1, ("turn", "mend", "mended", "plain", *_OF_4)), (2, ("plain", *_OF_4)), (3, _OF_4)],
)
def test_older_version(paths: Paths, journal: Open, version: int, lacks: tuple[str, ...]) -> None:
    """A journal of an older version gets what it lacks, and keeps what it has."""
    ordinal = lead(journal(), "typed")
    with contextlib.closing(sqlite3.connect(paths.state / "journal.db", isolation_level=None)) as database:
        for column in lacks:
            database.execute(f"ALTER TABLE utterance DROP COLUMN {column}")
        database.execute(f"PRAGMA user_version = {version}")
    upgraded = journal()
    row = upgraded.utterance(ordinal)
    assert (row.state, row.heard, row.mend, row.plain) == ("typed", "heard it", None, None)
    assert (row.edit, row.before, row.stands, row.place, row.standing) == (None, None, None, None, "Heard it.")
    assert enter(upgraded, first=5_000)
    with contextlib.closing(sqlite3.connect(paths.state / "journal.db")) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)


def test_newer_version(paths: Paths, journal: Open) -> None:
    """A journal of a newer version is refused with both versions and the mend, and is not touched."""
    ordinal = lead(journal(), "typed")
    database = sqlite3.connect(paths.state / "journal.db")
    database.execute("PRAGMA user_version = 99")
    text = _open_and_fail(paths.state / "journal.db")
    assert "newer" in text
    assert "version 99" in text
    assert str(SCHEMA_VERSION) in text
    assert "upgrade" in text
    assert database.execute("SELECT state FROM utterance WHERE ordinal = ?", (ordinal,)).fetchone() == ("typed",)
    database.close()


@pytest.mark.parametrize(
    "content", [b"not a database at all, " * 100, b"\0" * 8192, b"SQLite format 3\0" + b"\xff" * 9000]
)
def test_garbage(tmp_path: Path, content: bytes) -> None:
    """A file that is no database is refused with what to do about it, and is left as it was."""
    path = tmp_path / "journal.db"
    path.write_bytes(content)
    assert "kept aside" in _open_and_fail(path)
    assert path.read_bytes() == content


def test_truncated(tmp_path: Path) -> None:
    """A database that lost its second half is refused when opened or raises when read; it never reads as empty."""
    path = tmp_path / "journal.db"
    whole = Journal(path)
    for first in range(200):
        lead(whole, "typed", first=first * 2000)
    whole.close()
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(JournalError):
        Journal(path).utterances()


@pytest.mark.parametrize("make", ["folder", "link", "dangling link", "no parent"])
def test_unusable_path(tmp_path: Path, make: str) -> None:
    """A folder, a link or a missing parent in the place of the file is a JournalError that names the path."""
    path = tmp_path / "journal.db"
    if make == "folder":
        path.mkdir()
    elif make == "no parent":
        path = tmp_path / "missing" / "journal.db"
    else:
        target = tmp_path / "target"
        if make == "link":
            target.touch()
        path.symlink_to(target)
    _open_and_fail(path)
    assert not (tmp_path / "target").exists() or (tmp_path / "target").stat().st_size == 0


def test_empty_file(tmp_path: Path) -> None:
    """An empty file, which a crash at the very first moment leaves, is a new journal."""
    path = tmp_path / "journal.db"
    path.touch()
    fresh = Journal(path)
    assert enter(fresh)
    fresh.close()
