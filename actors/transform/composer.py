"""Putting words and marks together: spaces, capitals, and the engine's punctuation around a spoken command."""

from __future__ import annotations

from sottovoce.actors.transform.casing import CLOSERS, OPENERS, Casing
from sottovoce.actors.transform.context import Case, Context
from sottovoce.actors.transform.heard import MARKS, TERMINATORS
from sottovoce.actors.transform.rulebook import Rule

_AROUND = OPENERS + CLOSERS
_OPEN_BRACKETS = "([{“«"
_TIGHT = ".,;:?!…)]}"
"""A chunk of nothing but marks that begins with one of these belongs to the word before it."""


class Composer:
    """One utterance as it is being written. Words and commands are added in their order; `finish` gives the result."""

    __slots__ = ("_case", "_casing", "_fresh", "_glue", "_mark", "_open", "_pieces", "_spoken", "_words_last")

    def __init__(self, casing: Casing, context: Context) -> None:
        self._casing = casing
        self._glue = context.glue
        self._case: Case = context.case
        self._mark = context.mark
        self._spoken = context.spoken
        self._open = context.open
        self._pieces: list[str] = []
        # The next word's capital may be there only because the engine took it for the start of a sentence.
        self._fresh = True
        self._words_last = False  # the last piece is the engine's, so its marks may still be taken back

    def word(self, chunk: str, bare: str) -> None:
        """Add what the engine wrote between two spaces; `bare` is it in lower case without the marks at its end."""
        core = bare.strip(_AROUND)
        written = self._casing.listed(chunk, core)
        if self._case == "start":
            written = self._casing.raised(written)
        elif self._fresh and self._case == "inside":
            written = self._casing.lowered(written)
        tight = self._glue or (not core and chunk[0] in _TIGHT)
        self._pieces.append(written if tight else " " + written)
        self._glue = not core and chunk[-1] in _OPEN_BRACKETS
        self._note(chunk, spoken=False)
        if core or self._mark in TERMINATORS:  # a lone dash or quotation mark decides nothing about what follows
            self._case = self._casing.after(chunk)
            self._fresh = False
        self._words_last = True

    def command(self, rule: Rule, trail: str) -> None:
        """Add a command; `trail` is what the engine put after its words."""
        dropped = self._take_back(rule.keeps) + trail
        self._fresh = not TERMINATORS.isdisjoint(dropped)
        if rule.closes and self._case == "start" and self._mark in {"?", "!"}:
            self._case = "free"  # "Really?" he asked.
        if self._spoken or rule.write != self._mark:  # else it serves: "in the U.S." and a spoken period
            spaced = not self._glue and rule.attach in {"right", "none"}
            self._pieces.append(" " + rule.write if spaced else rule.write)
            self._note(rule.write, spoken=True)
        self._glue = rule.attach in {"right", "both"}
        if rule.case != "same":
            self._case = rule.case
        elif self._case == "inside" and not TERMINATORS.isdisjoint(trail):
            self._case = "free"
        if rule.opens and rule.opens not in self._open:
            self._open += (rule.opens,)
        elif rule.closes:
            self._open = tuple(name for name in self._open if name != rule.closes)
        self._words_last = False

    def has_open(self, pair: str) -> bool:
        """Whether the pair of this name was opened and not yet closed."""
        return pair in self._open

    def finish(self) -> tuple[str, Context]:
        """Return the characters to type and what to remember of them."""
        return "".join(self._pieces), Context(
            glue=self._glue, case=self._case, mark=self._mark, spoken=self._spoken, open=self._open
        )

    def _take_back(self, keeps: str) -> str:
        """Remove the engine's marks at the end of what was added last, but those in `keeps`; return what went."""
        if not self._words_last:
            return ""
        piece = self._pieces[-1]
        end = len(piece)
        while end and piece[end - 1] in MARKS and piece[end - 1] not in keeps:
            end -= 1
        if piece[end : end + 1] == "." and self._casing.keeps_period(piece[:end].strip()):
            end += 1
        dropped = piece[end:]
        if dropped:
            kept = piece[:end].rstrip()
            if kept:
                self._pieces[-1] = kept
                self._case = self._casing.after(kept)
            else:
                self._pieces.pop()
            self._note(kept, spoken=False)
        return dropped

    def _note(self, text: str, *, spoken: bool) -> None:
        mark = text[-1:]
        self._mark = mark if mark in MARKS else ""
        self._spoken = spoken
