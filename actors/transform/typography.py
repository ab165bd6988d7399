"""What a language prints beside its marks: which of them open and close, and the spaces that do not break.

The marks that stand beside words are the same for an engine and for a speaker, so one place knows them: `Bonjour !` and
`Bonjour!` of two engines and a spoken "point d'exclamation" all become `Bonjour`, U+202F, `!`.
"""

from __future__ import annotations

from typing import Final

from sottovoce.actors.transform.heard import MARKS
from sottovoce.actors.transform.rulebook import Rules

_BRACKETS: Final = ("([{", ")]}")
_STOPS: Final = ".,;:?!…"


class Typography:
    """The marks of one language, as data in its rules."""

    __slots__ = ("_after", "_before", "_tail", "_tight", "closing", "opening", "spaces")

    def __init__(self, rules: Rules) -> None:
        self._before = dict(rules.before)
        self._after = dict(rules.after)
        self._tail = frozenset(MARKS + rules.closers)
        self._tight = frozenset(_STOPS + _BRACKETS[1] + rules.closers)
        self.opening = frozenset(_BRACKETS[0] + rules.openers)
        """Marks after which no space stands."""
        self.closing = frozenset(_BRACKETS[1] + rules.closers)
        self.spaces = bool(self._before or self._after)
        """Whether any mark of the language has a space of its own."""

    def before(self, mark: str, *, behind: str = "") -> str:
        """Return what stands between a word, or another mark, and a mark that attaches to it.

        Of several marks the first alone has its space ("quoi ?!"), and a closing one always ("quoi ? »").
        """
        return "" if behind in self._before and mark not in self.closing else self._before.get(mark, "")

    def after(self, mark: str) -> str:
        """Return what stands between an opening mark and its word."""
        return self._after.get(mark, "")

    def parted(self, mark: str) -> str:
        """Return what stands before a mark that the engine wrote apart, between two spaces."""
        return self._before.get(mark) or ("" if mark in self._tight else " ")

    def spaced(self, chunk: str) -> str:
        """Return what an engine wrote between two spaces with the spaces that belong beside its marks."""
        end = len(chunk)
        while end and chunk[end - 1] in self._tail:
            end -= 1
        text = chunk[:end]
        for index in range(end, len(chunk)):
            mark, last = chunk[index], chunk[index - 1] if index else ""
            if last and last not in self.opening:
                text += self.before(mark, behind=last)
            text += mark
        lead, begun = "", 0
        while begun < len(chunk) - 1 and chunk[begun] in self._after:
            lead += chunk[begun] + self._after[chunk[begun]]
            begun += 1
        return lead + text[begun:]
