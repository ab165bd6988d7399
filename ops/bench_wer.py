"""`sottovoce bench wer`: how many words models get wrong, how long they take for it and how much memory.

Each model hears the same clips, whole, in a process of its own (`ops.wer_process`): its memory is its own, and a model
that ends its process is told of and ends nothing else. No service, no detector, no guard: the model is measured.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from sottovoce.models import Store, require_language
from sottovoce.ops.compose import Clip, read_manifest
from sottovoce.ops.exceptions import OpsError
from sottovoce.ops.manifest import ManifestError, lines
from sottovoce.ops.score import normaliser
from sottovoce.ops.wer import Edits, confusions, edits, interval, raw
from sottovoce.ops.wer_process import LIMIT_S, Job, Tell, hear
from sottovoce.protocol.config import MemoryConfig

ALL: Final = "all"
"""The row of all languages together."""
WORDS: Final = 20
"""So many wrong words are told."""


@dataclass(frozen=True, slots=True)
class _Compared:
    """One clip against its text."""

    language: str
    plain: Edits
    written: Edits


def run(
    manifest: Path, models: Sequence[str], *, language: str | None = None, threads: int = 1, clips: int | None = None,
    words: bool = False, limit_s: float = LIMIT_S, memory: MemoryConfig | None = None,
    tell: Tell = lambda _: None,
) -> dict[str, Any]:  # fmt: skip
    """Run the benchmark.

    Args:
        manifest: see `compose.read_manifest`; clips without a text are left out.
        models: the catalogue's names; the first is what the others are compared with.
        language: only its clips, and the models are told so; else the clips of all languages that all the models know,
            which they have to find out.
        threads: that decode.
        clips: how many of each language at most.
        words: also return the words that were wrong most often, and what was heard of each clip.
        limit_s: longest that a model may take to load, or for one clip.
        memory: how much a model may take, `[memory]` of the configuration; the defaults if None.
        tell: is called with a line of progress.

    Returns:
        What `docs/benchmarks.md` lists. A model that failed has `failed`, and no rows.

    Raises:
        ManifestError: it cannot be read, or has no clip that is asked for.
        AudioFileError: a clip cannot be read.
        ModelError: a model is not known or not pulled, or does not know `language`.
        OpsError: a package that this needs is not installed; a model is named twice.
    """
    store = Store()
    if len(set(models)) != len(models) or not models:
        raise OpsError(f"name each model once, and at least one, not {', '.join(models) or 'none'}")
    entries = [store.catalogue[model] for model in models]
    for entry in entries:
        if entry.task != "asr":
            raise OpsError(f"model {entry.name} is for {entry.task} and recognises no speech")
        store.path(entry.name)
        if language is not None:
            require_language(entry, language, store.catalogue)
    normaliser(language or "en")  # a package that is not there is told now
    edits((), ())
    known = {
        each: [entry.name for entry in entries if entry.languages and each not in entry.languages]
        for each in ([language] if language is not None else _languages(manifest))
    }
    chosen = {each: read_manifest(manifest, each, clips) for each, unknown in known.items() if not unknown}
    if not chosen:
        raise ManifestError(f"{manifest}: has no clip in a language that is known to {' and '.join(models)}")
    flat = [(each, clip) for each, found in chosen.items() for clip in found]
    report: dict[str, Any] = {
        "manifest": str(manifest), "told": language or "", "threads": threads, "clips": len(flat),
        "languages": list(chosen), "left_out": {each: unknown for each, unknown in known.items() if unknown},
        "models": [], "differences": [],
    }  # fmt: skip
    compared: dict[str, list[_Compared]] = {}
    for model in models:
        tell(f"{model}: {len(flat)} clips")
        job = Job(model, threads, language or "", [clip.audio for _, clip in flat], memory or MemoryConfig())
        heard = hear(job, limit_s=limit_s, tell=tell)
        row: dict[str, Any] = {
            "model": model, "failed": heard.failed, "audio_s": round(heard.audio_s, 3),
            "decode_s": round(heard.decode_s, 3),
            "rtf": round(heard.decode_s / heard.audio_s, 4) if heard.audio_s else None,
            **heard.loaded, **heard.memory, "rows": [],
        }  # fmt: skip
        report["models"].append(row)
        if heard.failed is None:
            compared[model] = [_compare(each, clip, text) for (each, clip), text in zip(flat, heard.texts, strict=True)]
            row["rows"] = _rows(compared[model])
            row["by_clip"] = [
                {"audio": clip.audio.name, "language": each, **asdict(one.plain), "raw_errors": one.written.errors}
                | ({"text": clip.text, "heard": text} if words else {})
                for (each, clip), one, text in zip(flat, compared[model], heard.texts, strict=True)
            ]
            if words:
                row["words"] = _wrong(flat, heard.texts)
    for model in models[1:]:
        if model in compared and models[0] in compared:
            report["differences"] += _differences(models[0], model, compared)
    return report


def render(report: dict[str, Any]) -> str:
    """Return the tables as Markdown."""
    told = f", told that it is {report['told']}" if report["told"] else ""
    lines = [
        f"{report['clips']} clips, {report['threads']} thread{'s' * (report['threads'] > 1)}{told}", "",
        "| model | language | clips | words | WER | 95 % | wrong | too many | missing | raw WER |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    lines += [
        f"| {model['model']} | {row['language']} | {row['clips']} | {row['words']} | {row['wer']:.2%} "
        f"| {row['interval'][0]:.1%} to {row['interval'][1]:.1%} | {row['substitutions']} | {row['insertions']} "
        f"| {row['deletions']} | {row['raw_wer']:.2%} |"
        for model in report["models"]
        for row in model["rows"]
    ]
    lines += [
        "", "| model | load | warm-up | real-time factor | memory before | loaded | at the end | peak |",
        "|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    lines += [
        f"| {model['model']} | {model['load_s']:.2f} s | {model['warm_up_s']:.2f} s | {model['rtf']:.3f} "
        f"| {model['before_mib']:.0f} MiB | {model['loaded_mib']:.0f} MiB | {model['pss_mib']:.0f} MiB "
        f"| {model['peak_mib']:.0f} MiB |"
        for model in report["models"]
        if model["failed"] is None
    ]
    if report["differences"]:
        lines += ["", "| | language | difference | 95 % | |", "|---|---|---|---|---|"]
    lines += [
        f"| {row['model']} against {row['against']} | {row['language']} | {row['difference']:+.2%} "
        f"| {row['interval'][0]:+.1%} to {row['interval'][1]:+.1%} | {row['verdict']} |"
        for row in report["differences"]
    ]
    for model in report["models"]:
        if unknown := [each for each, names in report["left_out"].items() if model["model"] in names]:
            lines += ["", f"Left out: the clips in {', '.join(unknown)}, which {model['model']} does not know."]
    for model in report["models"]:
        if model["failed"] is not None:
            lines += ["", f"{model['model']} failed: {model['failed']}"]
        if model.get("words"):
            lines += [
                "",
                f"What {model['model']} gets wrong most often:",
                "",
                "| said | heard | times |",
                "|---|---|---|",
            ]
        lines += [f"| {row['said']} | {row['heard']} | {row['times']} |" for row in model.get("words", ())]
    return "\n".join(lines)


def failed(report: dict[str, Any]) -> bool:
    """Tell whether a model failed."""
    return any(model["failed"] is not None for model in report["models"])


def _languages(manifest: Path) -> list[str]:
    """Return the languages of the clips that have a text."""
    return sorted({line.lang for _, line in lines(manifest) if line.text and line.lang})


def _compare(language: str, clip: Clip, text: str) -> _Compared:
    words = normaliser(language)
    return _Compared(language, edits(words(clip.text), words(text)), edits(raw(clip.text), raw(text)))


def _groups(compared: Sequence[_Compared]) -> Iterator[tuple[str, list[int]]]:
    """Yield each language with its clips' numbers, and all together if there are several."""
    languages = list(dict.fromkeys(one.language for one in compared))
    for language in languages:
        yield language, [at for at, one in enumerate(compared) if one.language == language]
    if len(languages) > 1:
        yield ALL, list(range(len(compared)))


