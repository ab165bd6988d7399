"""The database of corrections.

`corrections.db` lies beside the journal in the state directory, with mode 0600: what people dictate often is as private
as what they dictate. It is a database of its own because it outlives the journal, which forgets.

    correction   what was learned, with how often and when it was last used
    edit         what a person changed in a transcript and did not keep as a correction; seen often, it is suggested

`sottovoce learn` and `sottovoce corrections` write it; the transform reads it, asks `changed()` once in a while, and
hands its use counts over when it has nothing else to do (`Usage`).
"""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import msgspec

from sottovoce.protocol import connection
from sottovoce.protocol.correction import Correction, Suggestion
from sottovoce.protocol.exceptions import ProtocolError
from sottovoce.protocol.paths import Paths

SCHEMA_VERSION: Final = 1
SUGGESTED_AFTER: Final = 3
"""An edit seen so often is suggested as a correction."""

Outcome: TypeAlias = Literal["added", "changed", "same"]

_SCHEMA: Final = f"""
CREATE TABLE correction (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    heard TEXT NOT NULL,
    key TEXT NOT NULL,                -- heard, in lower case
    written TEXT NOT NULL,
    match TEXT NOT NULL,
    letters TEXT NOT NULL,            -- LetterCase
    modes TEXT NOT NULL,              -- in order, a space between; '' for all
    enabled INTEGER NOT NULL,
    uses INTEGER NOT NULL,
    used_ns INTEGER,                  -- CLOCK_REALTIME
    added_ns INTEGER NOT NULL,
    UNIQUE (key, modes)
);
CREATE TABLE edit (
    key TEXT NOT NULL,
    heard TEXT NOT NULL,
    written TEXT NOT NULL,
    seen INTEGER NOT NULL,
    seen_ns INTEGER NOT NULL,
    PRIMARY KEY (key, written)
);
PRAGMA user_version = {SCHEMA_VERSION};
"""


class CorrectionsError(ProtocolError):
    """A correction that cannot be, or a database of them that cannot be used; the text says what to do."""


def database_path(paths: Paths) -> Path:
    """Return where the corrections of a service are kept."""
    return paths.state / "corrections.db"


