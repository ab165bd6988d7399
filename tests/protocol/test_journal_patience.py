"""A journal that cannot be read or written for a while, and an utterance that is tried again and again."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sottovoce.protocol.exceptions import JournalError, JournalUnavailable
from sottovoce.protocol.journal import Journal


@contextmanager
def locked(path: Path) -> Iterator[sqlite3.Connection]:
    """Hold the database's write lock, as a stage does that was stopped in the middle of a commit."""
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        yield holder
    finally:
        holder.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A journal with a recording in it."""
    path = tmp_path / "journal.db"
    journal = Journal(path)
    journal.begin_recording('{"type": "microphone"}')
    journal.close()
    return path


def test_a_patient_writer_goes_on_once_the_lock_is_free(path: Path) -> None:
    """It is asked a few times a second, told that it is a lock, and the write it waited with is done once."""
    told: list[JournalUnavailable] = []
    with locked(path) as holder:

        def patience(error: JournalUnavailable) -> bool:
            told.append(error)
            if len(told) == 3:
                holder.execute("ROLLBACK")
            return True

        journal = Journal(path, patience=patience)
        assert journal.begin_recording('{"type": "microphone"}') == 2
    assert [error.lock for error in told] == [True] * 3
    assert str(path) in str(told[0])
    recording = journal.recording()
    assert recording is not None
    assert recording.generation == 2
    journal.close()


@pytest.mark.parametrize("transaction", ["one statement", "several"])
def test_the_end_of_patience_changes_nothing(path: Path, transaction: str) -> None:
    """Whoever gives up gets the reason as an error, nothing is half written, and the connection can be used again."""
    journal = Journal(path, patience=lambda _: False)

    def write() -> object:
        return journal.begin_recording("{}") if transaction == "one statement" else journal.stop_recording(1)

    with locked(path), pytest.raises(JournalUnavailable, match="lock"):
        write()
    recording = journal.recording()
    assert recording is not None
    assert (recording.generation, recording.stop_ns) == (1, None)
    assert write()
    journal.close()


def test_reading_goes_on_beside_a_lock(path: Path) -> None:
    """A held write lock stops no reader."""
    journal = Journal(path, patience=lambda _: pytest.fail("nothing was to be waited for"))
    with locked(path):
        assert journal.recording() is not None
    journal.close()


def test_damage_under_a_running_service_says_what_to_do(path: Path) -> None:
    """A journal that is found damaged while it is open is a JournalError that names the way to a new one."""
    journal = Journal(path)
    for _ in range(300):
        journal.begin_recording('{"type": "microphone"}' * 20)
    journal.close()
    journal = Journal(path)
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * (path.stat().st_size - 4096))
    with pytest.raises(JournalError, match="sottovoce down"):
        journal.open_recordings()
    journal.close()


def test_attempts_are_counted_for_one_utterance_at_a_time(path: Path) -> None:
    """The count survives the process, and begins anew with the next utterance."""
    journal = Journal(path)
    assert [journal.attempted(7), journal.attempted(7)] == [1, 2]
    journal.close()
    journal = Journal(path)
    assert [journal.attempted(7), journal.attempted(8), journal.attempted(8)] == [3, 1, 2]
    journal.close()
