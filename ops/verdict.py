"""What became of a recording, compared with what becomes of it in peace.

What is true is decided by the journal and the file that was typed into, not by messages. Each time that a recording is
played:

- *lost*: an utterance that came in peace (by its first sample) and is not journalled now, or has not come to an end, or
  is journalled as typed and is not in the file;
- *duplicated*: text in the file that no row accounts for, or accounts for once only;
- *out_of_order*: texts that stand in the file in another order than they were spoken in;
- *unexpected*: an utterance that did not come in peace. A moved boundary counts here and in lost.

A row that is in doubt may stand in the file or not. A file as source goes on exactly where a dead capture stage was; a
microphone would have lost what was said meanwhile, and says so with a gap.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sottovoce.protocol.rows import UNFINISHED, Recording, UtteranceRow


@dataclass(frozen=True, slots=True)
class Played:
    """What came of one recording."""

    recording: Recording
    rows: list[UtteranceRow]
    text: str
    """What was typed into the file meanwhile."""

    def by_key(self) -> dict[tuple[int, int], UtteranceRow]:
        """Return the rows by (0, first sample of the recording itself); by (stream, first) if its ring was replaced."""
        start = (self.recording.first or 0) - self.recording.source_offset
        return {
            (0, row.first - start) if row.stream == self.recording.stream else (row.stream, row.first): row
            for row in self.rows
        }


@dataclass
class Tally:
    """The sums over all recordings that were played under attack."""

    plays: int = 0
    utterances: int = 0
    """That should have come."""
    typed: int = 0
    suppressed: int = 0
    in_doubt: int = 0
    late: int = 0
    lost: int = 0
    duplicated: int = 0
    out_of_order: int = 0
    unexpected: int = 0
    heard_otherwise: int = 0
    """That came, with other words than in peace."""
    stuck: int = 0
    """Recordings that came to no end."""

    def add(self, played: Played, peace: Played) -> None:
        """Judge one recording by how it went in peace."""
        expected, found = peace.by_key(), played.by_key()
        states = Counter(row.state for row in played.rows)
        missing, surplus, swapped = compare(played.text, played.rows)
        self.plays += 1
        self.utterances += len(expected)
        self.typed += states["typed"]
        self.suppressed += states["suppressed"]
        self.in_doubt += states["in_doubt"]
        self.late += states["late"]
        self.lost += len(expected.keys() - found.keys()) + sum(states[state] for state in UNFINISHED) + missing
        self.duplicated += surplus
        self.out_of_order += swapped + sum(a.first > b.first for a, b in itertools.pairwise(played.rows))
        self.unexpected += len(found.keys() - expected.keys())
        self.heard_otherwise += sum(found[key].heard != expected[key].heard for key in expected.keys() & found.keys())
        self.stuck += played.recording.closed_ns is None


def compare(text: str, rows: Sequence[UtteranceRow]) -> tuple[int, int, int]:
    """Compare what was typed with the rows, which are in spoken order.

    Returns:
        How many texts are missing, too many, and whether (0 or 1) they are in another order.
    """
    rows = [row for row in rows if row.state in {"typed", "in_doubt"} and row.text]
    ends = {0}  # where in `text` the rows so far may end: a row in doubt may stand there or not
    for number, row in enumerate(rows):
        texts = _forms(row, rows[number + 1] if number + 1 < len(rows) else None)
        after = {end + len(form) for end in ends for form in texts if text.startswith(form, end)}
        ends = after | ends if row.state == "in_doubt" else after
    if len(text) in ends:
        return 0, 0, 0
    surely = Counter(row.text or "" for row in rows if row.state == "typed")
    perhaps = Counter(row.text or "" for row in rows)
    missing = surplus = 0
    for piece in sorted(perhaps, key=len, reverse=True):  # the longest first: a short one may be a part of it
        count = text.count(piece)
        text = text.replace(piece, "\0")
        missing += max(0, surely[piece] - count)
        surplus += max(0, count - perhaps[piece])
    surplus += bool(text.strip("\0"))
    return missing, surplus, int(not missing and not surplus)


def _forms(row: UtteranceRow, after: UtteranceRow | None) -> set[str]:
    """Return how a row's text may stand in the file.

    One in doubt may have been typed in mended form, and then, or before that failed, took a character off the last.
    """
    forms = {row.text or ""}
    if row.state == "in_doubt" and row.mended:
        forms.add(row.mended)
    if after is not None and after.state == "in_doubt" and after.mended:
        forms |= {form[:-1] for form in forms}
    return forms
