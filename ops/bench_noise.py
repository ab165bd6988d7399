"""`sottovoce bench noise`: what is heard in noise and at bad levels, and what is heard where nobody speaks.

Clips are composed to dictation (`ops.compose`), each brought to the same active level, a noise is laid over it
(`ops.noise`), and detector, recogniser and guard listen (`ops.rehearsal`). No service runs. Two tables come of it:

- *speech*: for each noise and SNR, and for each level, alone and under a fan: how much of the speech lies in some
  segment, which clips none touches, segments where nobody speaks, the word error rate;
- *noise alone*, as loud as it is in the first: segments an hour, and how many of those the guard does not stop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from sottovoce.actors.audiofile import decode_file
from sottovoce.ops.bench_latency import configuration
from sottovoce.ops.compose import Clip, Composition, Utterance, compose, read_manifest
from sottovoce.ops.exceptions import OpsError
from sottovoce.ops.manifest import lines
from sottovoce.ops.noise import (
    NOMINAL_DB,
    PEAKS,
    Noise,
    Samples,
    active_level,
    at_level,
    captured,
    noises,
)
from sottovoce.ops.rehearsal import Rehearsal, Said
from sottovoce.ops.score import Event, score
from sottovoce.protocol.clocks import SAMPLE_RATE

SNRS_DB: Final = (20.0, 10.0, 5.0)
"""A quiet office, a loud one, a canteen."""
MINUTES: Final = 10.0
GAP_S: Final = 3.0
"""Long enough that a noise has time to be taken for speech between two sentences."""
UNDER: Final = "fan"
"""What quiet speech is mixed with."""

Tell = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Strays:
    """Segments in which nobody speaks."""

    found: int = 0
    refused: int = 0
    """That the guard stopped."""
    seconds: float = 0.0
    """In which nobody spoke."""

    def __add__(self, other: Strays) -> Strays:
        """Return both together."""
        return Strays(self.found + other.found, self.refused + other.refused, self.seconds + other.seconds)

    def as_dict(self) -> dict[str, float | int]:
        """Return the counts and what an hour of it would bring."""
        an_hour = 3600 / self.seconds
        return {
            "strays": self.found, "refused": self.refused, "typed": self.found - self.refused,
            "seconds": round(self.seconds, 1), "strays_an_hour": round(self.found * an_hour, 1),
            "typed_an_hour": round((self.found - self.refused) * an_hour, 1),
        }  # fmt: skip


def run(
    manifest: Path, *, language: str = "en", clips: int | None = None, kinds: Sequence[str] = (),
    snrs: Sequence[float] = SNRS_DB, seeds: int = 1, minutes: float = MINUTES, settings: Sequence[str] = (),
    tell: Tell = lambda _: None,
) -> dict[str, Any]:  # fmt: skip
    """Return both tables.

    Args:
        manifest: of the clips; see `compose.read_manifest`. Those of other languages, and those whose text is not
            known, are the other voices, those whose text is empty the recorded noise.
        language: of what is dictated.
        clips: how many at most.
        kinds: of noises and levels; all by default.
        snrs: in dB.
        seeds: how many compositions, each with noise of its own.
        minutes: of each noise alone; 0 leaves the second table out.
        settings: `KEY=VALUE` of the configuration, keys with dots.
        tell: is called with a line of progress.

    Raises:
        OpsError: there is no such kind, or the manifest has no clips to make it of.
        ConfigError, ManifestError, AudioFileError, ModelMissing: as `configuration`, `compose` and `Rehearsal` say.
    """
    _, config = configuration(settings)
    said = read_manifest(manifest, language, clips)
    makers = noises(*_others(manifest, read_manifest(manifest, language)))
    _check(kinds, makers, manifest)
    rehearsal = Rehearsal(config)
    pieces = [levelled(compose(said, gap_s=GAP_S, seed=seed)) for seed in range(1, seeds + 1)]
    rows, alone = [], []

    def hear(kind: str, snr: float | None = None, noise: Noise | None = None, peak: float | None = None) -> None:
        takes = []
        for seed, piece in enumerate(pieces, 1):
            samples = piece.samples if noise is None or snr is None else mixed(piece.samples, noise, snr, seed)
            takes.append(_take(piece, rehearsal.segments(captured(samples, peak), config), language))
        row = {"kind": kind, "snr": snr, **_row(takes)}
        tell(f"{kind}, SNR {snr}: {row}")
        rows.append(row)

    def wanted(names: Iterator[str]) -> list[str]:
        return [name for name in names if not kinds or name in kinds]

    hear("none")
    for kind in wanted(iter(PEAKS)):
        hear(kind, peak=PEAKS[kind])
        for snr in snrs:
            hear(kind, snr, makers[UNDER], PEAKS[kind])
    for kind in wanted(iter(makers)):
        for snr in snrs:
            hear(kind, snr, makers[kind])
    for kind in wanted(iter(makers)) if minutes else ():
        wave = makers[kind](round(minutes * 60 * SAMPLE_RATE), np.random.default_rng(0))
        for snr in snrs:
            noise = captured(at_level(wave, NOMINAL_DB - snr))
            strays = _strays(rehearsal.segments(noise, config), (), len(noise))
            alone.append({"kind": kind, "level": NOMINAL_DB - snr, **strays.as_dict()})
            tell(f"{kind} alone: {alone[-1]}")
    return {
        "manifest": str(manifest), "model": config.stt.final.model, "settings": list(settings), "clips": len(said),
        "seeds": seeds, "minutes": minutes, "rows": rows, "alone": alone,
    }  # fmt: skip


def render(report: dict[str, Any]) -> str:
    """Return the tables as Markdown."""
    settings = "".join(f", {setting}" for setting in report["settings"])
    lines = [
        f"{report['model']}, {report['clips']} clips, seeds 1 to {report['seeds']}{settings}", "",
        "| speech under | SNR | speech in segments | clips missed | strays | refused | typed | strays/h | WER |",
        "|---|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for row in report["rows"]:
        snr = "" if row["snr"] is None else f"{row['snr']:g} dB"
        lines.append(
            f"| {row['kind']} | {snr} | {row['detected']:.1%} | {row['missed']} of {row['utterances']} "
            f"| {row['strays']} | {row['refused']} | {row['typed']} | {row['strays_an_hour']:.0f} | {row['wer']:.1%} |"
        )
    if report["alone"]:
        lines += [
            "", f"Nobody speaks, {report['minutes']:g} min each:", "",
            "| noise | level | segments | refused | typed | segments/h | typed/h |", "|---|---|---|---|---|---|---|",
        ]  # fmt: skip
    lines += [
        f"| {row['kind']} | {row['level']:g} dB | {row['strays']} | {row['refused']} | {row['typed']} "
        f"| {row['strays_an_hour']:.0f} | {row['typed_an_hour']:.0f} |"
        for row in report["alone"]
    ]
    return "\n".join(lines)


def levelled(piece: Composition) -> Composition:
    """Return a composition in which each utterance is at `NOMINAL_DB`; between two the gain glides."""
    times, gains = list[int](), list[float]()
    for utterance in piece.utterances:
        first, end = _span(utterance)
        times += [first, end]
        gains += [NOMINAL_DB - active_level(piece.samples[first:end])] * 2
    gain = 10 ** (np.interp(np.arange(len(piece.samples)), times, gains) / 20)
    return replace(piece, samples=(piece.samples * gain).astype(np.float32))


def mixed(samples: Samples, noise: Noise, snr: float, seed: int) -> Samples:
    """Return speech that is at `NOMINAL_DB` with noise `snr` dB below it; not clipped."""
    return samples + at_level(noise(len(samples), np.random.default_rng(seed)), NOMINAL_DB - snr)


@dataclass(frozen=True, slots=True)
class _Take:
    """How one recording was heard; samples and words."""

    spoken: int
    detected: int
    utterances: int
    missed: int
    words: int
    errors: float
    strays: Strays


def _take(piece: Composition, found: Sequence[Said], language: str) -> _Take:
    inside, speech = _masks(found, piece)
    typed = [segment for segment in found if segment.refused is None]
    events = [Event(each.at / SAMPLE_RATE, "final", each.text, number) for number, each in enumerate(typed)]
    judged = score(piece.utterances, events, language)
    return _Take(
        spoken=int(speech.sum()), detected=int((inside & speech).sum()), utterances=len(piece.utterances),
        missed=sum(not inside[slice(*_span(utterance))].any() for utterance in piece.utterances),
        words=judged.words, errors=judged.wer * judged.words,
        strays=_strays(found, piece.utterances, len(piece.samples)),
    )  # fmt: skip


def _row(takes: Sequence[_Take]) -> dict[str, Any]:
    return {
        "utterances": sum(take.utterances for take in takes), "missed": sum(take.missed for take in takes),
        "detected": round(sum(take.detected for take in takes) / sum(take.spoken for take in takes), 4),
        "wer": round(sum(take.errors for take in takes) / sum(take.words for take in takes), 4),
        **sum((take.strays for take in takes), Strays()).as_dict(),
    }  # fmt: skip


def _masks(found: Sequence[Said], piece: Composition) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return for each sample whether it is in a segment, and whether somebody speaks; natural pauses are no speech."""
    inside, speech = np.zeros(len(piece.samples), bool), np.zeros(len(piece.samples), bool)
    for segment in found:
        inside[segment.first : segment.end] = True
    for utterance in piece.utterances:
        speech[slice(*_span(utterance))] = True
        for begins, ends in utterance.pauses:
            speech[round(begins * SAMPLE_RATE) : round(ends * SAMPLE_RATE)] = False
    return inside, speech


