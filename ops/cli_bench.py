"""`sottovoce bench ...`: what each benchmark needs is imported when it runs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from sottovoce.ops.cli_ptt import bench_ptt
from sottovoce.ops.cli_rules import bench_transform
from sottovoce.ops.cli_wer import bench_guard, bench_wer
from sottovoce.ops.exceptions import EXIT_FAILED
from sottovoce.ops.output import JsonFlag, print_json

bench_app = typer.Typer(help="Benchmarks.", no_args_is_help=True)
bench_app.command("ptt")(bench_ptt)
bench_app.command("wer")(bench_wer)
bench_app.command("guard")(bench_guard)
bench_app.command("transform")(bench_transform)

Manifest = Annotated[Path, typer.Option(help="Clips: a JSON object a line with audio, text, lang, maybe words.")]
Language = Annotated[str, typer.Option(help="Which clips.")]
Clips = Annotated[int | None, typer.Option(min=1, help="How many at most.")]
Seeds = Annotated[int, typer.Option(min=1, help="How many compositions of each kind.")]


def _show(report: dict[str, Any], render: Callable[[dict[str, Any]], str], *, as_json: bool) -> None:
    if as_json:
        print_json(report)
    else:
        print(render(report))


@bench_app.command("ring")
def bench_ring(
    seconds: Annotated[float, typer.Option(min=0.5, help="How long each number of readers is measured.")] = 5.0,
    as_json: JsonFlag = False,
) -> None:
    """Publish to and read from the ring in real processes: bad and lost frames, microseconds."""
    from sottovoce.ops import bench_ring as bench

    report = bench.run(seconds=seconds)
    _show(report, bench.render, as_json=as_json)


@bench_app.command("live")
def bench_live(
    audio: Annotated[Path, typer.Argument(help="A recording.")],
    events: Annotated[Path, typer.Option("--events", help="Where to write the events, a JSON object a line.")],
    as_json: JsonFlag = False,
) -> None:
    """Feed a recording in real time to the running service and write down when what came."""
    from sottovoce.ops import bench_live as bench
    from sottovoce.protocol.paths import Paths

    report = bench.run(Paths.from_environment(), audio, events)
    _show(report, lambda found: str(found["text"]), as_json=as_json)


@bench_app.command("endpoint")
def bench_endpoint(
    manifest: Manifest,
    *,
    language: Language = "en",
    clips: Clips = None,
    seeds: Seeds = 2,
    as_json: JsonFlag = False,
) -> None:
    """Compare fixed silences and profiles: how often they cut a sentence, and how long they wait. No service runs."""
    from sottovoce.ops import bench_endpoint as bench

    report = bench.endpoint(
        manifest, language=language, clips=clips, seeds=seeds, tell=lambda line: print(line, file=sys.stderr)
    )
    _show(report, bench.render_endpoint, as_json=as_json)


@bench_app.command("padding")
def bench_padding(
    manifest: Manifest,
    *,
    language: Language = "en",
    clips: Clips = None,
    seeds: Seeds = 2,
    as_json: JsonFlag = False,
) -> None:
    """Compare what is kept from before and after speech, by word error rate. No service runs."""
    from sottovoce.ops import bench_endpoint as bench

    report = bench.padding(
        manifest, language=language, clips=clips, seeds=seeds, tell=lambda line: print(line, file=sys.stderr)
    )
    _show(report, bench.render_padding, as_json=as_json)


@bench_app.command("seams")
def bench_seams(
    manifest: Manifest,
    *,
    language: Language = "en",
    clips: Clips = None,
    seeds: Seeds = 2,
    minutes: Annotated[float, typer.Option(min=0.5, max=60, help="How long each speaker speaks, at least.")] = 2.0,
    config: Annotated[
        list[str] | None, typer.Option(help="KEY=VALUE of the configuration, e.g. vad.max_segment=10.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Part speech without pauses, and sentences with one: what goes wrong where it is joined. No service runs."""
    from sottovoce.ops import bench_seams as bench

    report = bench.run(
        manifest, language=language, clips=clips, seeds=seeds, minutes=minutes, settings=config or (),
        tell=lambda line: print(line, file=sys.stderr),
    )  # fmt: skip
    _show(report, bench.render, as_json=as_json)


