"""Decoding with context: a short segment is heard better together with what was said just before it.

A recogniser that gets "fail better" alone writes "Fell better."; after "Try again. Fail again." it writes "fail
better." So a segment that follows others closely is decoded together with them, and the words that are new are taken:
the known text is aligned to the beginning of the joint hypothesis by edit distance over words (Wagner and Fischer,
1974), and where it ends, the new words begin. Where the alignment is poor the segment is decoded alone, as if there
were no context. It takes no word times, which many models do not give.

Where all of the segment before would be too much, its last seconds serve (`_lead`), from a quiet place on. Then the end
of the known text is aligned to the beginning of the hypothesis, letter by letter without spaces, since the first word
may be half of one and "wood blocks" may come back as "woodblocks" (`join`).

A segment that was cut for its length ends in the midst of speech, mostly of a sentence. The recogniser, which hears no
more, writes a full stop, and half a word where the cut is within one. But what follows has been captured already, so
the seam is decoded with some of that, and the last words and their mark are those that stand there (`ahead`).

Behind a silence it is too late for that: the words are on the screen. A full stop in doubt is not written before it is
sure (`unstopped`). Where one does stand there and the joint decode has none, that is told (`Decoded.mend`), and the
injector takes it back. Where that cannot be done, what follows keeps its capital: two sentences read better than "at
present concerned. differs from most".

Measured with `moonshine-tiny-en` by `sottovoce transcribe` with `[stt.final] context` 0 and 10 (word error rate): a
slow reader cut at his commas (the wheel's two_cities.wav) 5.9 % -> 3.4 %; beckett.wav 8.3 % -> 0 %; clips of many
speakers in one recording, which give each other no context, 2.2 % -> 1.7 % with gaps of 0.7 s, 2.2 % with 1.6 s.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from sottovoce.actors.endpoint import ending
from sottovoce.actors.rehear import Decode, rehear
from sottovoce.models import Result
from sottovoce.protocol.clocks import SAMPLE_RATE

DEFAULT_LIMIT_S = 10.0
"""Longest joint decode. It runs in the pause before the endpoint, so it must end within that: 10 s take 0.2 s here."""
GAP_S = 1.2
"""A longer silence ends the context: what follows is a new thought, or another speaker."""
_TOLERANCE = 3  # one word in so many of the known text may come out differently
_LEAD_S = (2.5, 4.0)
"""So much is heard of a segment that is not heard whole."""
_HASTY_S = 5.0
"""Longest joint decode behind a stop, when somebody waits for it."""
_AHEAD_S = 3.0
"""So much of what follows a cut is heard to tell how the text before it ends."""
_HEARD_AHEAD_S = 0.5  # less has no word in it that would tell
_LONGEST_S = 30.0  # engines degrade beyond it
_QUIET = SAMPLE_RATE * 6 // 100  # as in the segmenter, the closure of a plosive is shorter
_REMEMBERED = 80  # letters of the known text that are aligned: more than can be said in the lead
_SURE = 0.6
"""Letters that are right less those that are wrong, of the letters that were known. Two different sentences of the
clips come to 0.33 at most."""
_ENOUGH = 6  # letters; fewer agree by chance, where one sentence ends in the word that another begins with
_STOPS = ".?!"
_INNER = (",", ";", ":")
"""Marks that do not end a sentence."""
_HELD_UP = 0.5
"""Where the joint decode has a comma, 6 of 7 pauses that were put into sentences were judged finished with 0.44 at
most; the sentences of beckett.wav, which it puts in a row as well, with 0.63 at least."""
_MARKS = ".,;:?!…"
_MENDED = 3  # words before a cut that may come out otherwise

Samples = Callable[[int, int], NDArray[np.float32]]
"""Returns samples [first, end)."""


class Decoded(Result, frozen=True, kw_only=True):
    """A segment's own text."""

    continues: bool = False
    """It goes on in the clause that was not over when the segment before it was closed."""
    mend: str | None = None
    """The mark, "" for none, that belongs behind the segment before it, which got one that ends a sentence."""


class Heard(NamedTuple):
    """A segment that has its text."""

    first: int
    end: int
    text: str
    cut: bool
    withheld: bool
    held_up: bool


