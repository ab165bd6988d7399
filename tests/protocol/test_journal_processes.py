"""The journal between processes: races, deaths at any instant, connections that come and go."""

from __future__ import annotations

import json
import random
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from sottovoce.protocol.clocks import now_ns
from sottovoce.protocol.journal import Journal
from sottovoce.protocol.paths import Paths
from sottovoce.protocol.rows import UtteranceRow

Open = Callable[..., Any]

# Plays all stages in turn, for ever, and goes on where a predecessor was killed. Utterance n starts at sample 10 n.
WRITER = """
import json, sys
from pathlib import Path
from sottovoce.protocol.clocks import now_ns
from sottovoce.protocol.journal import Journal
journal = Journal(Path(sys.argv[1]), keep=sys.argv[2])
generation = 1 if journal.recording() else journal.begin_recording("{}")
if journal.recording().stream is None:
    journal.capture_began(generation, stream=1, first=0)
while (row := journal.oldest("intent")) is not None:
    journal.in_doubt(row.ordinal, reason="killed")
print("up", flush=True)
while True:
    first = journal.undrained().position or 0
    journal.segmented(generation=generation, stream=1, first=first, end=first + 8, speech_end=first + 7,
                      spoken_ns=now_ns(), position=first + 10, wall_ns=first)
    row = journal.oldest("segmented", "transcribed", "transformed")
    if row.state == "segmented":
        if row.first % 70 == 0:
            journal.suppressed(row.ordinal, reason="noise", text="noise", model="m")
            continue
        journal.transcribed(row.ordinal, text=f"heard {row.first}", model="m")
    if row.state in ("segmented", "transcribed"):
        journal.transformed(row.ordinal, text=f"text {row.first}", context=json.dumps(row.ordinal))
    if journal.intent(row.ordinal, backend="b"):
        journal.typed(row.ordinal, backend="b")
"""

STEP_TIMES = {
    "segmented": (), "suppressed": (), "transcribed": ("transcribed_ns",),
    "transformed": ("transcribed_ns", "transformed_ns"), "intent": ("transcribed_ns", "transformed_ns", "intent_ns"),
    "in_doubt": ("transcribed_ns", "transformed_ns", "intent_ns"),
    "typed": ("transcribed_ns", "transformed_ns", "intent_ns", "typed_ns"),
}  # fmt: skip


def assert_whole(row: UtteranceRow, keep: str) -> None:
    """Every column agrees with the state: no transition was applied in part."""
    for name in ("transcribed_ns", "transformed_ns", "intent_ns", "typed_ns"):
        assert (getattr(row, name) is not None) is (name in STEP_TIMES[row.state]), (row.state, name)
    erased = keep == "none" and row.state in ("typed", "suppressed")
    heard = {"segmented": None, "suppressed": "noise"}.get(row.state, f"heard {row.first}")
    text = f"text {row.first}" if "transformed_ns" in STEP_TIMES[row.state] else None
    assert (row.heard, row.text) == ((None, None) if erased else (heard, text))
    assert (row.reason is not None) is (row.state in ("suppressed", "in_doubt"))
    assert (row.backend is not None) is ("intent_ns" in STEP_TIMES[row.state])


@pytest.mark.parametrize("keep", ["30d", "none"])
def test_writer_killed_at_any_moment(paths: Paths, journal: Open, child: Open, keep: str) -> None:
    """After each of 20 SIGKILLs at random moments the file is sound, no step is half there, no utterance lost."""
    chance = random.Random(5)
    path = paths.state / "journal.db"
    reader: Journal = journal(keep=keep)
    done = 0
    for _ in range(20):
        writer = child(WRITER, path, keep)
        assert writer.line() == "up"
        time.sleep(chance.uniform(0.0, 0.05))  # the random moment itself; nothing is awaited
        writer.kill()
        with closing(sqlite3.connect(path)) as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        rows = reader.utterances()
        assert [row.first for row in rows] == [10 * number for number in range(len(rows))]
        for row in rows:
            assert_whole(row, keep)
        # A writer works one off for each that it enters, so at most one waits for each time that it was killed.
        assert reader.unfinished() <= 20
        recording = reader.recording()
        assert recording is not None
        assert recording.position == (10 * len(rows) if rows else None)
        context, last = reader.context()
        assert context == ("" if last is None else json.dumps(last.ordinal))
        assert len(rows) >= done
        done = len(rows)
    assert done > 20, "the writers did get to write"


