"""What an edit by voice has to take back or bring back, by the journal.

Only the injector knows what stands: the rows that were typed, less what earlier edits took from them. An edit goes back
through them, the newest first, and stops where it cannot know what is under the cursor any more: at a text that may or
may not have been typed, at a key that was pressed (a line may be gone, the cursor be elsewhere), at what was typed too
long ago, by another back end or in another window. A line feed that was typed as text is text: BackSpace takes it in
every editor. Who dictates into a terminal says "press enter", and what was before that is never touched.

Whatever cannot be done is told with the reason, and then nothing is done. Taken back is only what the journal says was
typed, character by character; a program that completes or indents by itself has more in it, of which some then stays.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import msgspec

from sottovoce.actors.inject.base import Delivery
from sottovoce.actors.inject.choose import Chain
from sottovoce.actors.tails import last_sentence, last_word
from sottovoce.protocol.rows import SCRATCHED, Edit, Piece, UtteranceRow

_MOST = 5_000
"""Characters that are looked at for the beginning of a sentence."""


class EditRefusedError(Exception):
    """It cannot be done; says why. Holds no dictated text."""


class Plan(NamedTuple):
    """What to do, where."""

    took: tuple[Piece, ...]
    """What to take back, the last first."""
    gave: tuple[Piece, ...]
    """What to bring back, in the order in which it is typed. One of the two is empty."""
    backend: str
    """By which it was typed, and where."""
    place: str
    of: int = 0
    """The edit that is undone."""

    @property
    def text(self) -> str:
        """The characters, in the order in which they stand."""
        return "".join(piece for _, piece in (self.gave or reversed(self.took)))


def plan(edit: Edit, earlier: Iterable[UtteranceRow], *, within: float, language: str) -> Plan:
    """Return what an edit has to do.

    Args:
        edit: which.
        earlier: the utterances before it, the newest first; read only as far as need be.
        within: seconds; what was typed longer ago stays.
        language: its abbreviations end no sentence.

    Raises:
        EditRefusedError: nothing can be done.
    """
    rows = iter(earlier)
    if edit.does == "undo":
        last = _last_done(rows)
        if last.edit is not None:
            return _undone(last, within)
        rows = itertools.chain([last], rows)
    standing = _standing(rows, within)
    if edit.does in ("word", "sentence"):
        taken = _tail(edit, standing, language)
    else:
        taken = [(row, row.standing or "") for row in itertools.islice(standing, edit.times)]
    newest = taken[0][0]
    return Plan(tuple((row.ordinal, piece) for row, piece in taken), (), newest.backend or "", newest.place or "")


def stands_after(done: Plan, standing: Callable[[int], str | None]) -> dict[int, str]:
    """Return what stands of the utterances that a plan touches, once it is done; `standing` tells what does now.

    Raises:
        EditRefusedError: something else stands than was planned for.
    """
    after: dict[int, str] = {}
    for ordinal, piece in done.took:
        now = standing(ordinal) or ""
        if not now.endswith(piece):
            raise EditRefusedError(f"utterance {ordinal} is another by now")
        after[ordinal] = now[: len(now) - len(piece)]
    for ordinal, piece in done.gave:
        after[ordinal] = (standing(ordinal) or "") + piece
    return after


class Doing(NamedTuple):
    """An edit on its way."""

    asked: Edit
    plan: Plan | None
    """None for a key."""
    stands: dict[int, str]
    """What then stands of the utterances that it touches."""

    def do(self, chain: Chain) -> Delivery:
        """Do it, and block until that is done."""
        if self.plan is None:
            return chain.press(self.asked.keys)
        if self.plan.gave:
            return chain.give_back(self.plan.text, self.plan.backend, self.plan.place)
        return chain.take_back(self.plan.text, self.plan.backend, self.plan.place)

    @property
    def done(self) -> Edit:
        """The edit with what it did."""
        if self.plan is None:
            return self.asked
        return msgspec.structs.replace(self.asked, took=self.plan.took, gave=self.plan.gave, of=self.plan.of)

    @property
    def taken(self) -> int:
        """How many code points it takes back."""
        return len(self.plan.text) if self.plan is not None and self.plan.took else 0

    @property
    def given(self) -> str:
        """The text that it brings back."""
        return self.plan.text if self.plan is not None and self.plan.gave else ""


def planned(
    edit: Edit, earlier: Iterable[UtteranceRow], standing: Callable[[int], str | None], *, within: float, language: str
) -> Doing:
    """Return an edit with what it has to do, as `plan` and `stands_after` have it; a pressed key needs neither."""
    if edit.does == "press":
        return Doing(edit, None, {})
    found = plan(edit, earlier, within=within, language=language)
    return Doing(edit, found, stands_after(found, standing))


def _standing(rows: Iterator[UtteranceRow], within: float) -> Iterator[UtteranceRow]:
    """Yield the rows of which something stands and can be reached; raises where there is none."""
    newest: UtteranceRow | None = None
    for row in rows:
        if why := _barrier(row, within):
            if newest is None:
                raise EditRefusedError(why)
            return
        if not row.standing or row.edit is not None:
            continue
        if newest is not None and (row.backend, row.place) != (newest.backend, newest.place):
            return
        newest = newest or row
        yield row
    if newest is None:
        raise EditRefusedError("nothing was typed that could be taken back")


def _barrier(row: UtteranceRow, within: float) -> str:
    """Return why nothing can be taken back that is at or before a row, "" if it can."""
    if row.state in ("in_doubt", "intent"):
        return f"utterance {row.ordinal} may or may not have been typed"
    if row.state != "typed":
        return ""
    if row.edit is not None and msgspec.json.decode(row.edit, type=Edit).does == "press":
        return "a key has been pressed since"
    if row.standing is None:
        return '[history] keep = "none" does not say what was typed'
    if row.standing and row.typed_age_s() > within:
        return f"it was typed more than {within:g} s ago"
    return ""


def _last_done(rows: Iterator[UtteranceRow]) -> UtteranceRow:
    """Return the last thing that was done: an edit, or an utterance that was typed."""
    for row in rows:
        if row.state == "suppressed" and row.reason == SCRATCHED:
            raise EditRefusedError(f"it was never typed; sottovoce history retype {row.ordinal} types it")
        if row.state in ("in_doubt", "intent"):
            raise EditRefusedError(f"utterance {row.ordinal} may or may not have been typed")
        if row.state == "typed":
            return row
    raise EditRefusedError("nothing was done that could be undone")


def _undone(row: UtteranceRow, within: float) -> Plan:
    """Return what undoes an edit."""
    edit = msgspec.json.decode(row.edit or "{}", type=Edit)
    if edit.does == "press":
        raise EditRefusedError("a pressed key cannot be taken back")
    if row.typed_age_s() > within:
        raise EditRefusedError(f"it was done more than {within:g} s ago")
    took, gave = tuple(reversed(edit.gave)), tuple(reversed(edit.took))
    return Plan(took, gave, row.backend or "", row.place or "", row.ordinal)


def _tail(edit: Edit, rows: Iterator[UtteranceRow], language: str) -> list[tuple[UtteranceRow, str]]:
    """Return the last words or sentences, cut up by the utterances that they are of."""
    text, known = "", list[UtteranceRow]()
    for row in rows:
        known.append(row)
        text = (row.standing or "") + text
        if len(text) > _MOST:
            break
    left = text
    for _ in range(edit.times):
        gone = last_word(left) if edit.does == "word" else last_sentence(left, _abbreviations(language))
        left = left[: len(left) - len(gone)]
    count, pieces = len(text) - len(left), list[tuple[UtteranceRow, str]]()
    for row in known:
        if count <= 0:
            break
        piece = (row.standing or "")[-count:]
        pieces.append((row, piece))
        count -= len(piece)
    return pieces


@functools.cache
def _abbreviations(language: str) -> frozenset[str]:
    # Only now: it brings in all of the transform, of which the injector needs nothing else.
    from sottovoce.actors.transform.rulebook import read, shipped

    return frozenset(read(shipped(language)).abbreviations)
