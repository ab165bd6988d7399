"""The journal's database: its schema, its versions, and what is done while it cannot be read or written.

A disk that is full, read-only or failing is no reason to lose what was said: every operation is one transaction, so it
can be tried again as it is. Whoever opens the database says what to do meanwhile (`patience`): a stage stays where it
is and goes on when there is room again, with all that it holds in memory; a command gives up and says why.
"""

from __future__ import annotations

import functools
import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

from sottovoce.protocol import connection
from sottovoce.protocol.exceptions import JournalError, JournalUnavailable
from sottovoce.protocol.rows import UNFINISHED, Recording, UtteranceRow

SCHEMA_VERSION: Final = 4
_TURN_S: Final = 0.25  # whoever has patience is asked so often: a stage must not stand still for longer

_SCHEMA = f"""
CREATE TABLE recording (
    generation INTEGER PRIMARY KEY AUTOINCREMENT,
    boot TEXT NOT NULL,
    source TEXT NOT NULL,             -- JSON: what to record
    requested_ns INTEGER NOT NULL,
    stop_ns INTEGER,                  -- conductor: recording is wanted until this is set
    cancelled INTEGER NOT NULL DEFAULT 0,
    stream INTEGER,                   -- capture: where in which ring it begins ...
    first INTEGER,
    source_offset INTEGER NOT NULL DEFAULT 0,  -- ... and which sample of a file that was
    end INTEGER,                      -- capture: no more samples after this one
    end_reason TEXT,
    position INTEGER,                 -- vad: looked at up to here ...
    floor INTEGER,                    -- ... and the next segment may not begin before this
    drained INTEGER NOT NULL DEFAULT 0,
    closed_ns INTEGER                 -- conductor: everything of it has found its end
);
CREATE TABLE utterance (
    ordinal INTEGER PRIMARY KEY AUTOINCREMENT,
    stream INTEGER NOT NULL,
    first INTEGER NOT NULL,
    end INTEGER NOT NULL,
    speech_end INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    boot TEXT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT,
    turn REAL,                        -- by the voice, the probability that the speaker was finished
    heard TEXT,                       -- the recogniser's text
    mend TEXT,                        -- the mark ('' for none) that belongs where the one before was ended by a stop
    plain TEXT,                       -- what the rules made of it, where a hook or a rewrite made `text` of that
    text TEXT,                        -- what is typed ...
    mended TEXT,                      -- ... instead, if the stop of the one before can be taken back
    edit TEXT,                        -- JSON, `protocol.rows.Edit`: what it asks to be done to what was typed before
    before TEXT,                      -- the transform's context in front of it
    stands TEXT,                      -- of what was typed, what was not taken back; NULL: all of it
    place TEXT,                       -- where it was typed, in the back end's own words
    model TEXT,
    backend TEXT,
    spoken_ns INTEGER NOT NULL,       -- CLOCK_MONOTONIC when its last speech was captured
    asleep_ns INTEGER NOT NULL,       -- how long this boot had been suspended by then
    wall_ns INTEGER NOT NULL,         -- CLOCK_REALTIME, for people
    segmented_ns INTEGER NOT NULL,
    transcribed_ns INTEGER,
    transformed_ns INTEGER,
    intent_ns INTEGER,
    typed_ns INTEGER,
    UNIQUE (stream, first)
);
CREATE INDEX unfinished ON utterance (ordinal) WHERE state IN {UNFINISHED};
CREATE TABLE memory (key TEXT PRIMARY KEY, value TEXT NOT NULL);
PRAGMA user_version = {SCHEMA_VERSION};
"""


# Without them the VAD, which asks for its recording in each turn, scans the table: 2.4 ms with 10,000 recordings.
_INDICES: Final = (
    "CREATE INDEX IF NOT EXISTS open_recording ON recording (generation) WHERE closed_ns IS NULL",
    "CREATE INDEX IF NOT EXISTS recorded ON recording (stream, first)",
)

_TO_4: Final = (
    *(f"ALTER TABLE utterance ADD COLUMN {column} TEXT" for column in ("edit", "before", "stands", "place")),
    "PRAGMA user_version = 4",
)
_TO_3: Final = ("ALTER TABLE utterance ADD COLUMN plain TEXT", *_TO_4)
_UPGRADES: Final = {
    1: (
        "ALTER TABLE utterance ADD COLUMN turn REAL",
        "ALTER TABLE utterance ADD COLUMN mend TEXT",
        "ALTER TABLE utterance ADD COLUMN mended TEXT",
        *_TO_3,
    ),
    2: _TO_3,
    3: _TO_4,
}
"""From each older version to this one."""

