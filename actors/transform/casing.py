"""Capitals: what a word makes of the next one, and what the place makes of a word."""

from __future__ import annotations

import re

from sottovoce.actors.transform.context import Case
from sottovoce.actors.transform.heard import MARKS, TERMINATORS
from sottovoce.actors.transform.rulebook import Rules
from sottovoce.actors.transform.typography import Typography

OPENERS = "\"'“‘„‚([{«»¿¡"
CLOSERS = "\"'”’“‘)]}»«"
"""Of any language: these tell a word from what stands around it, and `Typography` which side a mark is on."""

_DOTTED = re.compile(r"(?:[^\W\d_]{1,3}\.)+[^\W\d_]{1,3}")
"""U.S, e.g, p.m, Ph.D: one to three letters between periods, which keeps example.com and 3.5 out."""


class Casing:
    """The casing rules of a language. They change the first letter of a word, or a word that `capitals` lists."""

    def __init__(self, rules: Rules) -> None:
        self.typography = Typography(rules)
        self.capitals = {word.lower(): word for word in rules.capitals}
        """How words are written that have a capital everywhere, by the word in lower case."""
        # Engines write either apostrophe.
        self.capitals |= {k.replace("'", "’"): v.replace("'", "’") for k, v in self.capitals.items()}
        self._abbreviations = frozenset(rules.abbreviations)
        self._function_words = frozenset(rules.function_words)
        self.ordinary_words = self._function_words | frozenset(rules.ordinary_words)
        """Words of every day: a capital of theirs can only have come from the start of a sentence."""
        self._small_words = frozenset(rules.small_words)
        self.keywords = frozenset(rules.keywords)
        """In code, words that are no names of functions."""

    def listed(self, word: str, core: str) -> str:
        """Return the word with the capital that it has everywhere ("i'm" -> "I'm").

        `core` is the word in lower case without the marks and brackets around it. The list marker (i) stays.
        """
        written = self.capitals.get(core)
        return word if written is None or word[-1] == ")" else word.replace(core, written, 1)

    def raised(self, word: str) -> str:
        """Return the word as a sentence's first: iPhone, e.g. and example.com keep their small letter."""
        if word.isascii() and word.isalpha() and word.islower():  # most
            return word.capitalize()
        first = _first_letter(word)
        letter = word[first : first + 1]
        upper = letter.upper()
        if upper == letter or upper.lower() != letter or word[first + 1 : first + 2].isupper():
            return word
        core = word[first:].rstrip(MARKS + CLOSERS)
        if "." in core or "@" in core or "://" in core:
            return word
        return word[:first] + upper + word[first + 1 :]

    def lowered(self, word: str, *, named: bool) -> str:
        """Return the word without its capital if that can only have come from the start of a segment.

        That is so for the closed classes of the language, and for words of every day unless the next word has a capital
        as well (`named`: "World Cup"). A name, an acronym (IT, US) and "I" stay.
        """
        first = _first_letter(word)
        core = word[first:].rstrip(MARKS + CLOSERS).replace("’", "'")
        if not core[:1].isupper() or not (core[1:].islower() or len(core) == 1):
            return word
        lower = core.lower()
        known = self._function_words if named else self.ordinary_words
        if lower in known or lower.partition("'")[0] in self._function_words:
            return word[:first] + word[first].lower() + word[first + 1 :]
        return word

    def after(self, word: str) -> Case:
        """Return what follows a word, by the marks that the engine put on it."""
        if word[-1].isalnum():
            return "inside"
        plain = word.rstrip(CLOSERS)
        if not plain or plain[-1] not in TERMINATORS:
            return "inside"
        # "Really?" he asked. Well... maybe. The engine knows whether a sentence ended there, we do not.
        if plain != word or plain[-1] == "…" or plain.endswith(".."):
            return "free"
        return "free" if plain[-1] == "." and self._shortened(plain[:-1]) else "start"

    def keeps_period(self, word: str) -> bool:
        """Whether a period after this word belongs to it, whatever the sentence does."""
        core = word.lstrip(OPENERS).lower()
        return core in self._abbreviations or _DOTTED.fullmatch(core) is not None

    def abbreviated(self, word: str) -> bool:
        """Whether this is an abbreviation without its period."""
        return word.lstrip(OPENERS).lower() in self._abbreviations

    def small(self, core: str) -> bool:
        """Whether a word stays small inside a title."""
        return core in self._small_words

    def _shortened(self, word: str) -> bool:
        core = word.lstrip(OPENERS)
        return (len(core) == 1 and core.isalpha()) or self.keeps_period(word)  # J. Smith


def _first_letter(word: str) -> int:
    for index, letter in enumerate(word):
        if letter.isalnum():
            return index
    return len(word)
