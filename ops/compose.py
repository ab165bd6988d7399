"""Dictation made of clips: a recording in which it is known when somebody spoke, and what.

Where speech begins and ends is told by level alone, 35 dB under the loudest 10 ms of the clip, so that no detector that
is being measured is the judge. The clips keep the order of their manifest (sentences of one speaker follow each other,
as in dictation) and are joined by faint noise; a gap is measured from acoustic end to acoustic beginning. All choices
follow from the seed.

Hesitation: pauses are put into the clips where one word ends and another begins, by the manifest's word times, or,
where it has none, at the quietest 60 ms (shorter dips are mostly the closure of a "t" or "k" within a word). What is
told as a pause is, again, what is quiet by level, inserted or natural.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sottovoce.actors.audiofile import AudioFileError, decode_file
from sottovoce.ops.manifest import ManifestError, lines
from sottovoce.protocol.clocks import SAMPLE_RATE

QUIET_DB: Final = 35.0
"""What is so much quieter than a clip's loudest hop is no speech."""
SHORTEST_PAUSE_S: Final = 0.2
"""Shorter quiet within an utterance is part of speaking."""
HESITATION_S: Final = (0.2, 1.0)
"""How long the pauses are that are put in, uniformly."""
_HOP: Final = SAMPLE_RATE // 100
_MARGIN: Final = SAMPLE_RATE // 20  # of the clip's own room before its onset and after its end; out of the gap
_RAMP: Final = SAMPLE_RATE // 100  # a hard cut in room noise is a click
_LEAD_S: Final = 1.0
_TAIL_S: Final = 1.5  # longer than any endpoint measured
_NOISE: Final = 3e-4  # rms, -70 dBFS: a quiet room before a headset
_JITTER: Final = 0.25  # gaps vary by so much of themselves: nobody speaks to a metronome
_PLACE_HOPS: Final = 6  # 60 ms
_PAUSE_EVERY_S: Final = 2.5  # of speech, one pause is put in
_APART_S: Final = 0.5  # no pause is put nearer to another, or to an end
_AUDIBLE_DB: Final = -60.0  # a clip whose loudest hop is below this would vanish in the noise

Samples = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Clip:
    """A recording of one utterance."""

    audio: Path
    text: str
    words: tuple[tuple[str, float, float], ...] = ()
    """Each word with where it begins and ends, in seconds of the recording; empty where that is not known."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """What was said in a composition, and when; seconds from its first sample."""

    text: str
    onset: float
    offset: float
    pauses: tuple[tuple[float, float], ...] = ()
    """Quiet of SHORTEST_PAUSE_S and more inside of it."""
    audio: str = ""
    """The clip's name."""


@dataclass(frozen=True, slots=True)
class Composition:
    """A recording and its truth."""

    samples: Samples
    """float32, shape (n,), 16 kHz, full scale 1.0."""
    utterances: tuple[Utterance, ...]

    @property
    def seconds(self) -> float:
        """Its length."""
        return len(self.samples) / SAMPLE_RATE


def read_manifest(path: Path, language: str, limit: int | None = None) -> list[Clip]:
    """Return the clips of a language whose text is known.

    A text that was there already is left out: it is the same recording in another format.

    Args:
        path: a JSON object a line: `audio` (relative to the manifest), `text`, `lang`, for some `words`.
        language: e.g. "en".
        limit: how many clips at most, from the first.

    Raises:
        ManifestError: it cannot be read, a line is wrong (named by its number), or it has no such clip.
    """
    clips: dict[str, Clip] = {}
    for number, entry in lines(path):
        audio = path.parent / entry.audio
        if entry.lang == language and entry.text:
            if not audio.is_file():
                raise ManifestError(f"{path}: line {number}: {audio} is not a file")
            clips.setdefault(entry.text, Clip(audio, entry.text, entry.words))
    if not clips:
        raise ManifestError(f"{path}: has no clip with a text whose lang is {language!r}")
    return list(clips.values())[:limit]


def compose(clips: Sequence[Clip], *, gap_s: float, seed: int, hesitation: bool = False) -> Composition:
    """Join clips to one recording.

    Args:
        clips: what is said, in this order.
        gap_s: mean silence between two of them, which varies by a quarter; at least 0.2 s.
        seed: of the gaps, of the noise and of the pauses.
        hesitation: whether pauses are put into the clips.

    Raises:
        AudioFileError: a clip cannot be read or is silent.
        ValueError: the gap is too short to be one.
    """
    if gap_s * (1 - _JITTER) * SAMPLE_RATE < 2 * _MARGIN:
        raise ValueError(f"a gap of {gap_s:g} s is too short; 0.2 s is the shortest")
    rng = random.Random(seed)
    parts = [np.zeros(round(_LEAD_S * SAMPLE_RATE), np.float32)]
    at, utterances = len(parts[0]), list[Utterance]()
    for clip in clips:
        piece = _with_pauses(clip, rng) if hesitation else _trimmed(clip)[0]
        first, end = bounds(piece)
        pauses = tuple(
            ((at + begins) / SAMPLE_RATE, (at + ends) / SAMPLE_RATE)
            for begins, ends in quiet_runs(piece[:end])
            if begins >= first and ends < end
        )
        utterances.append(
            Utterance(clip.text, (at + first) / SAMPLE_RATE, (at + end) / SAMPLE_RATE, pauses, clip.audio.name)
        )
        gap = round(gap_s * rng.uniform(1 - _JITTER, 1 + _JITTER) * SAMPLE_RATE)
        parts += [piece, np.zeros(gap - 2 * _MARGIN, np.float32)]
        at += len(parts[-2]) + len(parts[-1])
    parts.append(np.zeros(round(_TAIL_S * SAMPLE_RATE), np.float32))
    samples = np.concatenate(parts)
    samples += np.random.default_rng(seed).standard_normal(len(samples), np.float32) * np.float32(_NOISE)
    return Composition(np.clip(samples, -1.0, 1.0), tuple(utterances))


