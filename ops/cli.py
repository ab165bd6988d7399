"""The command line, `sottovoce`. What a verb needs is imported inside it, since `toggle` sits behind a key."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from sottovoce.ops.cli_bench import bench_app
from sottovoce.ops.cli_corrections import hook as hook_corrections
from sottovoce.ops.cli_devices import devices, mic
from sottovoce.ops.cli_doctor import doctor
from sottovoce.ops.cli_history import history_app
from sottovoce.ops.cli_mode import mode
from sottovoce.ops.cli_model import model_app
from sottovoce.ops.cli_models import hook as hook_models
from sottovoce.ops.cli_probe import hook as hook_probe
from sottovoce.ops.cli_ptt import ptt_app
from sottovoce.ops.cli_rules import hook as hook_rules
from sottovoce.ops.cli_store import hook as hook_store
from sottovoce.ops.entry import control
from sottovoce.ops.exceptions import EXIT_BAD_INPUT, EXIT_FAILED
from sottovoce.ops.output import JsonFlag, print_json

app = typer.Typer(
    name="sottovoce",
    help="Local voice dictation: you speak, the words appear where the cursor is. Nothing leaves the machine.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
models_app = typer.Typer(help="The models: which there are, pull and verify them.", no_args_is_help=True)
config_app = typer.Typer(help="The configuration: show what is in force, check the file.", no_args_is_help=True)
app.add_typer(ptt_app, name="ptt")
app.add_typer(history_app, name="history")
app.command()(devices)
app.command()(mic)
app.command()(doctor)
app.add_typer(models_app, name="models")
hook_models(models_app)
hook_store(models_app)
hook_probe(models_app)
app.add_typer(model_app, name="model")
app.command()(mode)
hook_rules(app)
hook_corrections(app)
app.add_typer(config_app, name="config")
app.add_typer(bench_app, name="bench")


# -- dictation ---------------------------------------------------------------------------------------------------------


@app.command()
def toggle(as_json: JsonFlag = False) -> None:
    """Begin to record, or end the recording and type the rest. Bind this to a key."""
    control("toggle", as_json=as_json)


@app.command()
def start(as_json: JsonFlag = False) -> None:
    """Begin to record."""
    control("start", as_json=as_json)


@app.command()
def stop(as_json: JsonFlag = False) -> None:
    """End the recording and type the rest."""
    control("stop", as_json=as_json)


@app.command()
def cancel(as_json: JsonFlag = False) -> None:
    """End the recording and give up what is not typed yet."""
    control("cancel", as_json=as_json)


@app.command()
def watch(as_json: JsonFlag = False) -> None:
    """Show what is heard, as it is heard: drafts dim, finals bright."""
    from sottovoce.ops.console import Console
    from sottovoce.ops.console import as_json as line
    from sottovoce.protocol.client import subscribe

    console = Console()
    try:
        for event in subscribe("transcript.", "text.", "state.pipeline", "inject.", "notice"):
            if as_json:
                print(line(event), flush=True)
            else:
                console.show(event)
    except KeyboardInterrupt:
        print()


# -- the service -------------------------------------------------------------------------------------------------------


@app.command()
def up(detach: Annotated[bool, typer.Option("--detach", "-d", help="Return once it is ready.")] = False) -> None:
    """Start the service, pulling the models it needs if they are not here."""
    from sottovoce.models import Store
    from sottovoce.ops import service
    from sottovoce.ops.progress import ProgressBar
    from sottovoce.protocol.choice import settled
    from sottovoce.protocol.config import load_config
    from sottovoce.protocol.paths import Paths

    paths = Paths.from_environment()
    if missing := service.missing_models(settled(paths, load_config(paths.config))):
        Store().pull(missing, ProgressBar())
    process, seconds = service.start(paths, detach=detach)
    print(f"ready in {seconds:.1f} s; `sottovoce toggle` begins to record", file=sys.stderr)
    if not detach:
        code = service.wait_for(process, lambda: service.stop(paths))
        service.sweep(paths)
        raise typer.Exit(EXIT_FAILED if code else 0)


@app.command()
def down(
    limit: Annotated[float, typer.Option(help="Seconds to wait for what is being said and typed.")] = 10.0,
) -> None:
    """End the service, once what was said is typed."""
    from sottovoce.ops import service
    from sottovoce.protocol.paths import Paths

    print("stopped" if service.stop(Paths.from_environment(), limit=limit) else "the service does not run")


@app.command()
def status(as_json: JsonFlag = False) -> None:
    """Show the state of the pipeline and of each stage."""
    from sottovoce.ops import service
    from sottovoce.ops.cli_mode import in_force
    from sottovoce.protocol.paths import Paths

    paths = Paths.from_environment()
    report: dict[str, Any] = {**service.status(paths), "mode": in_force(paths)}
    if as_json:
        print_json(report)
        return
    mode = report["mode"]
    print(f"{report['state']}, recording {report['generation']}, {report['waiting']} waiting, mode {mode['mode']}")
    if not report["stages"]:
        print(f"  the stages' processes are unknown: {report['supervisord']}")
    for name, stage in report["stages"].items():
        print(f"  {name:<11}{stage['state']:<10}pid {stage['pid']:<9}{stage['up_s']} s")


@app.command()
def restart(stage: Annotated[str, typer.Argument(help="A stage, as `status` names it.")]) -> None:
    """Stop one stage and start it again."""
    from sottovoce.actors import fallback
    from sottovoce.actors.supervisor import Supervisor
    from sottovoce.protocol.paths import Paths

    paths = Paths.from_environment()
    if stage == fallback.STAGE:
        fallback.forget(paths)
    Supervisor(paths.supervisor_socket).restart(stage)
    print(f"{stage} restarted")


@app.command()
def logs(
    stage: Annotated[str, typer.Argument(help="A stage; all of them by default.")] = "",
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="How many of the last lines.")] = 40,
    as_json: JsonFlag = False,
) -> None:
    """Show the last lines of the stages' logs, in the order of their times."""
    from sottovoce.ops.logs import last_lines
    from sottovoce.protocol.paths import Paths

    for line in last_lines(Paths.from_environment().logs, stage, lines, as_json=as_json):
        print(line)


