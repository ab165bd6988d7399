"""`sottovoce rules` and `sottovoce transform`: what may be said, and what is written for it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast, get_args

import typer

from sottovoce.ops.output import JsonFlag, print_json

if TYPE_CHECKING:
    from sottovoce.actors.transform import Context, Transformer
    from sottovoce.actors.transform.numbers import Mode as Numbers
    from sottovoce.ops.session import Said, Session

rules_app = typer.Typer(help="The voice commands: list them, try them, check your own.", no_args_is_help=True)
Language = Annotated[str, typer.Option("--language", "-l", help="By default the one in the configuration.")]
ModeOption = Annotated[str, typer.Option("--mode", help="dictation, code, verbatim, spelling or command.")]
NumbersOption = Annotated[
    str, typer.Option("--numbers", help="explicit, natural or off. By default as in the configuration; English only.")
]
Words = Annotated[list[str] | None, typer.Argument(help="What was said.")]


def hook(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.add_typer(rules_app, name="rules")
    app.command()(transform)


def transform(
    text: Words = None,
    language: Language = "",
    stdin: Annotated[bool, typer.Option("--stdin", help="Each line is an utterance; the state carries over.")] = False,
    mode: ModeOption = "dictation",
    *,
    numbers: NumbersOption = "",
    as_json: JsonFlag = False,
) -> None:
    """Show what would be typed for a spoken text."""
    if stdin == (text is not None):
        raise typer.BadParameter("say what was said, or --stdin, and not both", param_hint="TEXT")
    _transform(_session(language, mode, numbers), text, as_json=as_json)


@rules_app.command("list")
def rules_list(
    language: Language = "",
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the page docs/commands.md.")] = False,
    shipped: Annotated[bool, typer.Option("--shipped", help="Leave out rules of your own.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """List what may be said and what it writes, with your own rules over the shipped ones."""
    from sottovoce.ops import commands, commands_page

    language = language or _configured()
    transformer = _load(language, shipped=shipped or markdown)
    if as_json:
        print_json(commands.as_rows(transformer.rules))
    elif markdown:
        print(commands_page.as_markdown(transformer, english=language == "en"), end="")
    else:
        print(commands.as_text(transformer.rules), end="")


@rules_app.command("test")
def rules_test(text: Words = None, mode: ModeOption = "dictation", language: Language = "") -> None:
    """Show what would be typed for a spoken text, and which commands were heard in it, or left as words and why."""
    said = _session(language, mode).say(_said(text))
    print(said.text)
    for step in said.steps:
        which = f" (correction {step.number}, {step.how})" if step.number else ""
        print(f"  {step.did:<7} {step.heard!r}: {step.result!r}{which}")


@rules_app.command("check")
def rules_check(
    file: Annotated[Path | None, typer.Argument(help="A rules file; by default your own.")] = None,
    language: Language = "",
) -> None:
    """Check a rules file of your own. Exit code 5: file, line, rule and reason."""
    from sottovoce.actors.transform.rulebook import own, read, shipped, spoken_in
    from sottovoce.actors.transform.transformer import Transformer
    from sottovoce.protocol.paths import Paths

    language = language or _configured()
    ours = {phrase for phrase, _ in spoken_in(read(shipped(language)))}
    path = file or own(Paths.from_environment().config, language)
    if file is None and not path.exists():
        print(f"{path}: not there, so the rules are those of Sottovoce alone")
        return
    mine = {phrase for phrase, _ in spoken_in(read(path))}
    Transformer.load(language, own=path)
    replaced = sorted(mine & ours)
    instead = f", in the place of shipped ones: {', '.join(replaced)}" if replaced else ""
    print(f"{path}: sound; {len(mine)} phrase{'' if len(mine) == 1 else 's'}{instead}")


def bench_transform(
    seeds: Annotated[int, typer.Option(min=1, help="How many draws of rules, corrections and utterances.")] = 3,
    utterances: Annotated[int, typer.Option(min=10, help="Of each kind, in each draw.")] = 2000,
    as_json: JsonFlag = False,
) -> None:
    """Time the transform of 20 words, with 100 rules of one's own and 1,000 corrections: microseconds, p50 and p99."""
    from sottovoce.ops import bench_transform as bench

    report = bench.run(seeds=seeds, utterances=utterances)
    if as_json:
        print_json(report)
    else:
        print(bench.render(report))


def _transform(session: Session, text: list[str] | None, *, as_json: bool) -> None:
    if text is not None:
        said = session.say(_said(text))
        if as_json:
            print_json(_result(said, session.context))
        else:
            print(said.text)
        return
    for line in sys.stdin.buffer:
        said = session.say(line.decode(errors="replace"))
        print(json.dumps(_result(said, session.context), ensure_ascii=False) if as_json else said.text, flush=True)


def _result(said: Said, context: Context) -> dict[str, Any]:
    import msgspec

    edit = {} if said.edit is None else {"edit": msgspec.to_builtins(said.edit)}
    steps = msgspec.to_builtins(said.steps)
    return {"text": said.text, "steps": steps, **edit, "context": msgspec.to_builtins(context)}


def _said(text: list[str] | None) -> str:
    if text is None:
        raise typer.BadParameter("say what was said", param_hint="TEXT")
    return " ".join(text)


def _numbers(numbers: str) -> Numbers:
    from sottovoce.actors.transform.numbers import Mode as Numbers

    known = get_args(Numbers)
    if numbers not in known:
        reason = f"{numbers!r} is no way to write numbers; there are: {', '.join(known)}"
        raise typer.BadParameter(reason, param_hint="--numbers")
    return cast("Numbers", numbers)


def _context(mode: str) -> Context:
    from sottovoce.actors.transform import Context
    from sottovoce.actors.transform.context import Mode

    for known in get_args(Mode):
        if known == mode:
            return Context(mode=known)
    raise typer.BadParameter(f"{mode!r} is not a mode; there are: {', '.join(get_args(Mode))}", param_hint="--mode")


def _configured() -> str:
    from sottovoce.protocol.config import load_config
    from sottovoce.protocol.paths import Paths

    return load_config(Paths.from_environment().config).transform.language


def _load(language: str, *, shipped: bool = False) -> Transformer:
    from sottovoce.actors.transform import Transformer
    from sottovoce.actors.transform.rulebook import own
    from sottovoce.protocol.paths import Paths

    language = language or _configured()
    paths = Paths.from_environment()
    return Transformer.load(language, own=None if shipped else own(paths.config, language))


def _session(language: str, mode: str, numbers: str = "") -> Session:
    """Return a session with what goes into a text besides the rules: how numbers are written, what was learned."""
    from msgspec.structs import replace

    from sottovoce.actors.transform.edits import Edits
    from sottovoce.actors.transform.learned import Learned
    from sottovoce.actors.transform.numbers import mode_of
    from sottovoce.ops.session import Session
    from sottovoce.protocol.config import load_config
    from sottovoce.protocol.corrections import database_path
    from sottovoce.protocol.paths import Paths

    context, transformer = _context(mode), _load(language)
    paths = Paths.from_environment()
    config = load_config(paths.config)
    settings = replace(config.transform, language=language or config.transform.language)
    if numbers:
        settings = replace(settings, numbers=_numbers(numbers))
    learned = Learned(database_path(paths), settings)
    if database_path(paths).exists() and (wrong := learned.look()) is not None:
        print(wrong, file=sys.stderr)
    edits = Edits(transformer.rules, keys=config.edits.keys) if config.edits.enabled else None
    return Session(
        transformer, context, numbers=mode_of(settings), corrections=learned.corrections, edits=edits
    )  # fmt: skip
