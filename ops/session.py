"""Utterances said one after the other to the transform alone, as if each were typed, for people to try."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from sottovoce.actors.transform import Context, Transformer
from sottovoce.actors.transform.casing import Casing
from sottovoce.actors.transform.corrections import Corrections
from sottovoce.actors.transform.edits import Edits, Spoken, context_after, cut_off, pressed
from sottovoce.actors.transform.numbers import Mode as Numbers
from sottovoce.actors.transform.steps import Step
from sottovoce.protocol.rows import Edit


class Said(NamedTuple):
    """What becomes of an utterance."""

    text: str
    """What is typed, "" for an edit."""
    steps: list[Step]
    edit: Edit | None
    """What is done to what was typed before."""


class _State(NamedTuple):
    context: Context
    stands: tuple[tuple[Context, str], ...] = ()
    """The utterances whose text stands, each with the context in front of it."""


class Session:
    """A page on which everything is typed at once, with nobody else at the keyboard.

    Args:
        transformer: of the language.
        context: of the first utterance.
        numbers: how they are written.
        corrections: what was learned.
        edits: None: none are heard.
    """

    def __init__(
        self, transformer: Transformer, context: Context, *, numbers: Numbers = "explicit",
        corrections: Corrections | None = None, edits: Edits | None = None,
    ) -> None:  # fmt: skip
        self._transformer = transformer
        self._casing = Casing(transformer.rules)
        self._numbers: Numbers = numbers
        self._corrections = corrections
        self._edits = edits
        self._state = _State(context)
        self._undone: _State | None = None  # what "undo that" goes back to, if the last thing was an edit

    @property
    def context(self) -> Context:
        """That of the next utterance."""
        return self._state.context

    def say(self, heard: str) -> Said:
        """Return what an utterance writes, or does to what was written."""
        before = self._state.context
        spoken = Spoken(heard) if self._edits is None else self._edits.find(heard, before.mode)
        text, context, steps = self._transformer.explain(
            spoken.text, before, numbers=self._numbers, corrections=self._corrections
        )
        edit = spoken.cut or spoken.edit
        if edit is not None:
            steps.append(Step("edit", " ".join(heard.split()[len(spoken.text.split()) :]), edit.keys or edit.does))
        if spoken.cut is not None:
            text = cut_off(text, spoken.cut, self._transformer.rules)
            left = before if not text else context_after(before, text, self._casing)
            context = msgspec.structs.replace(left, caps=context.caps, mode=context.mode)
        if text:
            self._state, self._undone = _State(context, (*self._state.stands, (before, text))), None
        elif spoken.edit is None:
            self._state = self._state._replace(context=context)
        if spoken.edit is not None:
            self._do(spoken.edit)
        return Said(text, steps, spoken.edit)

    def _do(self, edit: Edit) -> None:
        state = self._state
        if edit.does == "press":
            self._state = state._replace(context=pressed(state.context, edit.keys))
            return
        if edit.does == "undo" and self._undone is not None:
            self._state, self._undone = self._undone, None
            return
        self._undone = state
        for _ in range(edit.times):
            if self._state.stands:
                self._take(edit)

    def _take(self, edit: Edit) -> None:
        """Take back the last utterance, its last word or its last sentence."""
        *others, (front, text) = self._state.stands
        left = ""
        if edit.does in {"word", "sentence"}:
            left = cut_off(text, Edit(does=edit.does), self._transformer.rules)
        if left:
            self._state = _State(context_after(front, left, self._casing), (*others, (front, left)))
        else:
            self._state = _State(front, tuple(others))
