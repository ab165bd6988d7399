"""What is to be said of a dictation program, given what was said and when it showed, decided or typed what.

Which utterance a final belongs to is told by its words: all finals, in their order, are aligned with all that was said,
and a final *covers* an utterance if at least two words of it, or half of the words of either, are in their place. By
time alone one cannot tell it: after short pauses the text comes when the next sentence has begun. A final none of whose
words is right is taken by its time. No final covers what had not begun when it came.

- TTFS, time to final text: from an utterance's acoustic end to the last final that covers it.
- TTFD, time to first draft: from its onset to the first draft, or final if there was none, that shows a word of it.
- cut: utterances that more than one final covers; merged: utterances whose final covers another one, too.
- flicker: of the words that drafts showed, the share that the final did not have at that place (the unstable partial
  word ratio of Shangguan et al., "Analyzing the Quality and Stability of a Streaming End-to-End On-Device Speech
  Recognizer", Interspeech 2020). A draft that repeats the one before it shows nothing new.
- WER: edits that make all finals into all that was said, a word each, over the words that were said.

Words are compared after OpenAI's normalisation (letters only, numbers as digits, British and American spelling alike).
In the languages of `LETTERS`, each letter counts as a word, as in Whisper's own evaluation.
"""

from __future__ import annotations

import sys
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from itertools import pairwise
from typing import Any, Final, Literal

import numpy as np

from sottovoce.ops.compose import Utterance
from sottovoce.ops.exceptions import OpsError

LETTERS: Final = frozenset({"ja", "lo", "my", "th", "yue", "zh"})
"""Languages that are written without spaces between words."""
BINS_S: Final = (0.2, 0.4, 0.6, 0.8, 1.0, float("inf"))
"""Edges of the lengths by which pauses are told apart."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that a program showed, decided or typed."""

    t: float
    """Seconds since the first sample was spoken."""
    kind: Literal["draft", "final", "typed"]
    text: str
    segment: int
    """Any number that the drafts, the final and the typed text of one segment share."""


@dataclass(frozen=True, slots=True)
class Heard:
    """How one utterance fared; seconds."""

    audio: str
    finals: int
    ttfs: float | None
    """None where no final covers it."""
    ttfd: float | None


@dataclass(frozen=True, slots=True)
class Score:
    """The figures; those in seconds are None where nothing was heard."""

    utterances: int
    finals: int
    """That have words; those that were typed, where a program types."""
    missed: int
    """Utterances that no final covers."""
    cut: int
    merged: int
    stray: int
    """Finals that came after an utterance's end without a word of it: mostly invented."""
    ttfs_p50: float | None
    ttfs_p95: float | None
    ttfd_p50: float | None
    ttfd_p95: float | None
    wer: float
    words: int
    """That were said."""
    flicker: float | None
    words_shown: int
    """In drafts."""
    pauses: int
    """Within utterances."""
    pauses_cut: int
    """Pauses at which a segment ended."""
    cut_rate: float | None
    """Of the pauses."""
    by_pause: list[dict[str, float | int | None]] = field(default_factory=list)
    """The same by the pause's length: `from` and `to` (seconds, None: no end), `pauses`, `cut`."""
    heard: list[Heard] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return asdict(self)


