"""Where in a text the corrections of one mode begin: its chunks by what they mean, and phrases by tries of words."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Sequence
from typing import Final, NamedTuple

from sottovoce.actors.transform.casing import CLOSERS, OPENERS
from sottovoce.actors.transform.common import Lexicon
from sottovoce.actors.transform.heard import MARKS
from sottovoce.actors.transform.sounds import Sounds, is_plural
from sottovoce.protocol.correction import MOST_WORDS, Correction

_LEADS: Final = OPENERS + "¿¡"
_TRAILS: Final = MARKS + CLOSERS
_KEPT: Final = 16384
"""Other chunks whose meaning is kept; then all is forgotten, and found out again: about 4 MB."""


class _Node:
    """A word of a trie, and the correction whose phrase ends there."""

    __slots__ = ("children", "correction")

    def __init__(self) -> None:
        self.children: dict[str, _Node] = {}
        self.correction: Correction | None = None

    def add(self, words: Sequence[str], correction: Correction) -> None:
        """Add a phrase, unless it is there: the first has it."""
        node = self
        for word in words:
            node = node.children.setdefault(word, _Node())
        if node.correction is None:
            node.correction = correction


class Piece:
    """What a chunk of text is to corrections: the word and the marks around it, and what the word may stand for."""

    __slots__ = (
        "begins", "common", "core", "exact", "filler", "lead", "near", "profane", "score", "sounding", "trail", "word",
    )  # fmt: skip

    def __init__(self, lead: str, core: str, trail: str, word: str) -> None:
        self.lead = lead
        self.core = core
        self.trail = trail
        self.word = word
        """In lower case, or that which it sounds like."""
        self.near = False
        self.score = 1.0
        self.common = False
        self.filler = False
        self.profane = False
        self.exact: _Node | None = None
        """Where the word leads to from the root of the trie of exact phrases."""
        self.sounding: _Node | None = None
        """The same among those that are found by sound."""
        self.begins = False
        """Whether it is one of these, or leads anywhere: the others are passed over."""


class Match(NamedTuple):
    """A phrase that was found."""

    stop: int
    """Index of the chunk after it."""
    correction: Correction
    score: float
    exact: bool


class Lookup(dict[str, Piece | None]):
    """The corrections of one mode, and the chunks that were looked at: None is one that they have no use for."""

    def __init__(
        self, corrections: Iterable[Correction], fillers: Collection[str], profane: Collection[str],
        lexicon: Lexicon | None, least: float,
    ) -> None:  # fmt: skip
        super().__init__()
        self.begins: set[str] = set()
        """Those that were looked at with which something begins."""
        self._exact = _Node()
        self._sounding = _Node()
        self._fillers = fillers
        self._profane = profane
        self._lexicon = Lexicon((), ()) if lexicon is None else lexicon
        self._words: dict[str, None] = {}  # in their order, so that of words that sound alike the first is taken
        audible: dict[str, None] = {}
        for correction in corrections:
            heard = _words(correction.heard)
            self._exact.add(heard, correction)
            self._words.update(dict.fromkeys(heard))
            if correction.match == "sound" and lexicon is not None:
                for words in _spellings(heard, _words(correction.write)):
                    self._sounding.add(words, correction)
                    audible.update(dict.fromkeys(words))
        self._words.update(audible)
        self._audible = audible
        self._sounds = Sounds(audible, least)
        self._concerned = frozenset((*self._words, *fillers, *profane))
        self._learn()
        self._most = len(self) + _KEPT

    def limit(self) -> None:
        """Forget what was looked at if it is too much."""
        if len(self) >= self._most:
            self.clear()
            self.begins.clear()
            self._learn()

    def _learn(self) -> None:
        """Look at the words that will be said: 1 to 5 us each, which the first utterance with it would have to wait."""
        self.update(self._lexicon.frequent)
        for word in self._concerned:
            self.pop(word, None)
        for word in self._words:
            self.__missing__(word)

    def __missing__(self, chunk: str) -> Piece | None:
        word = chunk.lower()
        plain = word.rstrip(MARKS)
        ordinary = self.get(plain, self) is None or (  # most are
            plain.isalpha() and plain not in self._concerned and plain in self._lexicon.words
        )
        piece = self[chunk] = None if ordinary else self._judge(chunk)
        if piece is not None and piece.begins:
            self.begins.add(chunk)
        return piece

    def _judge(self, chunk: str) -> Piece | None:
        lead, core, trail = ("", chunk, "") if chunk.isalpha() else _split(chunk)
        word = _plain(core)
        if word in self._fillers and not (core.isupper() and len(core) > 1):  # the ER
            piece = Piece(lead, core, trail, word)
            piece.filler = piece.begins = True
            return piece
        near = None
        if word not in self._words:
            if word.endswith("'s"):
                core, trail, word = core[:-2], core[-2:] + trail, word[:-2]
            if word not in self._words and word not in self._profane:
                # Most words end here, so this is asked before anything else is found out of them.
                near = None if not word or word in self._lexicon.words else self._nearest(word)
                if near is None:
                    return None
                if is_plural(word, near[0]):
                    core, trail = core[:-1], "s" + trail
        piece = Piece(lead, core, trail, word)
        piece.common = word in self._lexicon.common
        if near is not None:
            piece.word, piece.score = near
            piece.near = True
        else:
            piece.exact = self._exact.children.get(piece.word)
        piece.sounding = self._sounding.children.get(piece.word)
        piece.profane = word in self._profane
        piece.begins = piece.profane or piece.exact is not None or piece.sounding is not None
        return piece

    def _nearest(self, word: str) -> tuple[str, float] | None:
        """Return which word of a correction one that the list does not have sounds like, and how much.

        No list has every form of a word: the plural of one is one ("bacons"), and so is a compound ("e-mail",
        "check-in") unless it is the correction's own word but for its hyphen.
        """
        known = self._lexicon.words
        if word[:-1] in self._audible and is_plural(word, word[:-1]):
            return word[:-1], 1.0
        if (word[-1] == "s" and word[:-1] in known) or ("-" in word and word.replace("-", "") in known):
            return None
        near = self._sounds.nearest(word)
        if near is not None and near[1] < 1.0 and "-" in word and all(part in known for part in word.split("-")):
            return None
        return near


def longest(pieces: Sequence[Piece | None], at: int) -> Match | None:
    """Return the longest phrase that begins at a chunk, the exact one of two."""
    first = pieces[at]
    if first is None:
        return None
    after = None if first.trail or at + 1 == len(pieces) else pieces[at + 1]
    exact = _walk(pieces, at, first.exact, exact=True) if _leads(first.exact, after) else None
    sounding = _walk(pieces, at, first.sounding, exact=False) if _leads(first.sounding, after) else None
    return exact if sounding is None or (exact is not None and exact.stop >= sounding.stop) else sounding


def _leads(node: _Node | None, after: Piece | None) -> bool:
    """Whether a phrase may be there, by the next word: mostly there is none, and no need to walk."""
    return node is not None and (node.correction is not None or (after is not None and after.word in node.children))


def _walk(pieces: Sequence[Piece | None], at: int, node: _Node | None, *, exact: bool) -> Match | None:
    found, score, rare = None, 1.0, exact
    piece = pieces[at]
    while piece is not None and node is not None:
        score, rare = min(score, piece.score), rare or not piece.common
        at += 1
        if rare and node.correction is not None:
            found = Match(at, node.correction, score, exact)
        if piece.trail or at == len(pieces):
            break
        piece = pieces[at]
        if piece is None or piece.lead or (exact and piece.near):
            break
        node = node.children.get(piece.word)
    return found


def _split(chunk: str) -> tuple[str, str, str]:
    body = chunk.lstrip(_LEADS)
    core = body.rstrip(_TRAILS)
    return chunk[: len(chunk) - len(body)], core, body[len(core) :]


def _plain(core: str) -> str:
    return core.lower().replace("’", "'")


def _words(phrase: str) -> list[str]:
    return [_plain(_split(word)[1]) for word in phrase.split()]


def _spellings(heard: list[str], written: list[str]) -> list[Sequence[str]]:
    """Return the ways in which a phrase may be heard: each word as it was heard, or as it is written.

    What is written is one only if it is a phrase.
    """
    if len(written) > MOST_WORDS or not all(written):
        return [heard]
    if len(heard) != len(written):
        return [heard, written]
    return list(dict.fromkeys(itertools.product(*zip(heard, written, strict=True))))