def partings(clip: Clip) -> tuple[Samples, list[int]]:
    """Return a clip without the silence around it, and the samples at which it may be parted, 0.5 s from its ends.

    They lie between words, in their order, by the manifest's word times; or at the quietest 60 ms, the quietest first.

    Raises:
        AudioFileError: the clip cannot be read or is silent.
    """
    piece, cut = _trimmed(clip)
    return piece, _word_points(piece, clip.words, cut) if clip.words else _quiet_points(piece)


def faded(samples: Samples) -> Samples:
    """Return a copy that begins and ends at zero."""
    copy, ramp = samples.copy(), np.linspace(0, 1, _RAMP, dtype=np.float32)
    copy[:_RAMP] *= ramp
    copy[-_RAMP:] *= ramp[::-1]
    return copy


def levels(samples: Samples) -> NDArray[np.float64]:
    """Return the level of each whole hop of 10 ms: float64, shape (n // 160,), dB of full scale."""
    hops = len(samples) // _HOP
    power = (samples[: hops * _HOP].astype(np.float64).reshape(hops, _HOP) ** 2).mean(axis=1)
    level: NDArray[np.float64] = 10 * np.log10(power + 1e-12)
    return level


def bounds(samples: Samples) -> tuple[int, int]:
    """Return where speech begins and where it ends in a clip, as sample indices [first, end)."""
    level = levels(samples)
    loud = np.flatnonzero(level > level.max() - QUIET_DB)
    return int(loud[0]) * _HOP, (int(loud[-1]) + 1) * _HOP


def quiet_runs(samples: Samples, shortest_s: float = SHORTEST_PAUSE_S) -> Iterator[tuple[int, int]]:
    """Yield the stretches [first, end) of a clip that are quiet for `shortest_s` and more."""
    level = levels(samples)
    quiet = np.concatenate(([False], level <= level.max() - QUIET_DB, [False]))
    edges = np.flatnonzero(np.diff(quiet.astype(np.int8)))
    for first, end in zip(edges[::2], edges[1::2], strict=True):
        if (end - first) * _HOP >= shortest_s * SAMPLE_RATE:
            yield int(first) * _HOP, int(end) * _HOP


def _trimmed(clip: Clip) -> tuple[Samples, int]:
    """Return a clip without the silence around it, and how many samples were cut off at its beginning.

    50 ms stay on both sides, in which it swells and fades; less than none is cut off where it begins at once.
    """
    samples = decode_file(clip.audio)
    level = levels(samples)
    if not len(level) or level.max() < _AUDIBLE_DB:
        raise AudioFileError(f"{clip.audio}: is silent; leave its line out of the manifest")
    first, end = bounds(samples)
    piece = np.zeros(end - first + 2 * _MARGIN, np.float32)
    begin, stop = max(0, first - _MARGIN), min(len(samples), end + _MARGIN)
    piece[begin - first + _MARGIN : stop - first + _MARGIN] = faded(samples[begin:stop])
    return piece, first - _MARGIN


def _with_pauses(clip: Clip, rng: random.Random) -> Samples:
    """Return a clip in which somebody hesitates."""
    piece, points = partings(clip)
    wanted = round((len(piece) - 2 * _MARGIN) / SAMPLE_RATE / _PAUSE_EVERY_S)
    if clip.words:
        rng.shuffle(points)  # else they are in the order of their level, the quietest first
    chosen = list[int]()
    for point in points:
        if len(chosen) < max(1, wanted) and all(abs(point - other) >= _APART_S * SAMPLE_RATE for other in chosen):
            chosen.append(point)
    parts, last = list[Samples](), 0
    runs = list(quiet_runs(piece, 0.0))
    for point in sorted(chosen):
        natural = next((end - first for first, end in runs if first <= point < end), 0)
        silence = round(rng.uniform(*HESITATION_S) * SAMPLE_RATE) - natural
        if silence > _HOP:  # else there is such a pause already
            parts += [faded(piece[last:point]), np.zeros(silence, np.float32)]
            last = point
    return np.concatenate([*parts, faded(piece[last:])])


def _word_points(piece: Samples, words: Sequence[tuple[str, float, float]], cut: int) -> list[int]:
    """Return the quietest sample between each two words that may be parted, in their order.

    The times are as good as whoever took them, about 30 ms, and neighbours may overlap.
    """
    level, points = levels(piece), list[int]()
    for (_, _, end), (_, start, _) in pairwise(words):
        first, last = (
            round((second * SAMPLE_RATE - cut) / _HOP) for second in (min(end, start) - 0.03, max(end, start) + 0.03)
        )
        first, last = max(0, first), min(len(level), last)
        if first < last:
            points.append((first + int(np.argmin(level[first:last]))) * _HOP + _HOP // 2)
    return [point for point in points if _inside(piece, point)]


def _quiet_points(piece: Samples) -> list[int]:
    """Return the middles of the quietest 60 ms, the quietest first."""
    power = 10 ** (levels(piece) / 10)
    if len(power) < 3 * _PLACE_HOPS:
        return []
    places = np.convolve(power, np.ones(_PLACE_HOPS) / _PLACE_HOPS, mode="valid")
    points = [int(place) * _HOP + _PLACE_HOPS * _HOP // 2 for place in np.argsort(places, kind="stable")]
    return [point for point in points if _inside(piece, point)]


def _inside(piece: Samples, point: int) -> bool:
    apart = round(_APART_S * SAMPLE_RATE)
    return _MARGIN + apart <= point <= len(piece) - _MARGIN - apart