def score(utterances: Sequence[Utterance], events: Sequence[Event], language: str = "en") -> Score:
    """Judge the events of one run.

    Args:
        utterances: the truth, in order of time.
        events: what the program did, in any order. Where something was typed, that is judged, else the finals.
        language: whose normalisation to use: English has rules of its own.

    Raises:
        OpsError: a package that this needs is not installed.
    """
    words = normaliser(language)
    events = sorted(events, key=lambda event: event.t)
    last = "typed" if any(event.kind == "typed" for event in events) else "final"
    finals = [event for event in events if event.kind == last and words(event.text)]
    said = [words(utterance.text) for utterance in utterances]
    told = [words(final.text) for final in finals]
    covers, stray = _covers(utterances, said, finals, told)
    mine = {index: [at for at, found in enumerate(covers) if index in found] for index in range(len(utterances))}
    heard = [
        Heard(
            utterance.audio, len(mine[index]),
            round(finals[mine[index][-1]].t - utterance.offset, 4) if mine[index] else None,
            _first_shown(utterance, [(finals[at], covers[at][index]) for at in mine[index]], events, words),
        )
        for index, utterance in enumerate(utterances)
    ]  # fmt: skip
    by_pause = _by_pause([(utterance, [finals[at].t for at in mine[i]]) for i, utterance in enumerate(utterances)])
    pauses, cut = (sum(int(row[key] or 0) for row in by_pause) for key in ("pauses", "cut"))
    unstable, shown = _flicker(events, words)
    reference = words(" ".join(utterance.text for utterance in utterances))
    hypothesis = words(" ".join(final.text for final in finals))
    return Score(
        utterances=len(utterances), finals=len(finals),
        missed=sum(not at for at in mine.values()),
        cut=sum(len(at) > 1 for at in mine.values()),
        merged=sum(any(len(covers[final]) > 1 for final in at) for at in mine.values()),
        stray=stray,
        ttfs_p50=percentile([each.ttfs for each in heard], 50), ttfs_p95=percentile([each.ttfs for each in heard], 95),
        ttfd_p50=percentile([each.ttfd for each in heard], 50), ttfd_p95=percentile([each.ttfd for each in heard], 95),
        wer=round(_distance(reference, hypothesis) / max(1, len(reference)), 4), words=len(reference),
        flicker=round(unstable / shown, 4) if shown else None, words_shown=shown,
        pauses=pauses, pauses_cut=cut, cut_rate=round(cut / pauses, 4) if pauses else None,
        by_pause=by_pause, heard=heard,
    )  # fmt: skip


@cache
def normaliser(language: str) -> Callable[[str], tuple[str, ...]]:
    """Return the function from a text to its words that are compared.

    Raises:
        OpsError: the package is not installed.
    """
    try:
        from whisper_normalizer.basic import BasicTextNormalizer
        from whisper_normalizer.english import EnglishTextNormalizer
    except ModuleNotFoundError as error:
        raise _not_installed("whisper-normalizer") from error
    normalise = EnglishTextNormalizer() if language == "en" else BasicTextNormalizer(split_letters=language in LETTERS)
    return cache(lambda text: tuple(normalise(text).split()))


def percentile(values: Sequence[float | None], which: float) -> float | None:
    """Return a percentile of those values that are there, None if none is."""
    there = [value for value in values if value is not None]
    return round(float(np.percentile(there, which)), 4) if there else None


def _covers(
    utterances: Sequence[Utterance], said: Sequence[Sequence[str]],
    finals: Sequence[Event], told: Sequence[Sequence[str]],
) -> tuple[list[dict[int, int]], int]:  # fmt: skip
    """Return for each final the utterances that it covers, each with how many words of others stand before it there.

    And how many finals cover none.
    """
    owners = [index for index, words in enumerate(said) for _ in words]
    places = [(at, place) for at, words in enumerate(told) for place in range(len(words))]
    right: list[Counter[int]] = [Counter() for _ in finals]
    first: list[dict[int, int]] = [{} for _ in finals]
    for mine, theirs in _equal([word for words in said for word in words], [word for words in told for word in words]):
        index, (at, place) = owners[mine], places[theirs]
        if utterances[index].onset <= finals[at].t:
            right[at][index] += 1
            first[at].setdefault(index, place)
    covers = list[dict[int, int]]()
    for at, counts in enumerate(right):
        found = [i for i, n in sorted(counts.items()) if n >= 2 or 2 * n >= min(len(told[at]), len(said[i]))]
        covers.append({index: first[at][index] if index != found[0] else 0 for index in found})
    stray = 0
    begun = [utterance.onset for utterance in utterances]
    for at, final in enumerate(finals):
        if covers[at]:
            continue
        index = bisect_right(begun, final.t) - 1
        if index >= 0 and (final.t < utterances[index].offset or not any(index in each for each in covers)):
            covers[at] = {index: 0}
        else:
            stray += 1
    return covers, stray


