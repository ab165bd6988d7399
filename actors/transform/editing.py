"""Edits in the transform stage: what of an utterance is one, and the context behind one that was done.

What an edit does is known only when the injector has done it: the text before may have come too late to be typed, or
the focus may be elsewhere. So the utterances behind an edit wait until it has found its end, which costs nothing: none
of them could be typed before. Then the journal says what stands, and the context follows from that.
"""

from __future__ import annotations

import msgspec

from sottovoce.actors.health import Tell
from sottovoce.actors.transform.casing import Casing
from sottovoce.actors.transform.context import Context, Mode
from sottovoce.actors.transform.edits import Edits, Spoken, context_after, cut_off
from sottovoce.actors.transform.heard import MARKS
from sottovoce.actors.transform.rulebook import Rules
from sottovoce.protocol.config import EditsConfig
from sottovoce.protocol.exceptions import JournalError
from sottovoce.protocol.journal import Journal
from sottovoce.protocol.rows import Edit, UtteranceRow

_FAR_BACK = 20
_KEY_WORDS = 8  # "press control alt shift page down", and to spare


class Editing:
    """The edits of a service.

    Args:
        settings: `[edits]`.
        journal: what stands is looked up there.
        notice: where a person is told, once, that a key was asked for and keys are off.
    """

    def __init__(self, settings: EditsConfig, journal: Journal, notice: Tell) -> None:
        self._settings = settings
        self._journal = journal
        self._rules = Rules()
        self._last = 0  # the last utterance that ended in an edit
        self._edits, self._casing = Edits(self._rules), Casing(self._rules)
        self._notice = notice
        self._told = settings.keys
        self._with_keys = self._edits

    @property
    def under_way(self) -> bool:
        """Whether an edit waits to be done."""
        return self._journal.editing()

    def find(self, row: UtteranceRow, rules: Rules, mode: Mode) -> Spoken:
        """Return what of an utterance is text and what is an edit.

        A recogniser that left out the full stop behind an edit, in doubt, puts it in front of the next text, where it
        would end a sentence that it was never said after; it goes.
        """
        heard = row.heard or ""
        if not self._settings.enabled:
            return Spoken(heard)
        self._take_up(rules)
        if self._last == row.ordinal - 1:
            heard = heard.lstrip(MARKS + " ")
        spoken = self._edits.find(heard, mode)
        if spoken.edit is not None or spoken.cut is not None:
            self._last = row.ordinal
        elif not self._told and self._asks_for_a_key(heard, mode):
            self._told = True
            self._notice(
                "info", "edit",
                "the name of a key was typed as words; to have keys pressed by voice: [edits] keys = true",
            )  # fmt: skip
        return spoken

    def cut(self, text: str, cut: Edit, before: Context, context: Context) -> tuple[str, Context]:
        """Return what an edit leaves of the text of its own utterance, and the context behind that.

        `before` is the context in front of the utterance, `context` the one behind all of it.
        """
        left = cut_off(text, cut, self._rules)
        if not left:
            return "", before
        return left, msgspec.structs.replace(context_after(before, left, self._casing), caps=context.caps)

    def behind(self, edit_row: UtteranceRow, context: Context, rules: Rules) -> Context:
        """Return the context behind an edit; `context` is the one that it was transformed in."""
        edit = msgspec.json.decode(edit_row.edit or "{}", type=Edit)
        if edit.does == "press":
            return context
        if edit_row.state == "in_doubt":
            return msgspec.structs.replace(context, case="free", spoken=True)
        self._take_up(rules)
        try:
            if edit.gave:
                return self._in_front(self._journal.utterance(edit.of)) or context
            return self._behind_taken(edit, context) if edit.took else context
        except (JournalError, msgspec.DecodeError):  # deleted meanwhile; written by another version
            return msgspec.structs.replace(context, glue=False, case="free", spoken=True)

    def _behind_taken(self, edit: Edit, context: Context) -> Context:
        rows = [self._journal.utterance(ordinal) for ordinal, _ in edit.took]
        if all(row.transformed_ns is None for row in rows):
            return context  # typed again from the history, of which the context knows nothing
        first = rows[-1]
        before = self._in_front(first)
        if first.stands:
            return context_after(before or context, first.stands, self._casing)
        if before is not None:
            return before
        for row in self._journal.earlier(first.ordinal, limit=_FAR_BACK):
            if row.standing:
                return context_after(context, row.standing, self._casing)
        return Context(mode=context.mode)

    def _in_front(self, row: UtteranceRow) -> Context | None:
        return None if row.before is None else msgspec.json.decode(row.before, type=Context)

    def _asks_for_a_key(self, heard: str, mode: Mode) -> bool:
        """Whether the whole utterance would be a pressed key if keys were pressed."""
        if len(heard.split()) > _KEY_WORDS:
            return False
        spoken = self._with_keys.find(heard, mode)
        return spoken.edit is not None and not spoken.text

    def _take_up(self, rules: Rules) -> None:
        if rules is not self._rules:
            self._rules = rules
            self._edits = Edits(rules, keys=self._settings.keys)
            self._with_keys = Edits(rules, keys=True)
            self._casing = Casing(rules)
