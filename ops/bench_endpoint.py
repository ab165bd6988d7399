"""`sottovoce bench endpoint` and `sottovoce bench padding`: what the numbers of `[vad]` are chosen by.

Both compose dictation from clips (`ops.compose`), with several seeds, and rehearse it (`ops.rehearsal`):

- *endpoint*: fixed silences and the profiles, on fluent speech and with pauses put between words; for each, how many
  utterances are cut, and how long the text is in coming. Profiles are worth something where their point lies below the
  curve of the fixed silences;
- *padding*: what is kept from before and after speech, against the word error rate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from sottovoce.actors.endpoint import PROFILES
from sottovoce.ops.compose import Composition, compose, read_manifest
from sottovoce.ops.rehearsal import Rehearsal, Said
from sottovoce.ops.score import Event, Score, percentile, score
from sottovoce.protocol.clocks import SAMPLE_RATE
from sottovoce.protocol.config import Config

SILENCES_S: Final = (0.2, 0.3, 0.36, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0, 1.2)
TAILS_S: Final = (0.032, 0.064, 0.096, 0.16, 0.32)
PREROLLS_S: Final = (0.05, 0.1, 0.2, 0.3)
GAPS_S: Final = (1.6, 0.8)
PADDING_ENDPOINT_S: Final = 0.5

Tell = Callable[[str], object]


def endpoint(
    manifest: Path, *, language: str, clips: int | None, seeds: int, tell: Tell = lambda _: None
) -> dict[str, Any]:
    """Return a row for each silence and profile.

    Raises:
        ManifestError, AudioFileError, ModelMissing, OpsError: as `compose`, `Rehearsal` and `score` say.
    """
    said = read_manifest(manifest, language, clips)
    rows = []
    rehearsal = Rehearsal(Config())
    for silence in (*SILENCES_S, *PROFILES):
        config = _with(pause=min(0.096, silence) if isinstance(silence, float) else 0.096, endpoint=silence)
        row: dict[str, Any] = {"endpoint": silence}
        for kind, hesitation in (("fluent", False), ("hesitant", True)):
            pieces = [
                compose(said, gap_s=gap, seed=seed, hesitation=hesitation)
                for seed in range(1, seeds + 1)
                for gap in ((GAPS_S[0],) if hesitation else GAPS_S)
            ]
            row[kind] = _summary([_score(piece, rehearsal.run(piece.samples, config), language) for piece in pieces])
        tell(f"{silence}: {row}")
        rows.append(row)
    return {"manifest": str(manifest), "clips": len(said), "seeds": seeds, "rows": rows}


def padding(
    manifest: Path, *, language: str, clips: int | None, seeds: int, tell: Tell = lambda _: None
) -> dict[str, Any]:
    """Return a row for each pre-roll and tail.

    Raises:
        ManifestError, AudioFileError, ModelMissing, OpsError: as `compose`, `Rehearsal` and `score` say.
    """
    said = read_manifest(manifest, language, clips)
    pieces = [compose(said, gap_s=gap, seed=seed) for seed in range(1, seeds + 1) for gap in GAPS_S]
    rows = []
    rehearsal = Rehearsal(Config())
    for tail in TAILS_S:
        for preroll in PREROLLS_S:
            config = _with(pause=tail, tail=tail, preroll=preroll, endpoint=PADDING_ENDPOINT_S)
            scores = [_score(piece, rehearsal.run(piece.samples, config), language) for piece in pieces]
            rows.append({"tail": tail, "preroll": preroll, "wer": _wer(scores)})
            tell(f"tail {tail:g} s, pre-roll {preroll:g} s: WER {rows[-1]['wer']:.2%}")
    return {"manifest": str(manifest), "clips": len(said), "seeds": seeds, "rows": rows}


def render_endpoint(report: dict[str, Any]) -> str:
    """Return the rows as a Markdown table."""
    lines = [
        "| endpoint | TTFS p50 / p95 | finals of | cut | pauses cut | TTFS p50 / p95, hesitant | WER | WER, hesitant |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in report["rows"]:
        fluent, hesitant = row["fluent"], row["hesitant"]
        lines.append(
            f"| {row['endpoint']} | {fluent['ttfs_p50']:.2f} / {fluent['ttfs_p95']:.2f} "
            f"| {fluent['finals']} of {fluent['utterances']} | {fluent['cut']} "
            f"| {hesitant['pauses_cut']} of {hesitant['pauses']} "
            f"| {hesitant['ttfs_p50']:.2f} / {hesitant['ttfs_p95']:.2f} | {fluent['wer']:.1%} | {hesitant['wer']:.1%} |"
        )
    return "\n".join(lines)


def render_padding(report: dict[str, Any]) -> str:
    """Return the rows as a Markdown table of word error rates."""
    found = {(row["tail"], row["preroll"]): row["wer"] for row in report["rows"]}
    lines = ["| tail | " + " | ".join(f"pre-roll {preroll:g} s" for preroll in PREROLLS_S) + " |"]
    lines.append("|---" * (1 + len(PREROLLS_S)) + "|")
    lines += [
        f"| {tail:g} s | " + " | ".join(f"{found[tail, preroll]:.2%}" for preroll in PREROLLS_S) + " |"
        for tail in TAILS_S
    ]
    return "\n".join(lines)


def _with(**changes: Any) -> Config:
    config = Config()
    return msgspec.structs.replace(config, vad=msgspec.structs.replace(config.vad, **changes))


def _score(piece: Composition, said: Sequence[Said], language: str) -> Score:
    return score(piece.utterances, list(_events(said)), language)


def _events(said: Sequence[Said]) -> Iterator[Event]:
    for number, segment in enumerate(said):
        yield Event(segment.at / SAMPLE_RATE, "final", segment.text, number)


def _wer(scores: Sequence[Score]) -> float:
    return sum(each.wer * each.words for each in scores) / sum(each.words for each in scores)


def _summary(scores: Sequence[Score]) -> dict[str, float | int | None]:
    waits = [heard.ttfs for each in scores for heard in each.heard]
    return {
        "utterances": sum(each.utterances for each in scores), "finals": sum(each.finals for each in scores),
        "cut": sum(each.cut for each in scores), "merged": sum(each.merged for each in scores),
        "pauses": sum(each.pauses for each in scores), "pauses_cut": sum(each.pauses_cut for each in scores),
        "ttfs_p50": percentile(waits, 50), "ttfs_p95": percentile(waits, 95), "wer": _wer(scores),
    }  # fmt: skip