_WAITABLE: Final = {
    sqlite3.SQLITE_FULL: "there is no room left; make room on its file system",
    sqlite3.SQLITE_READONLY: "it cannot be written; make it and its file system writable",
    sqlite3.SQLITE_IOERR: "its file system fails; look at the disk and at the kernel's log",
    sqlite3.SQLITE_CANTOPEN: "its files cannot be opened; look at the directory and at the limit of open files",
    sqlite3.SQLITE_BUSY: "another process holds its lock; it is freed when that process goes on or ends",
}
"""Errors that pass by themselves or by the person's hand, and what is told of them."""
_DAMAGED: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)

Patience = Callable[[JournalUnavailable], bool]
"""Is called a few times a second with what is wrong; waits a moment; True to try again, False to raise it."""


_D = TypeVar("_D", bound="Database")
_P = ParamSpec("_P")
_R = TypeVar("_R")


def enduring(method: Callable[Concatenate[_D, _P], _R]) -> Callable[Concatenate[_D, _P], _R]:
    """Try a method that is one transaction again, as long as the file system cannot take it and patience lasts."""

    @functools.wraps(method)
    def tried(self: _D, /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        if self._db.in_transaction:
            return method(self, *args, **kwargs)  # a part of another, which is tried again as a whole
        return self._endure(functools.partial(method, self, *args, **kwargs))

    return tried


class Database:
    """One process's connection. Not to be shared between threads, nor carried over a fork.

    Args:
        path: the file; made with mode 0600 if it is not there.
        patience: what to do while it cannot be read or written; by default a lock is waited for, all else raised.

    Raises:
        JournalError: it cannot be opened, is damaged, or was written by a newer version.
    """

    _db: sqlite3.Connection

    def __init__(self, path: Path, *, patience: Patience | None = None) -> None:
        self.path = path
        self._patience = patience
        self._seen = -1
        try:
            self._endure(self._open)
        except sqlite3.Error as error:
            raise _cannot_open(path, error) from error

    def _open(self) -> None:
        try:
            connection.create(self.path, JournalError)
        except OSError as error:
            raise _cannot_open(self.path, error) from error
        patience_s = _TURN_S if self._patience else connection.BUSY_S
        self._db = sqlite3.connect(self.path, isolation_level=None, timeout=patience_s)
        try:
            self._db.row_factory = sqlite3.Row
            self._db.text_factory = _text
            connection.prepare(self._db, self._migrate)
        except BaseException:
            self._db.close()
            raise

    def _endure(self, transaction: Callable[[], _R]) -> _R:
        """Run what is one transaction, again and again while it cannot be done and patience lasts.

        Raises:
            JournalUnavailable: it cannot be done now; nothing of it was.
            JournalError: the file is damaged.
        """
        while True:
            try:
                return transaction()
            except UnicodeDecodeError as error:  # in SQLite's own words, which quote the schema
                raise self._damaged(error) from error
            except sqlite3.DatabaseError as error:
                if _kind(error) in _DAMAGED:
                    raise self._damaged(error) from error
                if _kind(error) not in _WAITABLE:
                    raise
                unavailable = _unavailable(self.path, error)
                if self._patience is None or not self._patience(unavailable):
                    raise unavailable from error

    def _damaged(self, error: Exception) -> JournalError:
        return JournalError(
            f"{self.path}: the journal is damaged ({error}); end the service with `sottovoce down` and start it again: "
            "this one is kept aside, a new one begun"
        )

    def _migrate(self) -> None:
        if connection.version(self._db) != SCHEMA_VERSION:
            with self._transaction():
                version = connection.version(self._db)
                if version > SCHEMA_VERSION:
                    raise JournalError(
                        f"{self.path}: written by a newer sottovoce (journal version {version}, this one knows "
                        f"{SCHEMA_VERSION}); upgrade sottovoce, or move the file aside"
                    )
                if version < SCHEMA_VERSION:  # another process may have been first
                    for statement in _statements(self.path, version):
                        self._db.execute(statement)

        for statement in _INDICES:  # they came later than the tables
            self._db.execute(statement)

    def _transaction(self) -> AbstractContextManager[None]:
        return connection.transaction(self._db)

    def _execute(self, sql: str, *values: Any) -> bool:
        """Run one statement, which commits by itself outside a transaction; True if it changed a row."""
        return self._db.execute(sql, values).rowcount > 0

    def close(self) -> None:
        """Close the connection."""
        self._db.close()

    @enduring
    def touch(self) -> None:
        """Write something that changes nothing, to know whether that is possible."""
        self._db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    @enduring
    def changed(self) -> bool:
        """Tell whether another process has committed since the last call; a few microseconds, reads no table."""
        seen = connection.data_version(self._db)
        changed, self._seen = seen != self._seen, seen
        return changed


def _kind(error: Exception) -> int:
    """Return SQLite's primary result code."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF


def _unavailable(path: Path, error: sqlite3.DatabaseError) -> JournalUnavailable:
    kind = _kind(error)
    if kind == sqlite3.SQLITE_IOERR and os.statvfs(path.parent).f_bavail == 0:
        kind = sqlite3.SQLITE_FULL  # its shared index cannot grow
    return JournalUnavailable(f"{path}: {error}: {_WAITABLE[kind]}", lock=kind == sqlite3.SQLITE_BUSY)


def _cannot_open(path: Path, error: Exception) -> JournalError:
    return JournalError(
        f"{path}: the journal cannot be opened: {error}; move the file aside and start again "
        "(a new one is begun, the old one keeps its texts)"
    )


def set_aside_damaged(path: Path) -> Path | None:
    """Move a damaged journal out of the way, its log with it, so that a new one can be begun.

    Only while no process has it open. What is still readable in it can be read with SQLite's own tools.

    Returns:
        Where it is now, or None if there is none or it is sound.
    """
    if not path.exists():
        return None
    database = sqlite3.connect(path, timeout=connection.BUSY_S)
    database.text_factory = _text
    try:
        sound = database.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok" and _usable(database)
    except sqlite3.DatabaseError as error:
        if _kind(error) in _WAITABLE:
            raise _unavailable(path, error) from error
        if _kind(error) not in _DAMAGED:
            raise _cannot_open(path, error) from error
        sound = False
    except UnicodeDecodeError:  # in SQLite's own words, which quote the schema
        sound = False
    finally:
        database.close()
    if sound:
        return None
    aside = path.with_name(f"{path.name}.damaged-{time.strftime('%Y%m%dT%H%M%S')}")
    for suffix in ("-wal", "-shm", ""):  # the database last: until it is gone, another try finds it damaged again
        companion = path.with_name(path.name + suffix)
        if companion.exists():
            companion.rename(aside.with_name(aside.name + suffix))
    return aside


def _statements(path: Path, version: int) -> Sequence[str]:
    """Return what makes a journal of an older version, 0 being an empty file, one of this.

    Raises:
        JournalError: there was never such a version.
    """
    if version == 0:
        return _SCHEMA.split(";\n")
    if version not in _UPGRADES:
        raise JournalError(
            f"{path}: no journal has version {version}; it is damaged, or another program's: move it aside"
        )
    return _UPGRADES[version]


def _text(data: bytes) -> str:
    """Read a text of a damaged file as well as may be: whether it is UTF-8 is nothing that SQLite checks."""
    return data.decode(errors="replace")


def _usable(database: sqlite3.Connection) -> bool:
    """Tell whether it has the columns and the index that are asked for; of another version, that is not known here.

    The text in which SQLite keeps a schema may be damaged and still be a schema, which no check of SQLite's finds.
    """
    if database.execute("PRAGMA user_version").fetchone()[0] != SCHEMA_VERSION:
        return True
    for table, row in {"recording": Recording, "utterance": UtteranceRow}.items():
        columns = {name for _, name, *_ in database.execute(f"PRAGMA table_info({table})")}
        if columns != set(row.__struct_fields__):
            return False
    try:
        database.execute("SELECT key, value FROM memory LIMIT 0")
        database.execute(f"SELECT 1 FROM utterance INDEXED BY unfinished WHERE state IN {UNFINISHED} LIMIT 0")  # noqa: S608
    except sqlite3.OperationalError as error:
        if _kind(error) != sqlite3.SQLITE_ERROR:  # a lock, say
            raise
        return False
    return True