def _strays(found: Sequence[Said], utterances: Sequence[Utterance], length: int) -> Strays:
    """Count the segments that no utterance reaches into."""
    spans = [_span(utterance) for utterance in utterances]
    strays = [each for each in found if not any(each.first < end and first < each.end for first, end in spans)]
    quiet = (length - sum(end - first for first, end in spans)) / SAMPLE_RATE
    return Strays(len(strays), sum(each.refused is not None for each in strays), quiet)


def _span(utterance: Utterance) -> tuple[int, int]:
    return round(utterance.onset * SAMPLE_RATE), round(utterance.offset * SAMPLE_RATE)


def _others(manifest: Path, said: Sequence[Clip]) -> tuple[list[Samples], list[Samples]]:
    """Return the other voices, and recordings in which nobody speaks."""
    voices, recordings = list[Samples](), list[Samples]()
    texts = {clip.text for clip in said}
    for _, line in lines(manifest):
        if line.text not in texts:
            (recordings if line.text == "" else voices).append(decode_file(manifest.parent / line.audio))
    return voices, recordings


def _check(kinds: Sequence[str], makers: dict[str, Noise], manifest: Path) -> None:
    for kind in kinds:
        if kind in ("babble", "voice", "recorded") and kind not in makers:
            wants = "with an empty text" if kind == "recorded" else "of another language or of unknown text"
            raise OpsError(f"{manifest}: has no clip {wants} to make {kind!r} of")
        if kind not in makers and kind not in PEAKS:
            raise OpsError(f"there is no noise or level {kind!r}; there are: {', '.join((*PEAKS, *makers))}")
