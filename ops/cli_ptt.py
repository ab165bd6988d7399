"""`sottovoce ptt` and `sottovoce bench ptt`: push-to-talk, and how long its text takes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from sottovoce.ops.entry import edge
from sottovoce.ops.output import JsonFlag, print_json

ptt_app = typer.Typer(help="Push-to-talk: bind `down` to a key's press and `up` to its release.", no_args_is_help=True)


@ptt_app.command()
def down(as_json: JsonFlag = False) -> None:
    """The key went down: begin to record. Once more while it is down changes nothing."""
    edge("down", as_json=as_json)


@ptt_app.command()
def up(as_json: JsonFlag = False) -> None:
    """The key went up: end what `down` began, and type the rest at once. No other recording is ended."""
    edge("up", as_json=as_json)


def bench_ptt(
    audio: Annotated[Path | None, typer.Argument(help="A recording; by default ten seconds of Beckett.")] = None,
    releases: Annotated[int, typer.Option(min=1, max=1000, help="How many times the key is pressed.")] = 10,
    as_json: JsonFlag = False,
) -> None:
    """Release the key at points all over a recording, with a service of its own: seconds until the text is typed."""
    from sottovoce.ops import ptt_latency as bench

    report = bench.measure(audio, releases, tell=lambda line: print(line, file=sys.stderr))
    if as_json:
        print_json(report)
    else:
        print(bench.render(report))
