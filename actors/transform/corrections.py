"""Corrections that were learned, replacements, snippets, fillers that go, profanity: words for other words. Pure.

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

from collections.abc import Collection, Iterable, Sequence
from typing import Final, Literal

import msgspec

from sottovoce.actors.transform.casing import CLOSERS
from sottovoce.actors.transform.common import Lexicon, lexicon
from sottovoce.actors.transform.fillers import ANSWERS, FILLERS, NAMING
from sottovoce.actors.transform.heard import MARKS
from sottovoce.actors.transform.lookup import Lookup, Match, Piece, longest
from sottovoce.actors.transform.profanity import PROFANE, masked
from sottovoce.protocol.correction import Correction

_PAUSES: Final = ",–—-…"
"""Marks around a filler that stand for nothing else than its pauses."""
_TRAILS: Final = MARKS + CLOSERS
_AS_SAID: Final = "verbatim"
"""The mode in which everything stays that was said."""


class Snippet(str):
    """A chunk that is written as it is, with the capitals that it has."""

    __slots__ = ("own",)

    def __new__(cls, text: str, marks: str = "") -> Snippet:
        """Return `text`, with the engine's `marks` after it."""
        new = super().__new__(cls, text + marks)
        new.own = len(text)
        return new

    own: int
    """How much of it is written so: the marks after that are the engine's, which a command beside them takes back."""


class Name(str):
    """A chunk whose capital was learned: it is none that an engine gave to the first word of a sentence."""

    __slots__ = ()


class Fired(msgspec.Struct, frozen=True):
    """What was put in the place of what."""

    number: int
    """Of the correction; 0 is a filler that was taken out, or profanity."""
    heard: str
    """Without the marks around it."""
    wrote: str
    how: Literal["exact", "sound", "filler", "profanity"]
    score: float = 1.0
    """How alike the letters of the least similar word are, 0 to 1."""
    at: int = 0
    """Index of the chunk, among those that were handed over, with which it begins."""


