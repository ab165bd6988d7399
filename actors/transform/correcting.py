"""A composer that corrects: what was learned is put in before words get their spaces and capitals."""

from __future__ import annotations

from sottovoce.actors.transform.casing import Casing
from sottovoce.actors.transform.composer import Composer
from sottovoce.actors.transform.context import Context
from sottovoce.actors.transform.corrections import Corrections, Fired, Name, Snippet, rewritten
from sottovoce.actors.transform.steps import Step, corrected


class Correcting(Composer):
    """One utterance as it is being written. Words wait until a command or the end, since a phrase is of several.

    So what is written for a phrase is never taken for a command, and no phrase reaches across one.

    Args:
        casing: of the language.
        context: of the utterance; its mode is that of the corrections.
        corrections: what is put in.
        fired: is given what was changed, in its order.
        steps: the same, among what else was decided, in the order of the words; None: nobody asks.
    """

    __slots__ = ("_fired", "_lookup", "_steps", "_told")

    def __init__(
        self, casing: Casing, context: Context, corrections: Corrections, fired: list[Fired],
        steps: list[Step] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(casing, context)
        self._lookup = corrections.of_mode(context.mode)
        self._fired = fired
        self._steps = steps
        self._told: list[int] = []
        """For each word that waits, how many steps there were when it came."""

    def word(self, chunk: str, bare: str) -> None:  # noqa: ARG002 - found out again if it is corrected
        """Add what the engine wrote between two spaces; `bare` is it in lower case without the marks at its end."""
        self.words([chunk])

    def words(self, chunks: list[str]) -> None:
        """Add words between which there is no command."""
        self._waiting += chunks
        if self._steps is not None:
            self._told += [len(self._steps)] * len(chunks)

    def _write(self) -> None:
        if not self._waiting:
            return
        written, fired = rewritten(self._lookup, self._waiting)
        self._waiting = []
        if fired:
            self._correct(written, fired)
        else:
            self._compose(written)
        if self._steps is not None:
            self._told.clear()

    def _correct(self, written: list[str], fired: tuple[Fired, ...]) -> None:
        self._fired.extend(fired)
        if self._steps is not None:
            for before, hit in enumerate(fired):
                self._steps.insert(self._told[hit.at] + before, corrected(hit))
        if written and isinstance(written[0], Name):
            self._fresh = False
        begun = 0
        for at, chunk in enumerate(written):
            if isinstance(chunk, Snippet):
                self._compose(written[begun:at])
                self._snippet(chunk)
                begun = at + 1
        self._compose(written[begun:] if begun else written)

    def _snippet(self, chunk: Snippet) -> None:
        """Write a text as it is; the engine's marks after it are the engine's."""
        text, marks = chunk[: chunk.own], chunk[chunk.own :]
        self._end_phrase(pending=True)
        self._opened = ""
        self._pieces.append(text if self._glue else " " + text)
        self._glue = self._line = text[-1] == "\n"
        self._case = "start" if self._line else self._casing.after(text.rstrip())
        self._note(text, spoken=True)
        self._fresh = self._words_last = False  # so no command takes its own marks back
        if marks:
            Composer.word(self, marks, "")
