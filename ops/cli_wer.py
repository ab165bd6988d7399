"""`sottovoce bench wer` and `sottovoce bench guard`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sottovoce.ops.exceptions import EXIT_FAILED
from sottovoce.ops.output import JsonFlag, print_json

if TYPE_CHECKING:
    from sottovoce.protocol.config import Config

ManifestArgument = Annotated[Path, typer.Argument(help="Clips: a JSON object a line with audio, text, lang.")]
Threads = Annotated[int, typer.Option(min=1, max=64, help="Threads that decode.")]


def bench_wer(
    manifest: ManifestArgument,
    *,
    models: Annotated[
        str,
        typer.Option(help="Names with commas between; the others are compared with the first. Default: what types."),
    ] = "",
    language: Annotated[
        str, typer.Option(help="Only its clips, and the models are told. Default: all that the models know.")
    ] = "",
    threads: Threads = 1,
    clips: Annotated[int | None, typer.Option(min=1, help="How many of each language at most.")] = None,
    words: Annotated[bool, typer.Option("--words", help="Show the words that are wrong most often.")] = False,
    limit: Annotated[float, typer.Option(min=1, help="Seconds that a model may take to load, or for a clip.")] = 600.0,
    as_json: JsonFlag = False,
) -> None:
    """Word error rate, speed and memory of models, side by side on the same clips."""
    from sottovoce.ops import bench_wer as bench

    config = _config()
    report = bench.run(
        manifest, _chosen(models, config), language=language or None, threads=threads, clips=clips, words=words,
        limit_s=limit, memory=config.memory, tell=lambda line: print(line, file=sys.stderr),
    )  # fmt: skip
    if as_json:
        print_json(report)
    else:
        print(bench.render(report))
    if bench.failed(report):
        raise typer.Exit(EXIT_FAILED)


def bench_guard(
    manifest: ManifestArgument,
    *,
    model: Annotated[str, typer.Option(help="The recogniser. Default: what types.")] = "",
    threads: Threads = 1,
    pieces: Annotated[int, typer.Option(min=1, help="How many of each length, level and noise.")] = 3,
    as_json: JsonFlag = False,
) -> None:
    """What the guard refuses of speech in any language, and what it lets through of noise."""
    from sottovoce.ops import bench_guard as bench

    config = _config()
    (chosen,) = _chosen(model, config)[:1]
    report = bench.run(
        manifest, chosen, threads=threads, pieces=pieces, memory=config.memory,
        tell=lambda line: print(line, file=sys.stderr),
    )  # fmt: skip
    if as_json:
        print_json(report)
    else:
        print(bench.render(report))


def _config() -> Config:
    from sottovoce.protocol.config import load_config
    from sottovoce.protocol.paths import Paths

    return load_config(Paths.from_environment().config)


def _chosen(models: str, config: Config) -> list[str]:
    """Return the models that were named, or the one of the configuration whose text is typed."""
    return [name.strip() for name in models.split(",") if name.strip()] or [config.stt.final.model]
