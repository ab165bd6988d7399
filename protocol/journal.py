"""The journal: what makes an utterance arrive, and arrive once.

The problem. Five processes stand between a spoken sentence and the cursor. Any of them may die at any instant, and any
message between them may be lost or come twice, yet every sentence must be typed, none twice. Queues that acknowledge
(a broker, ZeroMQ with retries) move the question into the broker and still deliver twice after an ill-timed crash;
in-memory hand-over loses what the dead process held.

The answer is a write-ahead intent log in the manner of database recovery (Mohan et al., ARIES, 1992, reduced to one row
an utterance): a row per utterance, and a state that only moves forward::

    segmented -> transcribed -> transformed -> intent -> typed
        |            |              ^  |          |
        +------------+-> suppressed |  +-> late   +-> in_doubt
                                    +----------------- (proof that nothing was typed)

  An edit by voice ("scratch that") is a row like any other: once done it is `typed`, and what it took back is in it and
  in the rows that it took from; where it cannot be done, it is `suppressed` from `transformed` or `intent`.

- A stage commits its transition *before* it publishes it. Messages are hints that something waits; every stage also
  looks for itself at start and four times a second. A lost message costs 250 ms, a duplicate costs one query.
- Each transition names the state it expects (`UPDATE ... WHERE state = ?`), so a replay after a crash, or a second
  process doing the same work, changes nothing and is told so.
- `intent` is committed before the first keystroke. A row found in `intent` by a starting injector is *in doubt*:
  maybe typed, maybe not, maybe in part. No protocol can decide that from this side of a keyboard, so it is shown to the
  person and never typed again by itself. A time-out is doubt, too. Only a back end that can prove it typed nothing
  moves the row back to `transformed`.
- An utterance's key is (stream, first sample). The VAD is deterministic from its last journalled position, so
  re-running it over the ring finds the same keys and the INSERT of a known one is a no-op.

What the conductor wants (is a recording on, from which source) is here as well (`protocol.recordings`): desired state
that each stage reconciles to, so that a restarted stage needs nobody to repeat a command.

Durability. WAL with synchronous=NORMAL: a commit is in the page cache when it returns, so it survives the death of any
process, and no fsync stands in the hot path. A power cut may take the last moments with it; the boot id in each row
keeps what is left from being typed into the next session.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from sottovoce.protocol.clocks import boot_id, now_ns, suspended_ns
from sottovoce.protocol.database import Patience, enduring
from sottovoce.protocol.exceptions import JournalError
from sottovoce.protocol.recordings import Recordings
from sottovoce.protocol.rows import UNFINISHED, State, UtteranceRow

_NOTHING: Final[Mapping[int, str]] = MappingProxyType({})
EVERYTHING: Final = 2**63 - 1
"""For `forget`: a time after every other, also where the clock was set back since."""
_DAY_NS: Final = 86_400 * 10**9


class Journal(Recordings):
    """One process's connection to the journal. Not to be shared between threads, nor carried over a fork.

    Args:
        path: the database; made with mode 0600 if it is not there.
        keep: `[history] keep`; with "none", text is erased in the transition that ends an utterance.
        patience: what to do while the file cannot be read or written, see `protocol.database`.

    Raises:
        JournalUnavailable: by any method, when patience is at its end; then it has changed nothing.
        JournalError: it cannot be opened, is damaged, or was written by a newer version.
    """

    def __init__(self, path: Path, *, keep: str = "30d", patience: Patience | None = None) -> None:
        super().__init__(path, patience=patience)
        self._erase = keep == "none"

    @enduring
    def _scrub(self) -> None:
        """Leave no deleted text in the files.

        secure_delete clears freed space, but the write-ahead log keeps older copies of pages, and pages that were split
        keep cells that moved away (17 of 50,000 erased words were found so); the first is emptied at each call, the
        second is rebuilt when nothing waits. 0.07 ms, and with the rebuilding of 450 rows 0.7 ms.
        """
        if self.unfinished() == 0:
            self._db.execute("VACUUM")
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

    @enduring
    def stop_recording(self, generation: int, *, cancel: bool = False) -> bool:
        """Want it no longer; False if that was said before. `cancel` also gives up what is not typed yet."""
        with self._transaction():
            if cancel:
                self._execute("UPDATE recording SET cancelled = 1 WHERE generation = ?", generation)
                self._execute(
                    "UPDATE utterance SET state = 'suppressed', reason = 'cancelled', "
                    "heard = CASE WHEN ? THEN NULL ELSE heard END, plain = CASE WHEN ? THEN NULL ELSE plain END, "
                    "text = CASE WHEN ? THEN NULL ELSE text END, "
                    "mended = NULL WHERE generation = ? AND state IN ('segmented', 'transcribed', 'transformed')",
                    self._erase, self._erase, self._erase, generation,
                )  # fmt: skip
            stopped = self._execute(
                "UPDATE recording SET stop_ns = ? WHERE generation = ? AND stop_ns IS NULL",
                now_ns(),
                generation,
            )
        if cancel and self._erase:
            self._scrub()
        return stopped

    @enduring
    def segmented(
        self, *, generation: int, stream: int, first: int, end: int, speech_end: int, spoken_ns: int,
        position: int, wall_ns: int, asleep_ns: int | None = None, turn: float | None = None,
    ) -> bool:  # fmt: skip
        """Enter an utterance and the VAD's new position, in one commit; False if it is not entered.

        It is not if its key is known already, nor if the recording goes on in another ring by now: what the VAD had
        not entered of the old one is captured once more there, so entered from both it would be typed twice.

        `asleep_ns` is for how long this boot had been suspended when it was spoken, by default until now; `turn` the
        probability, by the voice, that the speaker was finished.
        """
        with self._transaction():
            row = self._db.execute(
                "SELECT cancelled, stream FROM recording WHERE generation = ?", (generation,)
            ).fetchone()
            cancelled, now_in = row or (0, stream)
            if now_in not in (None, stream):
                return False
            state, reason = ("suppressed", "cancelled") if cancelled else ("segmented", None)
            new = self._execute(
                "INSERT OR IGNORE INTO utterance (stream, first, end, speech_end, generation, boot, state, reason, "
                "turn, spoken_ns, asleep_ns, wall_ns, segmented_ns) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                stream, first, end, speech_end, generation, boot_id(), state, reason, turn, spoken_ns,
                suspended_ns() if asleep_ns is None else asleep_ns, wall_ns, now_ns(),
            )  # fmt: skip
            self.vad_moved(generation, stream=stream, position=position, floor=end)
        return new

    @enduring
    def transcribed(self, ordinal: int, *, text: str, model: str, mend: str | None = None) -> bool:
        """segmented -> transcribed, with the recogniser's text and what it makes of the end of the one before."""
        return self._execute(
            "UPDATE utterance SET state = 'transcribed', heard = ?, model = ?, mend = ?, transcribed_ns = ? "
            "WHERE ordinal = ? AND state = 'segmented'",
            text, model, mend, now_ns(), ordinal,
        )  # fmt: skip

    @enduring
    def suppressed(
        self,
        ordinal: int,
        *,
        reason: str,
        text: str | None = None,
        model: str | None = None,
        context: str | None = None,
    ) -> bool:
        """segmented or transcribed -> suppressed: it will not be typed, for this reason.

        `context` is the transform's, where the utterance typed nothing and yet changed that: "caps on".
        """
        with self._transaction():
            moved = self._execute(
                "UPDATE utterance SET state = 'suppressed', reason = ?, model = coalesce(?, model), "
                "heard = CASE WHEN ? THEN NULL ELSE coalesce(?, heard) END, transformed_ns = ? "
                "WHERE ordinal = ? AND state IN ('segmented', 'transcribed')",
                reason, model, self._erase, text, None if context is None else now_ns(), ordinal,
            )  # fmt: skip
            if moved and context is not None:
                self._db.execute("INSERT OR REPLACE INTO memory VALUES ('transform', ?)", (context,))
        if moved and self._erase:
            self._scrub()
        return moved

    @enduring
    def transformed(
        self, ordinal: int, *, text: str, context: str, mended: str | None = None, plain: str | None = None,
        before: str | None = None, edit: str | None = None,
    ) -> bool:  # fmt: skip
        """transcribed -> transformed, and the transform's context with it: both or neither.

        `mended` is what to type instead, once the last character of the utterance before has been taken back; `plain`
        what the rules made of it, where a hook or a rewrite made `text` of that; `before` the context in front of it;
        `edit` (JSON, `rows.Edit`) what it asks to be done to what was typed.
        """
        with self._transaction():
            moved = self._execute(
                "UPDATE utterance SET state = 'transformed', text = ?, mended = ?, plain = ?, before = ?, edit = ?, "
                "transformed_ns = ? WHERE ordinal = ? AND state = 'transcribed'",
                text, mended, plain, None if self._erase else before, edit, now_ns(), ordinal,
            )  # fmt: skip
            if moved:
                self._db.execute("INSERT OR REPLACE INTO memory VALUES ('transform', ?)", (context,))
        return moved

    @enduring
    def attempted(self, ordinal: int) -> int:
        """Note that the recogniser is about to decode an utterance, and return for the how manyth time.

        One that kills the recogniser each time would else hold up all that follow for ever.
        """
        with self._transaction():
            row = self._db.execute("SELECT value FROM memory WHERE key = 'attempt'").fetchone()
            last, count = map(int, row[0].split()) if row else (0, 0)
            count = count + 1 if last == ordinal else 1
            self._db.execute("INSERT OR REPLACE INTO memory VALUES ('attempt', ?)", (f"{ordinal} {count}",))
        return count

    @enduring
    def intent(self, ordinal: int, *, backend: str) -> bool:
        """transformed -> intent: the first keystroke may follow, and only after this has returned True."""
        return self._execute(
            "UPDATE utterance SET state = 'intent', backend = ?, intent_ns = ? "
            "WHERE ordinal = ? AND state = 'transformed'",
            backend, now_ns(), ordinal,
        )  # fmt: skip

    @enduring
    def typed(self, ordinal: int, *, backend: str, mended: bool = False, place: str | None = None) -> bool:
        """intent -> typed, at a `place` that the back end names.

        Where it was `mended`, the texts of both utterances become what stands on the screen, and the context in front
        of the second, which had the stop, is no longer true.
        """
        with self._transaction():
            moved = self._execute(
                "UPDATE utterance SET state = 'typed', backend = ?, typed_ns = ?, mended = NULL, place = ?, "
                "before = CASE WHEN ? THEN NULL ELSE before END, edit = CASE WHEN ? THEN NULL ELSE edit END, "
                "heard = CASE WHEN ? THEN NULL ELSE heard END, plain = CASE WHEN ? THEN NULL ELSE plain END, "
                "text = CASE WHEN ? THEN NULL WHEN ? THEN mended ELSE text END "
                "WHERE ordinal = ? AND state = 'intent'",
                backend, now_ns(), place, mended, self._erase, self._erase, self._erase, self._erase, mended, ordinal,
            )  # fmt: skip
            if moved and mended:
                self._execute(
                    "UPDATE utterance SET text = substr(text, 1, length(text) - 1) WHERE ordinal = ?", ordinal - 1
                )
        if moved and self._erase:
            self._scrub()
        return moved

    @enduring
    def edited(
        self, ordinal: int, *, backend: str, edit: str, place: str | None = None, stands: Mapping[int, str] = _NOTHING
    ) -> bool:
        """intent -> typed of an edit: with what it did (JSON, `rows.Edit`), and what `stands` of other utterances now.

        Not under `keep = "none"`, where there is nothing to edit.
        """
        with self._transaction():
            moved = self._execute(
                "UPDATE utterance SET state = 'typed', backend = ?, typed_ns = ?, edit = ?, place = ? "
                "WHERE ordinal = ? AND state = 'intent'",
                backend, now_ns(), edit, place, ordinal,
            )  # fmt: skip
            if moved:
                for other, text in stands.items():
                    self._execute("UPDATE utterance SET stands = ? WHERE ordinal = ?", text, other)
        return moved

    @enduring
    def refused(self, ordinal: int, *, reason: str) -> bool:
        """transformed or intent -> suppressed, of an edit, on proof that nothing was pressed."""
        moved = self._execute(
            "UPDATE utterance SET state = 'suppressed', reason = ?, mended = NULL, "
            "heard = CASE WHEN ? THEN NULL ELSE heard END, text = CASE WHEN ? THEN NULL ELSE text END, "
            "edit = CASE WHEN ? THEN NULL ELSE edit END WHERE ordinal = ? AND state IN ('transformed', 'intent')",
            reason, self._erase, self._erase, self._erase, ordinal,
        )  # fmt: skip
        if moved and self._erase:
            self._scrub()
        return moved

    @enduring
    def editing(self) -> bool:
        """Tell whether an edit waits to be done: what stands, and so the context after it, is known only then."""
        row = self._db.execute(
            f"SELECT 1 FROM utterance INDEXED BY unfinished WHERE state IN {UNFINISHED} AND edit IS NOT NULL LIMIT 1"  # noqa: S608
        ).fetchone()
        return row is not None

    @enduring
    def earlier(self, ordinal: int, *, limit: int) -> list[UtteranceRow]:
        """Return the `limit` utterances before one, the newest first."""
        rows = self._db.execute(
            "SELECT * FROM utterance WHERE ordinal < ? ORDER BY ordinal DESC LIMIT ?", (ordinal, limit)
        ).fetchall()
        return [UtteranceRow(**row) for row in rows]

    @enduring
    def nothing_typed(self, ordinal: int, *, reason: str) -> bool:
        """intent -> transformed, on proof that no keystroke was sent."""
        return self._execute(
            "UPDATE utterance SET state = 'transformed', reason = ? WHERE ordinal = ? AND state = 'intent'",
            reason, ordinal,
        )  # fmt: skip

    @enduring
    def in_doubt(self, ordinal: int, *, reason: str) -> bool:
        """intent -> in_doubt: it may have been typed, wholly, partly or not."""
        return self._execute(
            "UPDATE utterance SET state = 'in_doubt', reason = ? WHERE ordinal = ? AND state = 'intent'",
            reason, ordinal,
        )  # fmt: skip

    @enduring
    def late(self, ordinal: int, *, reason: str) -> bool:
        """transformed -> late: its turn came when the focus may long have been elsewhere."""
        return self._execute(
            "UPDATE utterance SET state = 'late', reason = ?, mended = NULL "
            "WHERE ordinal = ? AND state = 'transformed'",
            reason, ordinal,
        )  # fmt: skip

    @enduring
    def oldest(self, *states: State) -> UtteranceRow | None:
        """Return the first utterance, in spoken order, that is in one of `states`.

        A stage that keeps order asks for its own state *and all earlier ones*, and waits if an earlier one comes back.
        """
        marks = ", ".join("?" * len(states))
        row = self._db.execute(
            f"SELECT * FROM utterance INDEXED BY unfinished WHERE state IN {UNFINISHED} AND state IN ({marks}) "  # noqa: S608
            "ORDER BY ordinal LIMIT 1",
            states,
        ).fetchone()
        return None if row is None else UtteranceRow(**row)

    @enduring
    def unfinished(self, generation: int | None = None) -> int:
        """Count the utterances that have not come to an end, of one recording or of all."""
        row = self._db.execute(
            f"SELECT count(*) FROM utterance INDEXED BY unfinished WHERE state IN {UNFINISHED} "  # noqa: S608
            "AND (? IS NULL OR generation = ?)",
            (generation, generation),
        ).fetchone()
        return int(row[0])

    @enduring
    def utterances(self, *, generation: int | None = None, limit: int = -1) -> list[UtteranceRow]:
        """Return the newest `limit` utterances (-1: all), of one recording or of all, in spoken order."""
        rows = self._db.execute(
            "SELECT * FROM utterance WHERE ? IS NULL OR generation = ? ORDER BY ordinal DESC LIMIT ?",
            (generation, generation, limit),
        ).fetchall()
        return [UtteranceRow(**row) for row in reversed(rows)]

    @enduring
    def utterance(self, ordinal: int) -> UtteranceRow:
        """Return one utterance.

        Raises:
            JournalError: there is none of this number.
        """
        row = self._db.execute("SELECT * FROM utterance WHERE ordinal = ?", (ordinal,)).fetchone()
        if row is None:
            raise JournalError(f"no utterance {ordinal} in {self.path}")
        return UtteranceRow(**row)

    @enduring
    def newest(self, *states: State, limit: int = -1) -> list[UtteranceRow]:
        """Return the newest `limit` utterances (-1: all) in any of `states`, newest first."""
        marks = ", ".join("?" * len(states))
        rows = self._db.execute(
            f"SELECT * FROM utterance WHERE state IN ({marks}) ORDER BY ordinal DESC LIMIT ?",  # noqa: S608
            (*states, limit),
        ).fetchall()
        return [UtteranceRow(**row) for row in rows]

    @enduring
    def retyped(self, ordinal: int, *, text: str, wall_ns: int) -> int:
        """Put the text of a finished utterance up for delivery once more, as a new one, and return its ordinal.

        The old row keeps its state, for what happened to it happened; each names the other in its reason. The new one
        is the last in order and is spoken now. It has no audio, so its key is stream 0, which no ring has, and its own
        ordinal, which is never used again; it is of no recording (generation 0). `heard` and `transformed_ns` stay
        empty: neither the recogniser's context nor the transform's may take it for something just said.

        Raises:
            JournalError: there is none of this number, or it is still on its way.
        """
        with self._transaction():
            old = self.utterance(ordinal)
            if old.state in UNFINISHED:
                raise JournalError(f"utterance {ordinal} is still on its way ({old.state}); wait for it, or cancel it")
            new = 1 + self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'utterance'").fetchone()[0]
            self._execute(
                "INSERT INTO utterance (ordinal, stream, first, end, speech_end, generation, boot, state, reason, "
                "text, model, spoken_ns, asleep_ns, wall_ns, segmented_ns) "
                "VALUES (?, 0, ?, ?, ?, 0, ?, 'transformed', ?, ?, ?, ?, ?, ?, ?)",
                new, new, new, new, boot_id(), f"retyped from {ordinal}", text, old.model, now_ns(), suspended_ns(),
                wall_ns, now_ns(),
            )  # fmt: skip
            self._execute(
                "UPDATE utterance SET reason = coalesce(reason || '; ', '') || ? WHERE ordinal = ?",
                f"retyped as {new}", ordinal,
            )  # fmt: skip
        return int(new)

    @enduring
    def delete(self, ordinals: Iterable[int]) -> int:
        """Delete those of these utterances that are finished, and recordings that are left empty.

        Returns:
            How many utterances.
        """
        with self._transaction():
            gone = sum(
                self._execute(
                    f"DELETE FROM utterance WHERE ordinal = ? AND state NOT IN {UNFINISHED}",  # noqa: S608
                    ordinal,
                )
                for ordinal in ordinals
            )
        self.forget(before_wall_ns=0)  # no utterance is that old; it is for the recordings
        if gone:
            self._scrub()
        return gone

    @enduring
    def context(self) -> tuple[str, UtteranceRow | None]:
        """Return the transform's remembered context ("" at first) and the utterance that was transformed last."""
        row = self._db.execute("SELECT value FROM memory WHERE key = 'transform'").fetchone()
        last = self._db.execute(
            "SELECT * FROM utterance WHERE transformed_ns IS NOT NULL ORDER BY ordinal DESC LIMIT 1"
        ).fetchone()
        return ("" if row is None else str(row[0])), (None if last is None else UtteranceRow(**last))

    @enduring
    def forget(self, *, before_wall_ns: int, spoken_before_ns: int | None = None) -> int:
        """Delete finished utterances spoken before a time (CLOCK_REALTIME ns), and recordings that are left empty.

        `spoken_before_ns` is the same time as CLOCK_BOOTTIME ns, and holds as well for what was spoken in this boot, of
        which the age is known whatever was done to the clock. What bears a time to come, from when the clock was
        wrong, is dated now, so that it will be old some day.

        Returns:
            How many utterances.
        """
        with self._transaction():
            if spoken_before_ns is not None:
                now = time.time_ns()
                self._execute("UPDATE utterance SET wall_ns = ? WHERE wall_ns > ?", now, now + _DAY_NS)
            cursor = self._db.execute(
                f"DELETE FROM utterance WHERE wall_ns < ? AND state NOT IN {UNFINISHED} "  # noqa: S608
                "AND (? IS NULL OR boot != ? OR spoken_ns + asleep_ns < ?)",
                (before_wall_ns, spoken_before_ns, boot_id(), spoken_before_ns),
            )
            self._execute(
                "DELETE FROM recording WHERE closed_ns IS NOT NULL "
                "AND generation < (SELECT max(generation) FROM recording) "
                "AND NOT EXISTS (SELECT 1 FROM utterance WHERE utterance.generation = recording.generation)"
            )
        if cursor.rowcount:
            self._scrub()
        return cursor.rowcount