class CorrectionStore:
    """One process's connection. Not to be shared between threads, nor carried over a fork.

    Args:
        path: the file; made with mode 0600 if it is not there.

    Raises:
        CorrectionsError: by any method: it cannot be opened, read or written, or is of a newer version. What is one
            call is one transaction, so nothing of it was done.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen = -1
        with self._told("cannot be opened"):
            connection.create(path, CorrectionsError)
            self._db = sqlite3.connect(path, isolation_level=None, timeout=connection.BUSY_S)
            self._db.row_factory = sqlite3.Row
            try:
                connection.prepare(self._db, self._migrate)
            except BaseException:
                self._db.close()
                raise

    def _migrate(self) -> None:
        if connection.version(self._db) == SCHEMA_VERSION:
            return
        with connection.transaction(self._db):
            version = connection.version(self._db)  # another process may have been first
            if version == 0:
                for statement in _SCHEMA.split(";\n"):
                    self._db.execute(statement)
            elif version != SCHEMA_VERSION:
                raise CorrectionsError(
                    f"{self.path}: written by another sottovoce (version {version}, this one knows {SCHEMA_VERSION}); "
                    "upgrade sottovoce, or move the file aside"
                )

    def close(self) -> None:
        """Close the connection."""
        self._db.close()

    def changed(self) -> bool:
        """Tell whether another process has written since the last call, True at the first; a few microseconds."""
        with self._told("cannot be read"):
            seen = connection.data_version(self._db)
        changed, self._seen = seen != self._seen, seen
        return changed

    # -- corrections -----------------------------------------------------------------------------------------------

    def all(self) -> tuple[Correction, ...]:
        """Return every correction, as they were added."""
        with self._told("cannot be read"):
            rows = self._db.execute("SELECT * FROM correction ORDER BY number").fetchall()
            return tuple(_correction(row) for row in rows)

    def get(self, key: tuple[str, tuple[str, ...]]) -> Correction | None:
        """Return the correction of a `Correction.key`."""
        heard, modes = key
        with self._told("cannot be read"):
            row = self._db.execute(
                "SELECT * FROM correction WHERE key = ? AND modes = ?", (heard, " ".join(modes))
            ).fetchone()
            return None if row is None else _correction(row)

    def numbers(self) -> set[int]:
        """Return the numbers of all corrections."""
        with self._told("cannot be read"):
            return {int(row[0]) for row in self._db.execute("SELECT number FROM correction")}

    def add(self, *corrections: Correction) -> list[Outcome]:
        """Add corrections, or change those of the same key; tell of each which it was.

        One that is changed keeps its number, its uses and when it was added. An edit that is the same goes: it is
        known now.
        """
        with self._told("cannot be written"), connection.transaction(self._db):
            return [self._add(correction) for correction in corrections]

    def _add(self, correction: Correction) -> Outcome:
        before = self.get(correction.key)
        key, modes = correction.key
        self._db.execute("DELETE FROM edit WHERE key = ? AND written = ?", (key, correction.write))
        if before is not None and before.same_as(correction) and correction.uses <= before.uses:
            return "same"
        if before is None:
            self._db.execute(
                "INSERT INTO correction (heard, key, written, match, letters, modes, enabled, uses, used_ns, added_ns) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (correction.heard, key, correction.write, correction.match, correction.case, " ".join(modes),
                 correction.enabled, correction.uses, correction.used_ns, correction.added_ns or time.time_ns()),
            )  # fmt: skip
            return "added"
        self._db.execute(
            "UPDATE correction SET heard = ?, written = ?, match = ?, letters = ?, enabled = ?, uses = max(uses, ?), "
            "used_ns = max(coalesce(used_ns, 0), ?) WHERE number = ?",
            (correction.heard, correction.write, correction.match, correction.case, correction.enabled, correction.uses,
             correction.used_ns or 0, before.number),
        )  # fmt: skip
        self._db.execute("UPDATE correction SET used_ns = NULL WHERE number = ? AND used_ns = 0", (before.number,))
        return "changed"

    def enable(self, numbers: Iterable[int], *, enabled: bool = True) -> list[int]:
        """Let corrections hold again, or no longer; return the numbers of those that there are."""
        with self._told("cannot be written"), connection.transaction(self._db):
            return [
                number for number in dict.fromkeys(numbers)
                if self._db.execute(
                    "UPDATE correction SET enabled = ? WHERE number = ?", (enabled, number)
                ).rowcount
            ]  # fmt: skip

    def remove(self, numbers: Iterable[int]) -> list[int]:
        """Remove corrections for good; return the numbers of those that there were."""
        with self._told("cannot be written"):
            with connection.transaction(self._db):
                gone = [
                    number for number in dict.fromkeys(numbers)
                    if self._db.execute("DELETE FROM correction WHERE number = ?", (number,)).rowcount
                ]  # fmt: skip
            self._scrub()
        return gone

    def used(self, counts: Mapping[int, int], *, now_ns: int) -> None:
        """Add to the use counts of corrections; those that are gone meanwhile are passed over."""
        with self._told("cannot be written"), connection.transaction(self._db):
            self._db.executemany(
                "UPDATE correction SET uses = uses + ?, used_ns = ? WHERE number = ?",
                [(count, now_ns, number) for number, count in counts.items()],
            )

    # -- edits -----------------------------------------------------------------------------------------------------

    def saw(self, heard: str, write: str, *, now_ns: int) -> int:
        """Count an edit that was not kept as a correction; return how often it was seen by now.

        ValueError: no correction could be made of it (`Correction`).
        """
        Correction(heard=heard, write=write)
        with self._told("cannot be written"):
            row = self._db.execute(
                "INSERT INTO edit (key, heard, written, seen, seen_ns) VALUES (?, ?, ?, 1, ?) "
                "ON CONFLICT (key, written) DO UPDATE SET seen = seen + 1, seen_ns = excluded.seen_ns RETURNING seen",
                (heard.lower(), heard, write, now_ns),
            ).fetchone()
        return int(row[0])

    def suggestions(self, *, at_least: int = SUGGESTED_AFTER) -> tuple[Suggestion, ...]:
        """Return the edits that were seen so often, the most frequent first. None of them is applied."""
        with self._told("cannot be read"):
            rows = self._db.execute(
                "SELECT heard, written, seen, seen_ns FROM edit WHERE seen >= ? ORDER BY seen DESC, seen_ns DESC",
                (at_least,),
            ).fetchall()
        return tuple(Suggestion(*row) for row in rows)

    def forget_edits(self) -> int:
        """Delete all edits that were seen, for good; return how many there were."""
        with self._told("cannot be written"):
            gone = self._db.execute("DELETE FROM edit").rowcount
            self._scrub()
        return gone

    # -- the database ------------------------------------------------------------------------------------------------

    def _scrub(self) -> None:
        """Leave no deleted text in the files: cells that moved away, older copies of pages in the write-ahead log."""
        self._db.execute("VACUUM")
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise CorrectionsError(
                f"{self.path}: {what}: {error}; look at the file system, or move the file aside: a new one is begun"
            ) from error


class Usage:
    """Counts uses in memory, and writes them when asked to: a commit has no place between speech and text."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()

    def __bool__(self) -> bool:
        return bool(self._counts)

    def note(self, numbers: Iterable[int]) -> None:
        """Count one use of each correction; 0 is none."""
        self._counts.update(number for number in numbers if number)

    def flush(self, store: CorrectionStore) -> None:
        """Write what was counted since the last time; CorrectionsError: it cannot be, and is counted still."""
        if self._counts:
            store.used(self._counts, now_ns=time.time_ns())
            self._counts.clear()


def _correction(row: sqlite3.Row) -> Correction:
    values: dict[str, Any] = {name: row[name] for name in ("heard", "match", "uses", "used_ns", "added_ns", "number")}
    values |= {"write": row["written"], "case": row["letters"], "enabled": bool(row["enabled"])}
    try:
        return msgspec.convert(values | {"modes": tuple(row["modes"].split())}, Correction)
    except (ValueError, msgspec.ValidationError) as error:
        # Without its words: what is told of a database gets into logs.
        raise CorrectionsError(
            f"correction {row['number']} is none that sottovoce made ({type(error).__name__}); "
            f"run: sottovoce corrections rm {row['number']}"
        ) from error