class Corrections:
    """The corrections of a user, by mode.

    Args:
        entries: what was learned. One that is not `enabled` is left out.
        lexicon: the words of the language. None: nothing is found by its sound.
        least: the least similarity, 0 to 1, of what sounds alike (`sounds.Sounds`).
        fillers: the words to take out, lower case; they stay in the mode "verbatim".
        profane: the words to mask, lower case; they stay as well there, and where a correction is found.
    """

    def __init__(
        self,
        entries: Iterable[Correction],
        *,
        lexicon: Lexicon | None = None,
        least: float = 0.8,
        fillers: Collection[str] = (),
        profane: Collection[str] = (),
    ) -> None:
        enabled = [entry for entry in entries if entry.enabled]
        modes = {mode for entry in enabled for mode in entry.modes} | {_AS_SAID}
        self._modes = {
            mode: Lookup(
                # A stable sort: what is for this mode alone first.
                sorted((entry for entry in enabled if not entry.modes or mode in entry.modes), key=_everywhere),
                *(((), ()) if mode == _AS_SAID else (fillers, profane)), lexicon, least,
            )
            for mode in modes
        }  # fmt: skip
        self._others = Lookup((entry for entry in enabled if not entry.modes), fillers, profane, lexicon, least)

    @classmethod
    def of_language(
        cls, entries: Iterable[Correction], language: str, *, least: float = 0.8, fillers: bool = True,
        mask: bool = False,
    ) -> Corrections:  # fmt: skip
        """Return the corrections for a language (ISO 639-1), with its fillers, its words, and its profanity to `mask`.

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
            profane=PROFANE.get(language, frozenset()) if mask else (),
        )

    def apply(self, chunks: list[str], *, mode: str) -> tuple[list[str], tuple[Fired, ...]]:
        """Return the chunks as they are to be written, and what was changed.

        Args:
            chunks: what stands between white space, with the engine's marks and capitals still on it. Never changed.
            mode: as of `Correction.modes`; one that no correction names has those that are for all.

        Returns:
            The same list, and (), if there was nothing to do. What is put in for certain words, and not for what they
            sound like, is a `Snippet` and one chunk, as far as `Correction.case` is "written"; else its words are
            chunks again, unless it has other white space than single spaces, of several lines say.
        """
        return rewritten(self.of_mode(mode), chunks)

    def of_mode(self, mode: str) -> Lookup:
        """Return the corrections of one mode."""
        lookup = self._modes.get(mode, self._others)
        lookup.limit()
        return lookup


def rewritten(lookup: Lookup, chunks: list[str]) -> tuple[list[str], tuple[Fired, ...]]:
    """Return what `Corrections.apply` does, with the corrections of one mode."""
    pieces, begins = list(map(lookup.__getitem__, chunks)), lookup.begins
    if begins.isdisjoint(chunks):
        return chunks, ()
    out: list[str] = []
    fired: list[Fired] = []
    done = 0  # chunks before it are in `out`
    carried = ""  # what opened before a filler opens after it
    for at in [at for at, chunk in enumerate(chunks) if chunk in begins]:
        piece = pieces[at]
        if piece is None or at < done:
            continue
        filler = piece.filler and not _means(piece, chunks[max(at - 1, 0) : at], chunks[at + 1 : at + 2])
        match = None if filler else longest(pieces, at)
        if match is None and not (filler or piece.profane):
            continue
        if done < at:
            out += [carried + chunks[done], *chunks[done + 1 : at]]
            carried = ""
        done = at + 1
        if filler:
            fired.append(Fired(0, piece.core, "", "filler", at=at))
            carried += _leave_out(piece, out, last=done == len(chunks))
            continue
        if match is None:
            hidden = masked(piece.core)
            written = [piece.lead + hidden + piece.trail]
            fired.append(Fired(0, piece.core, hidden, "profanity", at=at))
        else:
            done = match.stop
            written, hit = _written(pieces, at, match)
            if " ".join(written) != " ".join(chunks[at:done]):
                fired.append(hit)
        out += [_led(carried, written[0]), *written[1:]]
        carried = ""
    if not fired:
        return chunks, ()
    if done < len(chunks):
        out += [carried + chunks[done], *chunks[done + 1 :]]
    elif carried and out:
        out[-1] += carried
    return out, tuple(fired)


def _leave_out(filler: Piece, out: list[str], *, last: bool) -> str:
    """Leave a filler out behind what is written so far; return what opens before it."""
    marks = _marks(filler.trail)
    closers = filler.trail[len(marks) :]
    alone = filler.lead != "" and closers != ""
    _close(out, marks if alone else marks + closers, last=last)
    return "" if alone else filler.lead


def _written(pieces: Sequence[Piece | None], at: int, match: Match) -> tuple[list[str], Fired]:
    correction = match.correction
    of = [piece for piece in pieces[at : match.stop] if piece is not None]  # all: no phrase has another piece
    heard = " ".join(piece.core for piece in of)
    text = _cased(correction, heard)
    hit = Fired(correction.number, heard, text, "exact" if match.exact else "sound", round(match.score, 3), at)
    words = text.split()
    trail = of[-1].trail
    if " ".join(words) != text:
        words = [text]
        trail = trail.lstrip(MARKS)  # a snippet has its own; the engine's full stop was for the sentence it stands for
    if trail and (trail[0] in MARKS or trail[0] == "s") and text[-1].lower() == trail[0]:
        trail = trail[1:]  # it has a full stop of its own, or a plural's s
    words[0] = of[0].lead + words[0]
    learned = correction.match == "sound" and len(words) == len(text.split())
    if correction.case != "lower" and (learned or correction.case != "written"):  # a sentence may give it a capital
        words[-1] += trail
        if correction.case == "written" and text[:1].isupper():
            words[0] = Name(words[0])
        return words, hit
    marks = trail[len(trail.rstrip(MARKS)) :]
    words[-1] += trail[: len(trail) - len(marks)]
    return [Snippet(" ".join(words), marks)], hit


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


def _led(lead: str, chunk: str) -> str:
    """Return a chunk with what opens before it."""
    if isinstance(chunk, Snippet):
        return Snippet(lead + chunk[: chunk.own], chunk[chunk.own :])
    return Name(lead + chunk) if isinstance(chunk, Name) else lead + chunk


def _means(filler: Piece, before: Sequence[str], following: Sequence[str]) -> bool:
    """Whether a filler says something: by the chunk before it, if there is one, or with the one behind it."""
    if any(chunk.lower() in NAMING for chunk in before):
        return True
    return not filler.trail and any((filler.word, chunk.lower().rstrip(_TRAILS)) in ANSWERS for chunk in following)


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
    own = before.own if isinstance(before, Snippet) else 0
    if (marks or last) and before[-1:] == "," and len(before) > own:
        before = before[:-1]
    if not pause and before[-1:] not in MARKS:
        before += marks
    name = isinstance(out[-1], Name)
    before += closers
    out[-1] = Snippet(before[:own], before[own:]) if own else Name(before) if name else before


def _marks(trail: str) -> str:
    """Return the marks at the start of what follows a word, up to where something closes."""
    return trail[: len(trail) - len(trail.lstrip(MARKS))]


def _everywhere(correction: Correction) -> bool:
    return not correction.modes