def _rows(compared: Sequence[_Compared]) -> list[dict[str, Any]]:
    rows = []
    for language, numbers in _groups(compared):
        plain = sum((compared[at].plain for at in numbers), Edits())
        written = sum((compared[at].written for at in numbers), Edits())
        bounds = interval(
            [compared[at].plain.errors for at in numbers], [compared[at].plain.words for at in numbers]
        )  # fmt: skip
        rows.append(
            {
                "language": language, "clips": len(numbers), **asdict(plain), "wer": round(plain.rate, 4),
                "interval": [round(bound, 4) for bound in bounds],
                "raw_words": written.words, "raw_errors": written.errors, "raw_wer": round(written.rate, 4),
            }
        )  # fmt: skip
    return rows


def _differences(first: str, second: str, compared: dict[str, list[_Compared]]) -> list[dict[str, Any]]:
    """Compare two models on the same clips; below zero the second is better."""
    rows = []
    for language, numbers in _groups(compared[first]):
        mine, theirs = ([compared[model][at].plain for at in numbers] for model in (second, first))
        words = sum(edit.words for edit in mine)
        low, high = interval(
            [edit.errors for edit in mine], [edit.words for edit in mine], [edit.errors for edit in theirs]
        )
        sure = "better" if high < 0 else "worse" if low > 0 else "no sure difference"
        rows.append(
            {
                "model": second, "against": first, "language": language, "clips": len(numbers),
                "difference": round(sum(a.errors - b.errors for a, b in zip(mine, theirs, strict=True)) / words, 4),
                "interval": [round(low, 4), round(high, 4)], "verdict": sure,
            }
        )  # fmt: skip
    return rows


def _wrong(flat: Sequence[tuple[str, Clip]], texts: Sequence[str]) -> list[dict[str, Any]]:
    """Return what was heard wrongly most often."""
    counts = Counter[tuple[str, str]]()
    for (language, clip), text in zip(flat, texts, strict=True):
        words = normaliser(language)
        counts += confusions(words(clip.text), words(text))
    common = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:WORDS]
    return [{"said": said, "heard": heard, "times": times} for (said, heard), times in common]
