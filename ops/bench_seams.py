"""`sottovoce bench seams`: what is lost, doubled or wrongly written where speech is parted into segments.

Both kinds of speech are made of clips and transcribed as the service does it (`ops.transcribe`); `ops.seams` judges:

- *long*: minutes without a pause. The clips of a speaker, in many orders, follow each other at 60 to 200 ms, and no
  quiet within them is longer than 0.25 s; with `[vad] endpoint = 2`, for where a voice fades the VAD takes it for
  silence, only `[vad] max_segment` ends a segment. What the seams cost is the word error rate of the whole over that of
  the same clips one by one;
- *resumed*: somebody stops in the midst of a sentence for longer than the endpoint, and then goes on. A silence is
  put into each clip at some places where one word ends and another begins.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sottovoce.ops.bench_latency import configuration
from sottovoce.ops.compose import Clip, faded, partings, quiet_runs, read_manifest
from sottovoce.ops.score import levenshtein, normaliser
from sottovoce.ops.seams import Seam, judge
from sottovoce.ops.transcribe import Piece, Transcriber
from sottovoce.protocol.clocks import SAMPLE_RATE

GAP_S: Final = (0.06, 0.2)
"""Between two sentences of who does not pause."""
LONGEST_QUIET_S: Final = 0.25
SILENCE_S: Final = (0.6, 1.0)
"""Of who stops and goes on: longer than the silence that closes a segment as a rule."""
_KEPT: Final = SAMPLE_RATE // 10  # of a quiet that is shortened, on each side
_AROUND: Final = SAMPLE_RATE // 50  # of the 50 ms around a trimmed clip, so much is cut off
_ENDPOINT: Final = "vad.endpoint=2.0"
_UNCUT: Final = "vad.max_segment=60.0"
_PART_EVERY_S: Final = 4.0
_APART_S: Final = 1.2
_SHORTEST_S: Final = 2.5  # nobody stops in the midst of a shorter one
_QUIETEST: Final = 25  # of all places of a clip without word times, every so manyth; more of them are within words
_CLIP_GAP_S: Final = 1.6  # no context reaches over it
_NOISE: Final = 3e-4  # rms, -70 dBFS: a quiet room before a headset

Samples = NDArray[np.float32]
Tell = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Speech:
    """A recording, and what is said in it."""

    samples: Samples
    """float32, shape (n,), 16 kHz."""
    said: list[str]
    """The reference of each clip, in order."""
    alone: list[Samples]
    """Each clip, as it is in the recording but for what was put into it."""


def run(
    manifest: Path, *, language: str, clips: int | None = None, seeds: int = 2, minutes: float = 2.0,
    settings: Sequence[str] = (), tell: Tell = lambda _: None,
) -> dict[str, Any]:  # fmt: skip
    """Return the figures of both kinds, and every seam.

    Args:
        manifest: as of `read_manifest`.
        language: which clips.
        clips: how many at most.
        seeds: how many orders and choices of places.
        minutes: how long each speaker speaks.
        settings: `KEY=VALUE` of the configuration.
        tell: takes a line of progress.

    Raises:
        ManifestError, AudioFileError, ConfigError, ModelMissing, OpsError: as the parts of it say.
    """
    _, config = configuration(settings)
    found = read_manifest(manifest, language, clips)
    transcribers = {
        "long": Transcriber(configuration([_ENDPOINT, *settings])[1]),
        "resumed": Transcriber(config),
        "alone": Transcriber(configuration([*settings, _ENDPOINT, _UNCUT])[1]),
    }
    report: dict[str, Any] = {
        "manifest": str(manifest), "clips": len(found), "seeds": seeds, "minutes": minutes, "settings": list(settings),
        "model": config.stt.final.model,
    }  # fmt: skip
    known: dict[bytes, str] = {}

    def alone(samples: Samples) -> str:
        """Return what is typed for a clip by itself; each is transcribed once."""
        key = samples.tobytes()
        if key not in known:
            quiet = np.zeros(SAMPLE_RATE, np.float32)
            known[key] = "".join(
                piece.text
                for piece in transcribers["alone"].pieces(_in_a_room([quiet, samples, quiet], random.Random(0)))
            )
        return known[key]

    kinds = {"long": monologues(found, seeds=seeds, seconds=60 * minutes), "resumed": interrupted(found, seeds=seeds)}
    for kind, speeches in kinds.items():
        rows = []
        for speech in speeches:
            pieces = list(transcribers[kind].pieces(speech.samples))
            rows.append(_row(speech, pieces, [alone(clip) for clip in speech.alone], language))
            tell(f"{kind}: {rows[-1][0]}")
        report[kind] = _summary([row for row, _ in rows], [seam for _, seams in rows for seam in seams])
    return report


def monologues(clips: Sequence[Clip], *, seeds: int, seconds: float) -> Iterator[Speech]:
    """Yield for each speaker and seed a speech without a pause.

    Clips whose names begin alike up to the first hyphen are taken to be one speaker's, as in LibriSpeech and LJ Speech;
    a speaker with one clip does not make a speech.
    """
    speakers: defaultdict[str, list[Clip]] = defaultdict(list)
    for clip in clips:
        speakers[re.split(r"[-_.]", clip.audio.name)[0]].append(clip)
    for seed in range(1, seeds + 1):
        for mine in speakers.values():
            if len(mine) > 1:
                yield _monologue(mine, random.Random(seed), seconds)


def _monologue(clips: Sequence[Clip], rng: random.Random, seconds: float) -> Speech:
    pieces = [_fluent(clip) for clip in clips]
    order, length = list[int](), 0
    while length < seconds * SAMPLE_RATE:
        turn = rng.sample(range(len(clips)), len(clips))
        if order and turn[0] == order[-1]:
            turn.reverse()
        order += turn
        length += sum(len(pieces[number]) for number in turn)
    parts = [np.zeros(SAMPLE_RATE, np.float32)]
    for number in order:
        gap = round((rng.uniform(*GAP_S) - 0.06) * SAMPLE_RATE)  # 60 ms are the clips' own
        parts += [pieces[number], np.zeros(gap, np.float32)]
    parts.append(np.zeros(2 * SAMPLE_RATE, np.float32))
    return Speech(_in_a_room(parts, rng), [clips[n].text for n in order], [pieces[n] for n in order])


def interrupted(clips: Sequence[Clip], *, seeds: int) -> Iterator[Speech]:
    """Yield for each seed all clips, with silences put into them."""
    for seed in range(1, seeds + 1):
        rng = random.Random(seed)
        parts, alone = [np.zeros(SAMPLE_RATE, np.float32)], []
        for clip in clips:
            piece, points = partings(clip)
            alone.append(piece)
            points = points if clip.words else points[: len(points) // _QUIETEST]
            rng.shuffle(points)
            chosen = list[int]()
            if len(piece) < _SHORTEST_S * SAMPLE_RATE:
                points = []
            for point in points:
                if all(abs(point - other) >= _APART_S * SAMPLE_RATE for other in chosen):
                    chosen.append(point)
            chosen = sorted(chosen[: max(1, round(len(piece) / SAMPLE_RATE / _PART_EVERY_S))])
            for first, end in zip([0, *chosen], [*chosen, len(piece)], strict=True):
                silence = rng.uniform(*SILENCE_S) if end < len(piece) else _CLIP_GAP_S
                parts += [faded(piece[first:end]), np.zeros(round(silence * SAMPLE_RATE), np.float32)]
        yield Speech(_in_a_room(parts, rng), [clip.text for clip in clips], alone)


def _fluent(clip: Clip) -> Samples:
    """Return a clip without the silence around it and with no long pause in it."""
    piece = partings(clip)[0][_AROUND:-_AROUND]
    parts, at = [], 0
    for first, end in quiet_runs(piece, LONGEST_QUIET_S):
        parts.append(faded(piece[at : first + _KEPT]))
        at = end - _KEPT
    return np.concatenate([*parts, faded(piece[at:])])


def _in_a_room(parts: Sequence[Samples], rng: random.Random) -> Samples:
    samples = np.concatenate(parts)
    noise = np.random.default_rng(rng.randrange(2**32)).standard_normal(len(samples), np.float32)
    return np.clip(samples + noise * np.float32(_NOISE), -1.0, 1.0)


def _row(
    speech: Speech, pieces: Sequence[Piece], alone: Sequence[str], language: str
) -> tuple[dict[str, Any], list[Seam]]:
    words = normaliser(language)
    reference = words(" ".join(speech.said))
    edits = [
        levenshtein().distance(reference, words(text)) for text in ("".join(p.text for p in pieces), " ".join(alone))
    ]
    row = {
        "seconds": round(len(speech.samples) / SAMPLE_RATE, 1), "segments": len(pieces),
        "cuts": sum(piece.reason == "length" for piece in pieces),
        "words": len(reference), "edits": edits[0], "edits_alone": edits[1],
    }  # fmt: skip
    return row, judge(speech.said, alone, pieces)


def _summary(rows: Sequence[dict[str, Any]], seams: Sequence[Seam]) -> dict[str, Any]:
    """Add up; seams where a clip ends in a long silence are nobody's: what is told of *resumed* are those inside."""
    total = {key: sum(row[key] for row in rows) for key in rows[0]} if rows else {}
    told = [seam for seam in seams if seam.inside or seam.reason == "length"]
    words = max(1, total.get("words", 0))
    return {
        **total,
        "wer": round(total.get("edits", 0) / words, 4), "wer_alone": round(total.get("edits_alone", 0) / words, 4),
        "seams": len(told), "inside": sum(seam.inside for seam in told),
        **{
            name: sum(int(getattr(seam, name)) for seam in told)
            for name in ("lost", "wrong", "doubled", "capital", "stop", "stop_missing")
        },
        "found": [asdict(seam) for seam in told],
    }  # fmt: skip


def render(report: dict[str, Any]) -> str:
    """Return the figures as a Markdown table."""
    lines = [
        "| speech | seconds | seams | in mid-sentence | WER | one by one | lost | wrong | doubled | capital | stop |"
        " no stop |",
        "|---" * 12 + "|",
    ]
    for kind in ("long", "resumed"):
        row = report[kind]
        lines.append(
            f"| {kind} | {row['seconds']:.0f} | {row['seams']} | {row['inside']} | {row['wer']:.1%} "
            f"| {row['wer_alone']:.1%} | {row['lost']} | {row['wrong']} | {row['doubled']} | {row['capital']} "
            f"| {row['stop']} | {row['stop_missing']} |"
        )
    return "\n".join(lines)