class ContextDecoder:
    """Decodes the segments of one sample clock, in order.

    Args:
        decode: the recogniser's, of samples (float32, shape (n,), 16 kHz).
        limit_s: longest joint decode in seconds; 0 decodes every segment alone.
    """

    def __init__(self, decode: Decode, *, limit_s: float = DEFAULT_LIMIT_S) -> None:
        self._decode = rehear(decode)
        self._limit = round(limit_s * SAMPLE_RATE)
        self._heard: deque[Heard] = deque(maxlen=16)

    def remember(
        self, first: int, end: int, text: str, *, cut: bool = False, withheld: bool = False, turn: float | None = None
    ) -> None:
        """Take note of a segment's text, as context for those that follow.

        Args:
            first: its first sample.
            end: the sample after its last.
            text: its own text, as it goes on to the transform.
            cut: it ended in the midst of speech.
            withheld: its full stop was left out, in doubt.
            turn: the probability, by the voice, that this was the end; None where nobody has judged.
        """
        self._heard.append(Heard(first, end, text, cut, withheld, held_up=turn is not None and turn < _HELD_UP))

    def forget(self) -> None:
        """Drop the context: what comes next does not follow what was said before."""
        self._heard.clear()

    def decode(self, samples: Samples, first: int, end: int, *, floor: int = 0, hasty: bool = False) -> Decoded:
        """Decode [first, end) with as much context as there is; the result's text is the segment's own.

        Args:
            samples: gives the audio.
            first: the segment's first sample.
            end: the sample after its last.
            floor: no context from before this sample.
            hasty: somebody has let go of a key and waits: no more context than can be heard in no time.

        Raises:
            whatever `samples` raises for the segment itself.
        """
        limit = min(self._limit, round(_HASTY_S * SAMPLE_RATE)) if hasty else self._limit
        context = self._context(first, end, floor, limit)
        begins = context[0].first if context else self._lead(samples, first, end, floor, hasty=hasty)
        spent = 0.0
        if begins is not None:
            joint = self._decode(samples(begins, end))
            spent = joint.decode_s
            before = " ".join(heard.text for heard in context) if context else self._heard[-1].text
            known, text = (context and split(before, joint.text)) or join(before, joint.text) or ("", "")
            if once := _unrepeated(text):
                alone = self._decode(samples(first, end))
                spent += alone.decode_s
                if _words(alone.text) in once:
                    text = alone.text
            if text:
                if known[-1] in _STOPS and self._heard[-1].withheld:
                    text = f"{known[-1]} {text}"
                mark = "" if known[-1].isalnum() else known[-1]
                return Decoded(
                    text=text, language=joint.language, audio_s=(end - first) / SAMPLE_RATE, decode_s=spent,
                    continues=not mark, mend=self._mend(mark), reheard=joint.reheard,
                )  # fmt: skip
        alone = self._decode(samples(first, end))
        text = alone.text
        if text and self._over(first, floor):
            text = f". {text}"
        return Decoded(**msgspec.structs.asdict(alone) | {"text": text, "decode_s": alone.decode_s + spent})

    def ahead(self, samples: Samples, first: int, end: int, beyond: int, text: str) -> str:
        """Return the text of a segment that was cut for its length, with the words and mark that belong at its end.

        Args:
            samples: gives the audio.
            first: the segment's first sample.
            end: the sample after its last: where it was cut.
            beyond: speech is known to go on up to this sample.
            text: what was heard of it.

        Raises:
            whatever `samples` raises for [first, beyond).
        """
        if self._limit == 0 or beyond <= end:
            return text
        bare = text.rstrip(_MARKS)
        stop = min(beyond, end + round(_AHEAD_S * SAMPLE_RATE))
        if stop - end < _HEARD_AHEAD_S * SAMPLE_RATE:
            return bare
        joint = self._decode(samples(_quietest(samples, end, first), stop))
        known, more = join(text, joint.text) or ("", "")
        return mended(bare, known) if more else bare

    def _mend(self, mark: str) -> str | None:
        """Return the mark that belongs behind the segment before, None where what it has is to stay.

        A comma alone is no proof: sentences as short as "No matter" are put in a row with them. It is believed where
        the voice was held up.
        """
        last = self._heard[-1]
        wrong = mark == "" or (mark in _INNER and last.held_up)
        return mark if wrong and last.text.endswith(tuple(_STOPS)) else None

    def _over(self, first: int, floor: int) -> bool:
        """Whether the silence before a segment is so long that a full stop in doubt belongs there after all."""
        last = self._heard[-1] if self._heard else None
        return last is not None and last.withheld and last.first >= floor and first - last.end > GAP_S * SAMPLE_RATE

    def _lead(self, samples: Samples, first: int, end: int, floor: int, *, hasty: bool) -> int | None:
        """Return from where to hear the end of the segment before, None where it does not belong to this one."""
        if not self._heard or (hasty and not self._heard[-1].cut):  # behind a cut, half a word may be all there is
            return None
        last = self._heard[-1]
        limit = max(self._limit, round(_LONGEST_S * SAMPLE_RATE)) if last.cut and self._limit else self._limit
        begins = max(last.first, last.end - round(_LEAD_S[1] * SAMPLE_RATE))
        if not 0 <= first - last.end <= GAP_S * SAMPLE_RATE or last.first < floor or end - begins > limit:
            return None
        return _quietest(samples, last.end, last.first)

    def _context(self, first: int, end: int, floor: int, limit: int) -> list[Heard]:
        context: list[Heard] = []
        start = first
        for heard in reversed(self._heard):
            gap = start - heard.end
            if not 0 <= gap <= GAP_S * SAMPLE_RATE or end - heard.first > limit or heard.first < floor:
                break
            context.insert(0, heard)
            start = heard.first
        return context


