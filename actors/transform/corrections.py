"""Corrections that were learned, replacements, snippets, and fillers that go: words for other words. Pure.

A correction names what is heard, a phrase of up to five words, and what is written instead. It is found

- *exactly*: the same words, whatever their capitals and the marks around them. A replacement ("my email") is this.
- *by sound*, if it says so: each word is the correction's own or sounds like it (`sounds`). What is looked for is the
  heard phrase and the written one, so that a name which is misheard in a third way is found as well. A word of the
  language, or of any correction, is never taken for another: "bacon" stays bacon, whoever is called Beacon. The written
  phrase gets its own capitals, unless all its words are common ones: "baker" stays baker, too.

The longest phrase wins, then the exact one, then the one for this mode over the one for all. What is written is not
looked at again. Marks around the phrase stay, and a possessive ('s).

Nothing is looked up twice: what a chunk of text means here is kept, so an utterance of 20 words in which no correction
begins costs 20 look-ups in a dictionary.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Container, Iterable, Sequence
from typing import Final, Literal

import msgspec

from sottovoce.actors.transform.casing import CLOSERS, OPENERS
from sottovoce.actors.transform.common import Lexicon, lexicon
from sottovoce.actors.transform.fillers import FILLERS
from sottovoce.actors.transform.heard import MARKS
from sottovoce.actors.transform.sounds import Sounds
from sottovoce.protocol.corrections import MOST_WORDS, Correction

_LEADS: Final = OPENERS + "¿¡"
_TRAILS: Final = MARKS + CLOSERS
_PAUSES: Final = ",–—-…"
"""Marks around a filler that stand for nothing else than its pauses."""
_KEPT: Final = 8192
"""Chunks whose meaning is kept; then it is forgotten, and found out again: about 2 MB."""
_NO_FILLERS: Final = "verbatim"
"""The mode in which everything stays that was said."""


class Fired(msgspec.Struct, frozen=True):
    """What was put in the place of what."""

    number: int
    """Of the correction; 0 is a filler that was taken out."""
    heard: str
    """Without the marks around it."""
    wrote: str
    how: Literal["exact", "sound", "filler"]
    score: float = 1.0
    """How alike the letters of the least similar word are, 0 to 1."""


class _Node:
    """A word of a trie, and the correction whose phrase ends there."""

    __slots__ = ("children", "correction")

    def __init__(self) -> None:
        self.children: dict[str, _Node] = {}
        self.correction: Correction | None = None

    def add(self, words: Sequence[str], correction: Correction) -> None:
        node = self
        for word in words:
            node = node.children.setdefault(word, _Node())
        if node.correction is None:
            node.correction = correction


class _Piece:
    """What a chunk of text is to corrections: the word and the marks around it, and what the word may stand for."""

    __slots__ = ("common", "core", "filler", "lead", "near", "score", "starts", "trail", "word")

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
        self.starts = False


class _Index(dict[str, _Piece | None]):
    """The corrections of one mode, and the chunks that were looked at: None is one that they have no use for."""

    def __init__(
        self, corrections: Iterable[Correction], fillers: Container[str], lexicon: Lexicon | None, least: float
    ) -> None:
        super().__init__()
        self._exact = _Node()
        self._sounding = _Node()
        self._fillers = fillers
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
        self._sounds = Sounds(audible, least)
        self.idle = not self._words and not fillers

    def __missing__(self, chunk: str) -> _Piece | None:
        if len(self) >= _KEPT:
            self.clear()
        piece = self[chunk] = self._judge(chunk)
        return piece

    def _judge(self, chunk: str) -> _Piece | None:
        lead, core, trail = _split(chunk)
        word = _plain(core)
        piece = _Piece(lead, core, trail, word)
        if word in self._fillers and not (core.isupper() and len(core) > 1):  # the ER
            piece.filler = True
            return piece
        if word not in self._words and word.endswith("'s"):
            piece = _Piece(lead, core[:-2], core[-2:] + trail, word[:-2])
        if not piece.word:
            return None
        piece.common = piece.word in self._lexicon.common
        if piece.word not in self._words:
            near = None if piece.word in self._lexicon.words else self._sounds.nearest(piece.word)
            if near is None:
                return None
            piece.word, piece.score = near
            piece.near = True
        piece.starts = piece.word in self._sounding.children or piece.word in self._exact.children
        return piece

    def longest(self, pieces: Sequence[_Piece | None], at: int) -> tuple[int, Correction, float, bool] | None:
        """Return the longest phrase at a chunk: the index after it, the correction, its score, whether it is exact."""
        found = None
        for exact in (True, False):
            node, score, rare = self._exact if exact else self._sounding, 1.0, False
            for index in range(at, len(pieces)):
                piece = pieces[index]
                if piece is None or (index > at and piece.lead) or (exact and piece.near):
                    break
                child = node.children.get(piece.word)
                if child is None:
                    break
                node, score, rare = child, min(score, piece.score), rare or not piece.common
                if node.correction and (exact or rare) and (found is None or index + 1 > found[0]):
                    found = (index + 1, node.correction, score, exact)
                if piece.trail:
                    break
        return found


class Corrections:
    """The corrections of a user, by mode.

    Args:
        entries: what was learned. One that is not `enabled` is left out.
        lexicon: the words of the language. None: nothing is found by its sound.
        least: the least similarity, 0 to 1, of what sounds alike (`sounds.Sounds`).
        fillers: the words to take out, lower case; they stay in the mode "verbatim".
    """

    def __init__(
        self,
        entries: Iterable[Correction],
        *,
        lexicon: Lexicon | None = None,
        least: float = 0.8,
        fillers: Collection[str] = (),
    ) -> None:
        enabled = [entry for entry in entries if entry.enabled]
        modes = {mode for entry in enabled for mode in entry.modes} | {_NO_FILLERS}
        self._modes = {
            mode: _Index(
                # A stable sort: what is for this mode alone first.
                sorted((entry for entry in enabled if not entry.modes or mode in entry.modes), key=_everywhere),
                () if mode == _NO_FILLERS else fillers, lexicon, least,
            )
            for mode in modes
        }  # fmt: skip
        self._others = _Index((entry for entry in enabled if not entry.modes), fillers, lexicon, least)

    @classmethod
    def of_language(
        cls, entries: Iterable[Correction], language: str, *, least: float = 0.8, fillers: bool = True
    ) -> Corrections:
        """Return the corrections for a language (ISO 639-1), with its fillers and its words.

        The list of words, which takes a moment (`common.lexicon`), is read only if something is found by sound.
        Where a language has none, nothing is.
        """
        entries = tuple(entries)
        sounding = any(entry.enabled and entry.match == "sound" for entry in entries)
        return cls(
            entries,
            lexicon=lexicon(language) if sounding else None,
            least=least,
            fillers=FILLERS.get(language, frozenset()) if fillers else (),
        )

    def apply(self, chunks: list[str], *, mode: str) -> tuple[list[str], tuple[Fired, ...]]:
        """Return the chunks as they are to be written, and what was changed.

        Args:
            chunks: what stands between white space, with the engine's marks and capitals still on it. Never changed.
            mode: as of `Correction.modes`; one that no correction names has those that are for all.

        Returns:
            The same list, and (), if there was nothing to do. What is written word by word comes as chunks again; a
            text with other white space than single spaces, a snippet of several lines say, is one chunk.
        """
        index = self._modes.get(mode, self._others)
        if index.idle:
            return chunks, ()
        for chunk in chunks:
            piece = index[chunk]
            if piece is not None and (piece.starts or piece.filler):
                break
        else:
            return chunks, ()
        out, fired = _rewrite(index, chunks)
        return (out, fired) if fired else (chunks, ())


def _rewrite(index: _Index, chunks: list[str]) -> tuple[list[str], tuple[Fired, ...]]:
    pieces = [index[chunk] for chunk in chunks]
    out: list[str] = []
    fired: list[Fired] = []
    carried = ""  # what opened before a filler opens after it
    at = 0
    while at < len(chunks):
        piece = pieces[at]
        if piece is not None and piece.filler:
            fired.append(Fired(0, piece.core, "", "filler"))
            marks = _marks(piece.trail)
            closers = piece.trail[len(marks) :]
            if not (piece.lead and closers):  # else the filler stood alone in them
                carried += piece.lead
                marks += closers
            _close(out, marks, last=at + 1 == len(chunks))
            at += 1
            continue
        match = index.longest(pieces, at) if piece is not None and piece.starts else None
        if match is None:
            written, stop = [chunks[at]], at + 1
        else:
            stop, correction, score, exact = match
            written, hit = _written(pieces[at:stop], correction, score, exact=exact)
            if written != chunks[at:stop]:
                fired.append(hit)
        out += [carried + written[0], *written[1:]]
        carried = ""
        at = stop
    if carried and out:
        out[-1] += carried
    return out, tuple(fired)


def _written(
    pieces: Sequence[_Piece | None], correction: Correction, score: float, *, exact: bool
) -> tuple[list[str], Fired]:
    of = [piece for piece in pieces if piece is not None]  # all of them: a phrase is made of nothing else
    heard = " ".join(piece.core for piece in of)
    text = _cased(correction, heard)
    hit = Fired(correction.number, heard, text, "exact" if exact else "sound", round(score, 3))
    words = text.split()
    trail = of[-1].trail
    if " ".join(words) != text:
        words = [text]
        trail = trail.lstrip(MARKS)  # a snippet has its own; the engine's full stop was for the sentence it stands for
    if trail and trail[0] in MARKS and text[-1] == trail[0]:
        trail = trail[1:]
    words[0] = of[0].lead + words[0]
    words[-1] += trail
    return words, hit


def _cased(correction: Correction, heard: str) -> str:
    text = correction.write
    match correction.case:
        case "upper":
            return text.upper()
        case "lower":
            return text.lower()
        case "heard":
            if heard.isupper() and len(heard) > 1:
                return text.upper()
            return text[:1].upper() + text[1:] if heard[:1].isupper() else text.lower()
        case _:
            return text


def _close(out: list[str], trail: str, *, last: bool) -> None:
    """Give what is written so far the marks of a filler that was after it.

    Commas around a filler were its pauses: "I, um, think" is "I think"; "I think, um." is "I think."
    """
    if not out:
        return
    marks = _marks(trail)
    closers = trail[len(marks) :]
    pause = not marks.strip(_PAUSES) or marks.startswith("..")
    before = out[-1]
    if (marks or last) and before[-1:] == ",":
        before = before[:-1]
    if not pause and before[-1:] not in MARKS:
        before += marks
    out[-1] = before + closers


def _split(chunk: str) -> tuple[str, str, str]:
    body = chunk.lstrip(_LEADS)
    core = body.rstrip(_TRAILS)
    return chunk[: len(chunk) - len(body)], core, body[len(core) :]


def _marks(trail: str) -> str:
    """Return the marks at the start of what follows a word, up to where something closes."""
    return trail[: len(trail) - len(trail.lstrip(MARKS))]


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


def _everywhere(correction: Correction) -> bool:
    return not correction.modes
