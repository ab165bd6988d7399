"""A composer that corrects: what was learned is put in before words get their spaces and capitals."""

from __future__ import annotations

from sottovoce.actors.transform.casing import Casing
from sottovoce.actors.transform.composer import Composer
from sottovoce.actors.transform.context import Context
from sottovoce.actors.transform.corrections import Corrections, Fired
from sottovoce.actors.transform.heard import MARKS
from sottovoce.actors.transform.rulebook import Does, Rule


class Correcting(Composer):
    """One utterance as it is being written. Words wait until a command or the end, since a phrase is of several.

    So what is written for a phrase is never taken for a command, and no phrase reaches across one.

    Args:
        casing: of the language.
        context: of the utterance; its mode is that of the corrections.
        corrections: what is put in.
        fired: is given what was changed, in its order.
    """

    __slots__ = ("_cores", "_corrections", "_fired", "_waiting")

    def __init__(self, casing: Casing, context: Context, corrections: Corrections, fired: list[Fired]) -> None:
        super().__init__(casing, context)
        self._corrections = corrections
        self._fired = fired
        self._waiting: list[str] = []
        self._cores: list[str] = []

    def word(self, chunk: str, bare: str) -> None:
        """Add what the engine wrote between two spaces; `bare` is it in lower case without the marks at its end."""
        self._waiting.append(chunk)
        self._cores.append(bare)

    def unpause(self) -> None:
        """Take back what the engine wrote for a pause after the last word."""
        self._write()
        super().unpause()

    def spell(self, characters: str) -> None:
        """Add what was spelled."""
        self._write()
        super().spell(characters)

    def style(self, does: Does, trail: str) -> None:
        """Add a casing command."""
        self._write()
        super().style(does, trail)

    def command(self, rule: Rule, trail: str) -> None:
        """Add a command."""
        self._write()
        super().command(rule, trail)

    @property
    def begins_line(self) -> bool:
        """Whether what comes next begins a line."""
        return not self._waiting and super().begins_line

    @property
    def opens_bracket(self) -> bool:
        """Whether what was written last in this utterance is an opening bracket."""
        return not self._waiting and super().opens_bracket

    def finish(self) -> tuple[str, Context]:
        """Return the characters to type and what to remember of them."""
        self._write()
        return super().finish()

    def _write(self) -> None:
        chunks = self._waiting
        if not chunks:
            return
        written, fired = self._corrections.apply(chunks, mode=self._context.mode)
        cores = self._cores if written is chunks else [chunk.lower().rstrip(MARKS) for chunk in written]
        for chunk, core in zip(written, cores, strict=True):
            super().word(chunk, core)
        self._waiting, self._cores = [], []
        self._fired.extend(fired)