def unstopped(text: str, language: str) -> str:
    """Return a text without the full stop behind a word that seldom or never ends a sentence: "of", "the".

    It is for a text that more may follow. What was typed is not taken back, so a full stop too many stays; one that
    is missing is written before what follows, once the joint decode has it or the silence was long.
    """
    doubtful = ending(text, language, marks=False) in {"hanging", "open"}
    return text.rstrip().removesuffix(".") if doubtful else text


def split(known: str, joint: str) -> tuple[str, str] | None:
    """Return how `joint` words `known` and what it says after that; None where `known` is not clearly its beginning."""
    expected = [word for word in map(_plain, known.split()) if word]
    words = joint.split()
    plain = [_plain(word) for word in words]
    distances = list(range(len(plain) + 1))  # of nothing to each prefix of `plain`
    for number, word in enumerate(expected, 1):
        row = [number]
        for at, other in enumerate(plain, 1):
            row.append(min(distances[at] + 1, row[at - 1] + 1, distances[at - 1] + (word != other)))
        distances = row
    best = min(range(len(plain) + 1), key=lambda at: (distances[at], abs(at - len(expected))))
    sure = best > 0 and expected and plain[best - 1] == expected[-1]
    if not sure or distances[best] > len(expected) // _TOLERANCE:
        return None
    return " ".join(words[:best]), " ".join(words[best:])


def join(known: str, joint: str) -> tuple[str, str] | None:
    """Return how `joint`, which begins somewhere in `known`, words the rest of that, and what it says after it.

    None where no end of `known` is clearly its beginning.
    """
    expected = "".join(map(_plain, known.split()))[-_REMEMBERED:]
    words = joint.split()
    letters, ends = "", {0: 0}
    for number, word in enumerate(words, 1):
        letters += _plain(word)
        ends[len(letters)] = number
    letters = letters[: _REMEMBERED * 3 // 2]
    # Of each prefix of `expected` with each of `letters`, the best score of an end of the one with all of the other.
    scores = [-at for at in range(len(letters) + 1)]
    for letter in expected:
        row = [0]
        for at, other in enumerate(letters, 1):
            row.append(max(scores[at] - 1, row[at - 1] - 1, scores[at - 1] + (1 if letter == other else -1)))
        scores = row
    best = max((at for at in ends if at <= len(letters)), key=lambda at: (scores[at], -at))
    if best < max(1, min(_ENOUGH, len(expected))) or scores[best] < _SURE * best:
        return None
    return " ".join(words[: ends[best]]), " ".join(words[ends[best] :])


def mended(text: str, known: str) -> str:
    """Return a text whose end was heard once more, together with what follows, with that end.

    Args:
        text: what was heard up to a cut.
        known: how the last words of it came out the second time; if the cut was within a word, it is whole here, or
            left for what follows.
    """
    mine, theirs = text.split(), known.split()
    pairs = sorted(
        (mine_back + theirs_back, len(mine) - mine_back, len(theirs) - theirs_back)
        for mine_back in range(1, min(_MENDED, len(mine)) + 1)
        for theirs_back in range(1, min(_MENDED, len(theirs) - 1) + 1)  # the first has a sentence's capital
        if _plain(mine[-mine_back]) == _plain(theirs[-theirs_back]) != ""
    )
    if not pairs:
        return text
    _, mine_at, theirs_at = pairs[0]
    return " ".join([*mine[:mine_at], *theirs[theirs_at:]])


def _words(text: str) -> list[str]:
    """Return the words of a text without case and marks."""
    return [word for word in map(_plain, text.split()) if word]


def _unrepeated(text: str) -> list[list[str]]:
    """Return the words of a text without one that follows itself, or several that do: what it may have been.

    Behind a sentence whose beginning is missing `moonshine-tiny-en` heard "No matter. No matter." in what it hears
    once when it hears it alone.
    """
    words = _words(text)
    return [
        words[:at] + words[at + length :]
        for length in range(1, len(words) // 2 + 1)
        for at in range(len(words) - 2 * length + 1)
        if words[at : at + length] == words[at + length : at + 2 * length]
    ]


def _quietest(samples: Samples, end: int, first: int) -> int:
    """Return the middle of the quietest 60 ms a lead before `end`, or `first` if that is no further."""
    begins, stop = (end - round(seconds * SAMPLE_RATE) for seconds in reversed(_LEAD_S))
    if begins <= first:
        return first
    energy = np.cumsum(np.square(samples(begins, stop), dtype=np.float64))
    return begins + int(np.argmin(energy[_QUIET:] - energy[:-_QUIET])) + _QUIET // 2


def _plain(word: str) -> str:
    return re.sub(r"\W", "", word).lower()
