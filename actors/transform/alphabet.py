"""Spelling as people do it on the telephone, where a letter is likened to a word: "b as in boy", "n for November"."""

from __future__ import annotations

from collections.abc import Sequence

from sottovoce.actors.transform.heard import MARKS
from sottovoce.actors.transform.rulebook import Rules


class Alphabet:
    """The letters of a language, and what is said between one of them and the word that it is likened to."""

    def __init__(self, rules: Rules) -> None:
        self._letters = {phrase: letter for phrase, letter in rules.spelling.items() if letter.isalpha()}
        # What is a letter or figure itself ("for", the Spanish "de") likens only to a word that begins with the letter.
        self._likening = [
            (phrase.split(), phrase not in rules.spelling and len(phrase) > 1) for phrase in rules.likening
        ]

    def parted(self, chunks: Sequence[str]) -> list[str]:
        """Return the chunks with what an engine joined taken apart: "Alpha-Bravo" is two letters, "x-ray" is one."""
        out: list[str] = []
        for chunk in chunks:
            bare = chunk.lower().rstrip(MARKS)
            parts = bare.split("-")
            letters = len(parts) > 1 and bare not in self._letters and all(part in self._letters for part in parts)
            out += chunk.split("-") if letters else [chunk]
        return out

    def likened(self, chunks: Sequence[str]) -> list[range]:
        """Return where a letter is likened to a word: the ranges of the chunks behind the letter."""
        bare = [chunk.lower().rstrip(MARKS) for chunk in chunks]
        found: list[range] = []
        at = 0
        while at < len(bare):
            letter = bare[at] if len(bare[at]) == 1 else self._letters.get(bare[at], "")
            at += 1
            stop = self._behind(bare, at, letter) if letter.isalpha() else at
            if stop > at:
                found.append(range(at, stop))
                at = stop
        return found

    def _behind(self, bare: list[str], at: int, letter: str) -> int:
        """Return the index after the word that a letter before `at` is likened to; `at` if it is to none."""
        for words, sure in self._likening:
            word = at + len(words)
            if bare[at:word] == words and word < len(bare) and (sure or bare[word].startswith(letter)):
                return word + 1
        return at