# -- without a service -------------------------------------------------------------------------------------------------


@app.command()
def transcribe(
    files: Annotated[list[Path], typer.Argument(help="Sound files: WAV, FLAC, OGG, MP3, M4A, any rate.")],
    output: Annotated[str, typer.Option("--format", help="text or json.")] = "text",
) -> None:
    """Write down what is said in files. Files that cannot be read are named; the others are still done."""
    from dataclasses import asdict

    from sottovoce.actors.audiofile import AudioFileError
    from sottovoce.ops.transcribe import Transcriber
    from sottovoce.protocol.choice import settled
    from sottovoce.protocol.config import load_config
    from sottovoce.protocol.paths import Paths

    if output not in ("text", "json"):
        raise typer.BadParameter(f"{output!r} is not a format; text and json are", param_hint="--format")
    paths = Paths.from_environment()
    transcriber = Transcriber(settled(paths, load_config(paths.config)))
    failed, transcripts = False, []
    for file in files:
        try:
            transcript = transcriber.transcribe(file)
        except AudioFileError as error:
            print(f"sottovoce: {error}", file=sys.stderr)
            failed = True
            continue
        transcripts.append(asdict(transcript))
        if output == "text":
            print(f"{file}: {transcript.text}" if len(files) > 1 else transcript.text)
    if output == "json" and transcripts:
        print_json(transcripts[0] if len(files) == 1 else transcripts)
    if failed:
        raise typer.Exit(EXIT_BAD_INPUT)


@app.command()
def demo(
    audio: Annotated[Path | None, typer.Argument(help="A recording; by default ten seconds of Beckett.")] = None,
) -> None:
    """Dictate a recording through a service of its own, and show how long each stage took."""
    from sottovoce.ops import demo as demo_

    demo_.run(audio)


@config_app.command("show")
def config_show(as_json: JsonFlag = False) -> None:
    """Print every setting that is in force, as a configuration file."""
    import msgspec

    from sottovoce.ops.settings import as_toml
    from sottovoce.protocol.config import load_config
    from sottovoce.protocol.paths import Paths

    paths = Paths.from_environment()
    settings = msgspec.to_builtins(load_config(paths.config))
    if as_json:
        print_json(settings)
    else:
        absent = "" if paths.config.exists() else " (not there: all defaults)"
        print(f"# {paths.config}{absent}\n{as_toml(settings)}", end="")


@config_app.command("check")
def config_check() -> None:
    """Check the configuration file, and that the models it names exist."""
    from sottovoce.models import Store
    from sottovoce.models.languages import check_languages
    from sottovoce.ops.service import missing_models
    from sottovoce.protocol.config import load_config
    from sottovoce.protocol.paths import Paths

    path = Paths.from_environment().config
    config = load_config(path)
    check_languages(config, Store().catalogue)
    missing = missing_models(config)
    print(f"{path}: {'sound' if path.exists() else 'not there, so all defaults'}")
    if missing:
        print(f"not pulled yet: {', '.join(missing)}; run: sottovoce models pull {' '.join(missing)}")