def _first_shown(
    utterance: Utterance, mine: Sequence[tuple[Event, int]], events: Sequence[Event],
    words: Callable[[str], tuple[str, ...]],
) -> float | None:  # fmt: skip
    """Return the seconds from an utterance's onset until a word of it was shown.

    Args:
        utterance: the utterance.
        mine: the finals that cover it, each with how many words of others it has before.
        events: all of them.
        words: the normaliser.
    """
    before = {final.segment: place for final, place in mine}
    shown = [final.t for final, _ in mine] + [
        event.t
        for event in events
        if event.kind == "draft" and event.segment in before and len(words(event.text)) > before[event.segment]
    ]
    there = [t for t in shown if t >= utterance.onset]
    return round(min(there) - utterance.onset, 4) if there else None


def _by_pause(finals: Sequence[tuple[Utterance, Sequence[float]]]) -> list[dict[str, float | int | None]]:
    """Count the pauses of each length, and those at which a segment ended.

    A final that is not its utterance's last one came of the latest pause that had begun; for a program that takes
    longer than from one pause to the next, this may be the one after.
    """
    pauses: list[tuple[float, bool]] = []
    for utterance, times in finals:
        ended = {bisect_right([begins for begins, _ in utterance.pauses], t) - 1 for t in times[:-1]}
        pauses += [(round(end - first, 3), place in ended) for place, (first, end) in enumerate(utterance.pauses)]
    return [
        {
            "from": low, "to": None if high == BINS_S[-1] else high,
            "pauses": sum(low <= length < high for length, _ in pauses),
            "cut": sum(cut for length, cut in pauses if low <= length < high),
        }
        for low, high in pairwise(BINS_S)
    ]  # fmt: skip


def _flicker(events: Sequence[Event], words: Callable[[str], tuple[str, ...]]) -> tuple[int, int]:
    """Return how many words of drafts the final did not have at their place, and how many there were."""
    final: dict[int, tuple[str, ...]] = {}
    drafts: dict[int, list[tuple[str, ...]]] = defaultdict(list)
    for event in events:
        text = words(event.text)
        if event.kind == "final":
            final[event.segment] = text
        elif event.kind == "draft" and text != (drafts[event.segment] or [()])[-1]:
            drafts[event.segment].append(text)
    unstable = shown = 0
    for segment, texts in drafts.items():
        right = final.get(segment, ())
        for text in texts:
            shown += len(text)
            unstable += sum(word != (right[place] if place < len(right) else None) for place, word in enumerate(text))
    return unstable, shown


def _equal(reference: Sequence[str], hypothesis: Sequence[str]) -> list[tuple[int, int]]:
    """Return the places in both of the words that an alignment with the fewest edits leaves as they are."""
    blocks = levenshtein().opcodes(reference, hypothesis)
    return [
        (mine, theirs)
        for block in blocks
        if block.tag == "equal"
        for mine, theirs in zip(
            range(block.src_start, block.src_end), range(block.dest_start, block.dest_end), strict=True
        )
    ]


def _distance(reference: Sequence[str], hypothesis: Sequence[str]) -> int:
    return int(levenshtein().distance(reference, hypothesis))


def levenshtein() -> Any:
    """Return RapidFuzz's module for edits of sequences.

    Raises:
        OpsError: the package is not installed.
    """
    try:
        from rapidfuzz.distance import Levenshtein
    except ModuleNotFoundError as error:
        raise _not_installed("rapidfuzz") from error
    return Levenshtein


def _not_installed(package: str) -> OpsError:
    return OpsError(
        f"the benchmark needs {package}, which is not installed; run: {sys.executable} -m pip install {package}"
    )