RACER = """
import sys
from pathlib import Path
from sottovoce.protocol.journal import Journal
journal = Journal(Path(sys.argv[1]))
step, count = sys.argv[2], int(sys.argv[3])
arguments = {"transcribed": {"text": sys.argv[4], "model": "m"}, "transformed": {"text": "t", "context": sys.argv[4]},
             "intent": {"backend": sys.argv[4]}, "typed": {"backend": sys.argv[4]}}[step]
print("up", flush=True)
input()
won = [ordinal for ordinal in range(1, count + 1) if getattr(journal, step)(ordinal, **arguments)]
print(*won, flush=True)
"""


def enter(journal: Journal, count: int) -> None:
    """Enter so many utterances."""
    for number in range(count):
        journal.segmented(
            generation=1, stream=1, first=10 * number, end=10 * number + 8, speech_end=10 * number + 7,
            spoken_ns=now_ns(), position=10 * number + 10, wall_ns=0,
        )  # fmt: skip


def test_one_winner(paths: Paths, journal: Open, child: Open) -> None:
    """Of two processes that make the same transition at the same time exactly one is told that it did."""
    count = 300
    one: Journal = journal()
    enter(one, count)
    for step in ("transcribed", "transformed", "intent", "typed"):
        racers = {name: child(RACER, paths.state / "journal.db", step, count, name) for name in ("anna", "bela")}
        for racer in racers.values():
            assert racer.line() == "up"
        for racer in racers.values():
            racer.say("go")
        won = {name: [int(word) for word in racer.process.stdout.readline().split()] for name, racer in racers.items()}
        assert sorted(won["anna"] + won["bela"]) == list(range(1, count + 1))
        winner = {ordinal: name for name, ordinals in won.items() for ordinal in ordinals}
        for row in one.utterances():
            assert row.state == step
            noted = {"transcribed": row.heard, "intent": row.backend, "typed": row.backend}
            assert noted.get(step, winner[row.ordinal]) == winner[row.ordinal]


OPENER = """
import sys
from pathlib import Path
from sottovoce.protocol.journal import Journal
for line in sys.stdin:
    journal = Journal(Path(line.rstrip()))
    journal.begin_recording("{}")
    journal.close()
    print("ok", flush=True)
"""


def test_all_stages_open_at_once(paths: Paths, journal: Open, child: Open) -> None:
    """Processes that open a journal in the instant in which it is made, or its last user leaves, all get in."""
    openers = [child(OPENER) for _ in range(6)]
    for number in range(40):
        path = paths.state / f"{number}.db"
        for opener in openers:
            opener.say(path)
        assert [opener.line() for opener in openers] == ["ok"] * len(openers)
        fresh = Journal(path)
        assert len(fresh.open_recordings()) == len(openers)
        fresh.close()


def test_own_second_connection(paths: Paths, journal: Open, child: Open) -> None:
    """A process that opens the journal a second time keeps what its first connection holds, and loses no commit."""
    first: Journal = journal()
    first.begin_recording('"before"')
    Journal(paths.state / "journal.db").close()
    other = child(OPENER)
    other.say(paths.state / "journal.db")
    assert other.line() == "ok"
    first.begin_recording('"after"')
    reader = child(
        "import sys\nfrom pathlib import Path\nfrom sottovoce.protocol.journal import Journal\n"
        "print(*[r.source for r in Journal(Path(sys.argv[1])).open_recordings()], flush=True)",
        paths.state / "journal.db",
    )
    assert reader.line() == '"before" {} "after"'


def test_change_is_seen_across_processes(paths: Paths, journal: Open, child: Open, until: Open) -> None:
    """`changed` tells of another process's commit."""
    one: Journal = journal()
    other = child(OPENER)
    one.changed()
    assert not one.changed()
    other.say(paths.state / "journal.db")
    until(one.changed)
    assert other.line() == "ok"
    recording = one.recording()
    assert recording is not None
    assert recording.wanted
