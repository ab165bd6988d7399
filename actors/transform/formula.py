"""Telling "x times y" from "three times a day": whether what stands beside an operator is something to reckon with."""

from __future__ import annotations

from collections.abc import Sequence

from sottovoce.actors.transform.rulebook import Rules


class Formula:
    """What counts as an operand: a letter but "a", what holds a digit or an underscore, and words that the rules list.

    Rather too few than too many: in the mode `code`, where prose is rare, the same words are commands anywhere.
    """

    def __init__(self, rules: Rules) -> None:
        self._operands = frozenset(rules.operands)
        self._determiners = frozenset(rules.determiners)
        self._joining = frozenset(rules.small_words) - self._determiners
        self._words = frozenset(("i", *rules.function_words))  # letters that are words: "y" in Spanish

    def holds(self, left: str, right: Sequence[str] | None) -> bool:
        """Whether an operator between two words is one; `right` holds none or one word, and is None if none is needed.

        A figure alone on the left proves nothing ("he won 3 times 2 years ago"): there must be a letter beside it.
        """
        if not self._name(left) and not (right and self.letter(left, right[0])):
            return _figure(left) and right is not None and any(map(self._name, right))
        return right is None or any(self._name(word) or _figure(word) or word in self._operands for word in right)

    def letter(self, word: str, other: str) -> bool:
        """Whether a word that is both is the letter and no article, by the letter on the other side of a mark.

        That is so of "a less than b", and not of "put a comma I think".
        """
        return len(word) == 1 == len(other) and self._name(other) and other not in self._words

    def joins(self, word: str) -> bool:
        """Whether a word goes on after a letter, and is never written with a capital: "capital a and capital b"."""
        return word in self._joining

    def _name(self, word: str) -> bool:
        letter = len(word) == 1 and word.isalpha() and word not in self._determiners
        return letter or ("_" in word and word != "_") or word[-1:] in {")", "]"}


def _figure(word: str) -> bool:
    return any(map(str.isdigit, word))
