"""How a private SQLite database is opened by several processes at once, and how a transaction of it is made.

The journal and the corrections are such databases: what is in them was dictated.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

BUSY_S: Final = 5.0
"""So long another process's lock is waited for."""
# secure_delete, temp_store: what was deleted, and what VACUUM sets aside, is dictated text and must not go to a disk.
_PRAGMAS: Final = ("journal_mode = WAL", "synchronous = NORMAL", "secure_delete = ON", "temp_store = MEMORY")


def create(path: Path, refused: Callable[[str], Exception]) -> None:
    """Make an empty file of mode 0600 if there is none: SQLite gives that mode to its -wal and -shm as well.

    Only a file that is not there is opened here. POSIX locks belong to the process: closing any descriptor of a
    database drops the locks of all its connections, and another process may then delete the log under them
    (sqlite.org/howtocorrupt.html, section 2.2).

    Args:
        path: where.
        refused: makes what is raised where there is a link, of a text.

    Raises:
        OSError: it cannot be made.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        if path.is_symlink():
            raise refused(f"{path}: is a link, which may lead anywhere; remove the link") from None


def prepare(db: sqlite3.Connection, migrate: Callable[[], None]) -> None:
    """Set a new connection up, and bring its tables up to date.

    The switch to WAL, and a first read while the last connection elsewhere is closing, are told "busy" at once, past
    the time-out of connect() (seen in 2 of 15 races of five). All stages start in the same instant.

    Args:
        db: it commits by itself outside a transaction (`isolation_level=None`).
        migrate: makes or alters tables; it may be called again.

    Raises:
        sqlite3.Error: it cannot be done, or others have held locks for `BUSY_S`.
    """
    deadline = time.monotonic() + BUSY_S
    while True:
        try:
            for pragma in _PRAGMAS:
                db.execute(f"PRAGMA {pragma}").close()
            migrate()
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.005)


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """Make what is done in the block one transaction, which is undone where the block raises."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:  # SQLite has rolled back by itself after some errors, a full disk for one
            db.execute("ROLLBACK")
        raise


def version(db: sqlite3.Connection) -> int:
    """Return the version of the schema, 0 for an empty file."""
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def data_version(db: sqlite3.Connection) -> int:
    """Return a number that is another one once another process has committed; a few microseconds."""
    return int(db.execute("PRAGMA data_version").fetchone()[0])
