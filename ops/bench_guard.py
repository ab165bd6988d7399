"""`sottovoce bench guard`: what the guard refuses of what people said, and what it lets through of what they did not.

- *speech*: every clip of the manifest in which somebody speaks, in all languages, at several levels and in noise, in
  the segments that the service would find. Nothing of it is to be refused, however wrong the text: a model that does
  not know a language makes words of its own of it, and they are for the person to see.
- *noise*: pieces of noise of 1 to 10 s, handed to the recogniser as if the detector had taken them for speech, which it
  mostly does not; and the same noises in the segments that it does find. Nothing of it is to be typed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from sottovoce.actors.audiofile import decode_file
from sottovoce.actors.detector import Detector
from sottovoce.actors.gain import Gain
from sottovoce.actors.guard import Evidence, compression_ratio, loudness, refuse
from sottovoce.actors.rehear import rehear
from sottovoce.actors.segmenter import Closed
from sottovoce.models import EngineSettings, SileroVad, Store, load_recogniser, spoken
from sottovoce.models.budget import admit
from sottovoce.ops.manifest import ManifestError, lines
from sottovoce.ops.noise import PEAKS, Noise, Samples, active_level, at_level, captured, noises
from sottovoce.protocol.clocks import SAMPLE_RATE
from sottovoce.protocol.config import MemoryConfig, VadConfig
from sottovoce.shm import FRAME_SAMPLES

PIECES_S: Final = (1.0, 2.0, 5.0, 10.0)
LEVELS_DB: Final = (-36.0, -46.0, -60.0)
"""Of noise: 10 and 20 dB under speech at the nominal level, and a quiet room."""
SNR_DB: Final = 10.0
"""Of speech in noise."""
NOISES: Final = ("fan", "typing", "music", "recorded")
"""That speech is mixed with, where they are to be had."""
Tell = Callable[[str], object]
_WORST: Final[dict[str, Callable[[Iterable[Any]], Any]]] = {
    "clips": sum, "segments": sum, "refused": sum, "sure": min, "level_db": min, "contrast_db": min, "rate": max,
    "compression": max, "ratio": min,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Judged:
    """One segment: what was heard, what is known of it, and what the guard says."""

    text: str
    seconds: float
    evidence: Evidence
    by_text: str | None
    """Why it is refused, by text and length alone."""
    by_level: str | None
    """By how loud it is, too."""
    reason: str | None
    """By all that is known."""


class Judge:
    """A recogniser, the detector and the guard.

    Args:
        model: the catalogue's name.
        threads: that decode.
        memory: how much the model may take, `[memory]` of the configuration; the defaults if None.

    Raises:
        ModelError: a model is not pulled, or may not or cannot be loaded.
    """

    def __init__(self, model: str, threads: int = 1, memory: MemoryConfig | None = None) -> None:
        store = Store()
        leave = admit(store, model, EngineSettings(threads=threads), memory or MemoryConfig())
        entry = store.catalogue[model]
        self._decode = rehear(load_recogniser(entry, leave.directory, leave.settings).decode)
        self._guard, self._language = entry.guard, spoken(entry, "")
        self._vad_config = VadConfig()
        self._detector = Detector(self._vad_config)
        self._vad = SileroVad(store.path(self._vad_config.model) / "silero_vad.onnx")

    def segments(self, samples: Samples) -> Iterator[Judged]:
        """Yield what the service would make of samples (float32, shape (n,), 16 kHz)."""
        self._detector.restart(0, 0)
        start = 0
        closed = list[Closed]()
        while start < len(samples):
            actions = self._detector.push(start, samples[start : start + FRAME_SAMPLES])
            closed += [action for action in actions if isinstance(action, Closed)]
            start = self._detector.position
        for each in (*closed, *self._detector.flush()):
            yield self.judge(samples[each.first : each.end])

    def judge(self, samples: Samples) -> Judged:
        """Decode a segment and ask the guard."""
        result = self._decode(samples)
        text, seconds = result.text.strip(), len(samples) / SAMPLE_RATE
        speech_s, sure = self._listen(samples)
        evidence = Evidence(
            loudness=loudness(samples), speech_s=speech_s, sure=sure, log_prob=result.log_prob,
            reheard=result.reheard, language=self._language, settings=self._guard,
        )  # fmt: skip
        alone = Evidence(
            log_prob=result.log_prob, reheard=result.reheard, language=self._language, settings=self._guard
        )
        level = msgspec.structs.replace(alone, loudness=evidence.loudness)
        reasons = [refuse(text, seconds, each) if text else "no words" for each in (alone, level, evidence)]
        return Judged(text, seconds, evidence, *reasons)

    def _listen(self, samples: Samples) -> tuple[float, float]:
        """Return the seconds that the VAD takes for speech, and its mean probability over them, 0 without any."""
        self._vad.reset()
        gain = Gain(self._vad_config.gain)
        heard, voiced = list[float](), False
        for start in range(0, len(samples), FRAME_SAMPLES):
            frame = samples[start : start + FRAME_SAMPLES]
            raised = np.pad(gain.raised(frame), (0, FRAME_SAMPLES - len(frame)))
            probability = self._vad.probability(raised)
            voiced = probability >= (self._vad_config.release if voiced else self._vad_config.threshold)
            heard += [probability] * voiced
        return len(heard) * FRAME_SAMPLES / SAMPLE_RATE, float(np.mean(heard)) if heard else 0.0


def run(
    manifest: Path, model: str, *, threads: int = 1, pieces: int = 3, memory: MemoryConfig | None = None,
    tell: Tell = lambda _: None,
) -> dict[str, Any]:  # fmt: skip
    """Return both tables.

    Args:
        manifest: clips, a JSON object a line: `audio`, `text` (empty: nobody speaks), `lang`.
        model: the recogniser.
        threads: that decode.
        pieces: how many of each length, level and noise.
        memory: how much the model may take, `[memory]` of the configuration; the defaults if None.
        tell: is called with a line of progress.

    Raises:
        ManifestError: it cannot be read, a line is wrong, or nobody speaks in any of its clips.
        AudioFileError: a clip cannot be read.
        ModelError: a model is not pulled, or cannot be loaded.
    """
    clips, recordings = _read(manifest)
    judge = Judge(model, threads, memory)
    makers = noises((), recordings)
    speech = list[dict[str, Any]]()
    for name, change in _conditions(makers):
        for language, found in clips.items():
            judged = [each for number, clip in enumerate(found) for each in judge.segments(change(clip, number))]
            speech.append({"condition": name, "language": language, "clips": len(found), **_speech(judged)})
            tell(f"speech, {name}, {language}: {speech[-1]['refused']} of {speech[-1]['segments']} refused")
    noise = list[dict[str, Any]]()
    for kind, maker in {**makers, "white": _white, "silence": _silence}.items():
        forced, segments = list[Judged](), list[Judged]()
        for level in LEVELS_DB:
            wave = maker(round(sum(PIECES_S) * pieces * SAMPLE_RATE), np.random.default_rng(0))
            samples = captured(wave if kind == "silence" else at_level(wave, level))
            forced += [judge.judge(piece) for piece in _cut(samples, pieces)]
            segments += judge.segments(samples)
        noise.append({"kind": kind, "forced": _noise(forced), "detected": _noise(segments)})
        tell(f"noise, {kind}: {noise[-1]}")
    return {"manifest": str(manifest), "model": model, "speech": speech, "noise": noise}


def render(report: dict[str, Any]) -> str:
    """Return the tables as Markdown."""
    lines = [
        report["model"], "",
        "| speech | in | clips | segments | refused | least sure | softest | evenest | letters/s | zlib | speech |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for condition in dict.fromkeys(row["condition"] for row in report["speech"]):
        rows = [row for row in report["speech"] if row["condition"] == condition and row["segments"]]
        refused = "".join(f" ({row['language']}: {_why(row)})" for row in rows if row["refused"])
        worst = {key: pick(row[key] for row in rows) for key, pick in _WORST.items()}
        lines.append(
            f"| {condition} | {', '.join(row['language'] for row in rows)} | {worst['clips']} | {worst['segments']} "
            f"| {worst['refused']}{refused} | {worst['sure']:.2f} | {worst['level_db']:.0f} dB "
            f"| {worst['contrast_db']:.0f} dB | {worst['rate']:.0f} | {worst['compression']:.2f} "
            f"| {worst['ratio']:.0%} |"
        )
    lines += [
        "", "| noise | pieces | with words | refused by text | and level | and VAD | left | segments | typed | why |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for row in report["noise"]:
        forced, found = row["forced"], row["detected"]
        lines.append(
            f"| {row['kind']} | {forced['segments']} | {forced['texts']} | {forced['by_text']} | {forced['by_level']} "
            f"| {forced['refused']} | {forced['typed']} | {found['segments']} | {found['typed']} | {_why(forced)} |"
        )
    return "\n".join(lines)


def _conditions(makers: dict[str, Noise]) -> Iterator[tuple[str, Callable[[Samples, int], Samples]]]:
    """Yield each way of being recorded, with the function from a clip and its number to what is heard."""
    yield "as it is", lambda clip, _: clip
    for name, peak in PEAKS.items():
        yield name, partial(_at_peak, peak=peak)
    for name in NOISES:
        if name in makers:
            yield f"{name}, {SNR_DB:g} dB", partial(_mixed, noise=makers[name])


def _at_peak(clip: Samples, _: int, *, peak: float) -> Samples:
    return captured(clip, peak)


def _mixed(clip: Samples, number: int, *, noise: Noise) -> Samples:
    level = active_level(clip) - SNR_DB
    return captured(clip + at_level(noise(len(clip), np.random.default_rng(number)), level))


def _white(length: int, rng: np.random.Generator) -> Any:
    return rng.standard_normal(length)


def _silence(length: int, _: np.random.Generator) -> Any:
    return np.zeros(length)


def _cut(samples: Samples, pieces: int) -> Iterator[Samples]:
    start = 0
    for seconds in PIECES_S:
        for _ in range(pieces):
            end = start + round(seconds * SAMPLE_RATE)
            yield samples[start:end]
            start = end


def _speech(judged: Sequence[Judged]) -> dict[str, Any]:
    """Sum up segments in which somebody speaks: what was refused, and how near the others came to it."""
    words = [each for each in judged if each.text]
    loud = [each.evidence.loudness for each in judged if each.evidence.loudness is not None]
    return {
        "segments": len(judged), "refused": sum(each.reason is not None for each in judged),
        "reasons": _reasons(judged),
        "sure": min((each.evidence.sure or 0.0 for each in judged), default=0.0),
        "level_db": min((each.level_db for each in loud), default=0.0),
        "contrast_db": min((each.contrast_db for each in loud), default=0.0),
        "rate": max((len(each.text) / each.seconds for each in words), default=0.0),
        "compression": max((compression_ratio(each.text) for each in words), default=0.0),
        "ratio": min(((each.evidence.speech_s or 0.0) / each.seconds for each in judged), default=0.0),
    }  # fmt: skip


def _noise(judged: Sequence[Judged]) -> dict[str, Any]:
    """Sum up segments in which nobody speaks."""
    return {
        "segments": len(judged), "texts": sum(bool(each.text) for each in judged),
        "by_text": sum(bool(each.text) and each.by_text is not None for each in judged),
        "by_level": sum(bool(each.text) and each.by_level is not None for each in judged),
        "refused": sum(bool(each.text) and each.reason is not None for each in judged),
        "typed": sum(each.reason is None for each in judged), "reasons": _reasons(judged),
        "typed_texts": [each.text for each in judged if each.reason is None],
    }  # fmt: skip


def _reasons(judged: Sequence[Judged]) -> dict[str, int]:
    """Count the reasons, without their figures."""
    return dict(Counter(_kind(each.reason) for each in judged if each.text and each.reason))


def _kind(reason: str) -> str:
    return re.sub(
        r" \(.*\)|(?<=said) in .*|speech in .*", lambda found: "clicks" if "speech" in found[0] else "", reason
    )


def _why(row: dict[str, Any]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in row["reasons"].items())


def _read(manifest: Path) -> tuple[dict[str, list[Samples]], list[Samples]]:
    """Return the clips in which somebody speaks, by language, and those in which nobody does."""
    clips: dict[str, list[Samples]] = {}
    recordings = list[Samples]()
    for _, line in lines(manifest):
        samples = decode_file(manifest.parent / line.audio)
        (recordings if line.text == "" else clips.setdefault(line.lang or "?", [])).append(samples)
    if not clips:
        raise ManifestError(f"{manifest}: nobody speaks in any of its clips")
    return clips, recordings
