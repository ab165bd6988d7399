"""The journal's recordings: the conductor's wish, and how far capture and the VAD have come."""

from __future__ import annotations

from sottovoce.protocol.clocks import boot_id, now_ns
from sottovoce.protocol.database import Database, enduring
from sottovoce.protocol.rows import UNFINISHED, Recording


class Recordings(Database):
    """The half of the journal (`protocol.journal`, which says why) that is about whole recordings."""

    @enduring
    def begin_recording(self, source: str) -> int:
        """Want a recording of `source` (JSON) and return its generation."""
        cursor = self._db.execute(
            "INSERT INTO recording (boot, source, requested_ns) VALUES (?, ?, ?)",
            (boot_id(), source, now_ns()),
        )
        assert cursor.lastrowid is not None  # noqa: S101 - sqlite3 sets it on every INSERT
        return cursor.lastrowid

    @enduring
    def recording(self, generation: int | None = None) -> Recording | None:
        """Return a recording, by default the newest."""
        row = self._db.execute(
            "SELECT * FROM recording WHERE ? IS NULL OR generation = ? ORDER BY generation DESC LIMIT 1",
            (generation, generation),
        ).fetchone()
        return None if row is None else Recording(**row)

    @enduring
    def recording_range(self, stream: int, sample: int) -> tuple[int, int | None]:
        """Return the first sample of the recording that `sample` is in, and the one after its last, if it is over.

        What was said before and after is another matter. Where there is no such recording, it begins at 0.
        """
        row = self._db.execute(
            "SELECT first, end FROM recording WHERE stream = ? AND first <= ? ORDER BY first DESC LIMIT 1",
            (stream, sample),
        ).fetchone()
        return (0, None) if row is None else (row["first"], row["end"])

    @enduring
    def undrained(self) -> Recording | None:
        """Return the oldest recording of this boot that capture began and the VAD has not finished."""
        row = self._db.execute(
            "SELECT * FROM recording WHERE stream IS NOT NULL AND drained = 0 AND closed_ns IS NULL AND boot = ? "
            "ORDER BY generation LIMIT 1",
            (boot_id(),),
        ).fetchone()
        return None if row is None else Recording(**row)

    @enduring
    def capture_began(
        self, generation: int, *, stream: int, first: int, source_offset: int = 0, position: int | None = None
    ) -> bool:
        """Note where in which ring a recording begins (or goes on, in a new ring: the VAD starts again there).

        False if it is no longer wanted, or if the VAD is not at `position` (None: nowhere yet), from which
        `source_offset` was reckoned. Then nothing may be captured for it on the strength of what was read.
        """
        return self._execute(
            "UPDATE recording SET stream = ?, first = ?, source_offset = ?, position = NULL, floor = NULL "
            "WHERE generation = ? AND stop_ns IS NULL AND end IS NULL AND closed_ns IS NULL AND position IS ?",
            stream, first, source_offset, generation, position,
        )  # fmt: skip

    @enduring
    def capture_ended(self, generation: int, *, end: int, reason: str) -> bool:
        """Note that no sample of it comes after `end`."""
        return self._execute(
            "UPDATE recording SET end = ?, end_reason = ? WHERE generation = ? AND end IS NULL", end, reason, generation
        )

    @enduring
    def capture_failed(self, generation: int, *, reason: str) -> bool:
        """Note that its source could not be opened, so that there is nothing to wait for."""
        return self._execute(
            "UPDATE recording SET end = 0, end_reason = ?, drained = 1 "
            "WHERE generation = ? AND end IS NULL AND stream IS NULL",
            reason, generation,
        )  # fmt: skip

    @enduring
    def vad_moved(self, generation: int, *, stream: int, position: int, floor: int) -> bool:
        """Note a boundary from which the VAD can start again, state reset, and find the same segments.

        False if the recording goes on in another ring by now, where this boundary means nothing.
        """
        return self._execute(
            "UPDATE recording SET position = ?, floor = ? WHERE generation = ? AND stream IS ?",
            position, floor, generation, stream,
        )  # fmt: skip

    @enduring
    def vad_drained(self, generation: int) -> bool:
        """Note that every sample up to `end` has been looked at."""
        return self._execute("UPDATE recording SET drained = 1 WHERE generation = ? AND drained = 0", generation)

    @enduring
    def open_recordings(self) -> list[Recording]:
        """Return the recordings that have not been closed, oldest first."""
        rows = self._db.execute("SELECT * FROM recording WHERE closed_ns IS NULL ORDER BY generation").fetchall()
        return [Recording(**row) for row in rows]

    @enduring
    def close_recording(self, generation: int) -> bool:
        """Close it if it is over: not wanted, all captured and segmented, each utterance at its end.

        A recording that was stopped before capture began it is over, and so is one of another boot.
        """
        return self._execute(  # the state names are constants of this module
            "UPDATE recording SET closed_ns = ? WHERE generation = ? AND closed_ns IS NULL AND ("  # noqa: S608
            "boot != ? OR (stream IS NULL AND stop_ns IS NOT NULL) OR (end IS NOT NULL AND drained = 1 AND NOT EXISTS ("
            f"SELECT 1 FROM utterance WHERE utterance.generation = recording.generation AND state IN {UNFINISHED})))",
            now_ns(), generation, boot_id(),
        )  # fmt: skip
