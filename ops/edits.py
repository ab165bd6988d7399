"""What a person changed in a transcript: which words were misheard, and what was said."""

from __future__ import annotations

from collections.abc import Container, Iterator
from difflib import SequenceMatcher
from typing import Final, NamedTuple

from jellyfish import jaro_winkler_similarity

from sottovoce.actors.transform.casing import CLOSERS, OPENERS
from sottovoce.actors.transform.heard import MARKS, TERMINATORS
from sottovoce.actors.transform.sounds import alike
from sottovoce.protocol.correction import MOST_WORDS, Correction, Match

_SAME_WORD: Final = 0.6
"""Jaro-Winkler, without spaces. Words less similar than this that do not sound alike are another wording."""
_SAME_SOUND: Final = 0.8


class Edit(NamedTuple):
    """A phrase that was changed, as it was and as it is now, without the marks around it."""

    heard: str
    write: str
    common: bool
    """It was one common word ("there"), which is right elsewhere: nothing to learn without a second thought."""


def edits(before: str, after: str, common: Container[str]) -> list[Edit]:
    """Return what a correction might be learned from, each once, in its order.

    The two texts are compared word by word (Ratcliff and Obershelp, by difflib). What was only inserted or deleted, put
    into quite other words, or given other marks, says nothing about hearing; nor does another number, or a capital at
    the start of a sentence.
    """
    old, new = _Text(before), _Text(after)
    found: dict[tuple[str, str], Edit] = {}
    for heard, write in _changes(old, new):
        found.setdefault((heard.lower(), write), Edit(heard, write, " " not in heard and heard.lower() in common))
    return list(found.values())


def match_for(heard: str, write: str) -> Match:
    """Return how a correction had better be found: by sound, if it is of what was misheard and not of what is meant.

    "arkon" for "Archon" was misheard; "my email" stands for an address.
    """
    words = write.split()
    if " ".join(words) != write or len(words) > MOST_WORDS or not all(word.isalpha() for word in words):
        return "exact"
    return "sound" if _similar(heard, write, _SAME_SOUND) else "exact"


class _Text:
    """The words of a text, without the marks around them, and which of them begin a sentence."""

    def __init__(self, text: str) -> None:
        self.words: list[str] = []
        self.begins: list[bool] = []
        begins = True
        for chunk in text.split():
            core = chunk.strip(OPENERS + CLOSERS + MARKS)
            if core:
                self.words.append(core)
                self.begins.append(begins)
                begins = False
            if not TERMINATORS.isdisjoint(chunk.rstrip(CLOSERS)[-1:]):
                begins = True
        self.lower = [word.lower() for word in self.words]


def _changes(old: _Text, new: _Text) -> Iterator[tuple[str, str]]:
    for kind, i, j, k, m in SequenceMatcher(None, old.lower, new.lower, autojunk=False).get_opcodes():
        if kind == "equal":
            for a, b in zip(range(i, j), range(k, m), strict=True):
                # A capital that was put in; one that was taken away was that of a sentence.
                if old.words[a] != new.words[b] and not new.begins[b] and not new.words[b].islower():
                    yield old.words[a], new.words[b]
        elif kind == "replace":
            pairs = [(old.words[a], new.words[b]) for a, b in zip(range(i, j), range(k, m), strict=False)]
            if j - i == m - k and all(_similar(*pair, _SAME_WORD) for pair in pairs):
                yield from filter(_learnable, pairs)
            else:
                whole = (" ".join(old.words[i:j]), " ".join(new.words[k:m]))
                if _similar(*whole, _SAME_WORD) and _learnable(whole):
                    yield whole


def _learnable(pair: tuple[str, str]) -> bool:
    if not any(map(str.isalpha, pair[0])):
        return False  # a number that was put right is right elsewhere
    try:
        Correction(heard=pair[0], write=pair[1])
    except ValueError:
        return False
    return True


def _similar(one: str, other: str, least: float) -> bool:
    one, other = ("".join(text.lower().split()) for text in (one, other))
    return alike(one, other) or jaro_winkler_similarity(one, other) >= least
