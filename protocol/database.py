"""The journal's database: its schema, how it is opened by several processes at once, and its transactions."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sottovoce.protocol.exceptions import JournalError
from sottovoce.protocol.rows import UNFINISHED

SCHEMA_VERSION: Final = 1
_BUSY_S: Final = 5.0
# temp_store: what VACUUM sets aside is dictated text, and must not go to a disk.
_PRAGMAS: Final = ("journal_mode = WAL", "synchronous = NORMAL", "secure_delete = ON", "temp_store = MEMORY")

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
    heard TEXT,                       -- the recogniser's text
    text TEXT,                        -- what is typed
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


class Database:
    """One process's connection. Not to be shared between threads, nor carried over a fork.

    Args:
        path: the file; made with mode 0600 if it is not there.

    Raises:
        JournalError: it cannot be opened, is damaged, or was written by a newer version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen = -1
        try:
            _create(path)
            self._db = sqlite3.connect(path, isolation_level=None, timeout=_BUSY_S)
        except (OSError, sqlite3.Error) as error:
            raise _cannot_open(path, error) from error
        try:
            self._db.row_factory = sqlite3.Row
            self._prepare()
        except sqlite3.Error as error:
            self._db.close()
            raise _cannot_open(path, error) from error
        except JournalError:
            self._db.close()
            raise

    def _prepare(self) -> None:
        # The switch to WAL, and a first read while the last connection elsewhere is closing, are told "busy" at once,
        # past the time-out of connect() (seen in 2 of 15 races of five). All stages start in the same instant.
        deadline = time.monotonic() + _BUSY_S
        while True:
            try:
                for pragma in _PRAGMAS:
                    self._db.execute(f"PRAGMA {pragma}").close()
                self._migrate()
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(0.005)

    def _migrate(self) -> None:
        if self._version() != SCHEMA_VERSION:
            with self._transaction():
                version = self._version()  # another process may have been first
                if version > SCHEMA_VERSION:
                    raise JournalError(
                        f"{self.path}: written by a newer sottovoce (journal version {version}, this one knows "
                        f"{SCHEMA_VERSION}); upgrade sottovoce, or move the file aside"
                    )
                if version == 0:
                    for statement in _SCHEMA.split(";\n"):
                        self._db.execute(statement)

    def _version(self) -> int:
        return int(self._db.execute("PRAGMA user_version").fetchone()[0])

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def _execute(self, sql: str, *values: Any) -> bool:
        """Run one statement, which commits by itself outside a transaction; True if it changed a row."""
        return self._db.execute(sql, values).rowcount > 0

    def close(self) -> None:
        """Close the connection."""
        self._db.close()

    def changed(self) -> bool:
        """Tell whether another process has committed since the last call; a few microseconds, reads no table."""
        seen = int(self._db.execute("PRAGMA data_version").fetchone()[0])
        changed, self._seen = seen != self._seen, seen
        return changed


def _create(path: Path) -> None:
    """Make an empty file of mode 0600 if there is none: SQLite gives that mode to its -wal and -shm as well.

    Only a file that is not there is opened here. POSIX locks belong to the process: closing any descriptor of a
    database drops the locks of all its connections, and another process may then delete the log under them
    (sqlite.org/howtocorrupt.html, section 2.2).
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        if path.is_symlink():
            raise JournalError(f"{path}: the journal is a link, which may lead anywhere; remove the link") from None


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
    database = sqlite3.connect(path, timeout=_BUSY_S)
    try:
        sound = database.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok"
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise _cannot_open(path, error) from error
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