@bench_app.command("latency")
def bench_latency(
    manifest: Manifest,
    *,
    peers: Annotated[bool, typer.Option("--peers", help="Run moonshine-voice and sherpa-onnx, too.")] = False,
    peer_python: Annotated[Path | None, typer.Option(help="The Python that has them; by default this one.")] = None,
    gap: Annotated[
        list[float] | None, typer.Option(min=0.2, max=60, help="Mean seconds between clips; by default 1.6 and 0.8.")
    ] = None,
    language: Language = "en",
    clips: Clips = None,
    seed: Annotated[int, typer.Option(min=0, help="Of gaps, noise and pauses.")] = 1,
    hesitation: Annotated[bool, typer.Option("--hesitation", help="Put pauses of 0.2 to 1 s between words.")] = False,
    config: Annotated[list[str] | None, typer.Option(help="KEY=VALUE for the service, e.g. vad.endpoint=0.3.")] = None,
    alone: Annotated[bool, typer.Option(help="Then what it takes idle, and push-to-talk: two minutes more.")] = True,
    as_json: JsonFlag = False,
) -> None:
    """Time a private service on dictation in real time, and others on the same: time to text, errors, processor."""
    from sottovoce.ops import bench_latency as bench

    report = bench.run(
        manifest, language=language, gaps=gap or bench.GAPS_S, clips=clips, seed=seed, hesitation=hesitation,
        settings=config or (), against=peers, peer_python=peer_python or Path(sys.executable),
        alone=alone, tell=lambda line: print(line, file=sys.stderr),
    )  # fmt: skip
    _show(report, bench.render, as_json=as_json)


@bench_app.command("noise")
def bench_noise(
    manifest: Manifest,
    *,
    snr: Annotated[
        list[float] | None, typer.Option(min=-20, max=60, help="Speech over noise, dB; by default 20, 10 and 5.")
    ] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option(
            help="Which: hum50, hum60, fan, typing, music, babble, voice, recorded; quiet, faint, clipping; or all."
        ),
    ] = None,
    minutes: Annotated[float, typer.Option(min=0, max=600, help="Of each noise alone; 0 for none.")] = 10.0,
    language: Language = "en",
    clips: Clips = None,
    seeds: Seeds = 1,
    config: Annotated[list[str] | None, typer.Option(help="KEY=VALUE, e.g. stt.final.model=NAME.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Lay noises over clips and play them too softly and too loud: what is heard, and what where nobody speaks."""
    from sottovoce.ops import bench_noise as bench

    report = bench.run(
        manifest, language=language, clips=clips, kinds=kind or (), snrs=snr or bench.SNRS_DB, seeds=seeds,
        minutes=minutes, settings=config or (), tell=lambda line: print(line, file=sys.stderr),
    )  # fmt: skip
    _show(report, bench.render, as_json=as_json)


@bench_app.command("chaos")
def bench_chaos(
    *,
    kills: Annotated[int, typer.Option(min=1, help="How many processes to kill; some are frozen on top.")] = 50,
    seconds: Annotated[
        float | None, typer.Option(min=1, help="Over about how long; by default 3 s for each kill.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of every choice.")] = 1,
    audio: Annotated[list[Path] | None, typer.Option(help="Recordings to play, or folders of them.")] = None,
    pace: Annotated[float, typer.Option(min=0, help="Times real time; 0 for as fast as it goes.")] = 1.0,
    loss: Annotated[
        float, typer.Option(min=0, max=0.33, help="Share of messages that is lost; another is doubled, another late.")
    ] = 0.1,
    supervisord: Annotated[float, typer.Option(min=0, max=1, help="Share of the strikes at supervisord.")] = 0.03,
    keep: Annotated[bool, typer.Option(help="Keep the service's directories if anything went wrong.")] = True,
    as_json: JsonFlag = False,
) -> None:
    """Kill and freeze a private service's processes in mid-speech: what was lost, what came twice, how long it took."""
    from sottovoce.ops import bench_chaos as bench

    report = bench.run(
        kills=kills, seconds=seconds or 3.0 * kills, seed=seed, audio=audio or (), pace=pace, loss=loss,
        supervisord=supervisord, keep=keep,
        tell=lambda line: print(line, file=sys.stderr),
    )  # fmt: skip
    _show(report, bench.render, as_json=as_json)
    if bench.failed(report):
        raise typer.Exit(EXIT_FAILED)


@bench_app.command("soak")
def bench_soak(
    *,
    hours: Annotated[float, typer.Option(min=0.01, help="Of the day that is simulated.")] = 1.0,
    speed: Annotated[float, typer.Option(min=1, max=1000, help="Times real time.")] = 36.0,
    seed: Annotated[int, typer.Option(help="Of the day.")] = 1,
    every: Annotated[
        float | None, typer.Option(min=0.1, help="Seconds between samples; by default 400 in all.")
    ] = None,
    audio: Annotated[list[Path] | None, typer.Option(help="Recordings of speech, or folders of them.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Live through a day of speech and silence at many times its pace: what grows, and whether anything is lost."""
    from sottovoce.ops import bench_soak as bench

    report = bench.run(
        hours=hours, speed=speed, seed=seed, every=every, audio=audio or (),
        tell=lambda line: print(line, file=sys.stderr),
    )  # fmt: skip
    _show(report, bench.render, as_json=as_json)
    if report["failed"]:
        raise typer.Exit(EXIT_FAILED)
