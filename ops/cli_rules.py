"""`sottovoce rules` and `sottovoce transform`: what may be said, and what is written for it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from sottovoce.ops.output import JsonFlag, print_json

if TYPE_CHECKING:
    from sottovoce.actors.transform import Context, Transformer

rules_app = typer.Typer(help="The voice commands: list them, try them, check your own.", no_args_is_help=True)
Language = Annotated[str, typer.Option("--language", "-l", help="By default the one in the configuration.")]
ModeOption = Annotated[str, typer.Option("--mode", help="dictation, code, verbatim, spelling or command.")]
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
    as_json: JsonFlag = False,
) -> None:
    """Show what would be typed for a spoken text."""
    _transform(text, stdin=stdin, mode=mode, as_json=as_json, language=language)


@rules_app.command("list")
def rules_list(
    language: Language = "",
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the page docs/commands.md.")] = False,
    shipped: Annotated[bool, typer.Option("--shipped", help="Leave out rules of your own.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """List what may be said and what it writes, with your own rules over the shipped ones."""
    from sottovoce.ops import commands

    language = language or _configured()
    transformer = _load(language, shipped=shipped or markdown)
    if as_json:
        print_json(commands.as_rows(transformer.rules))
    elif markdown:
        print(commands.as_markdown(transformer, english=language == "en"), end="")
    else:
        print(commands.as_text(transformer.rules), end="")


@rules_app.command("test")
def rules_test(text: Words = None, mode: ModeOption = "dictation", language: Language = "") -> None:
    """Show what would be typed for a spoken text, and which commands were heard in it, or left as words and why."""
    transformer = _load(language)
    page, _, steps = transformer.explain(_said(text), _context(mode), **_besides(language))
    print(page)
    for step in steps:
        print(f"  {step.did:<8}{step.heard!r}: {step.result!r}")


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
    path = file or own(Paths.from_environment().config, language)
    if file is None and not path.exists():
        print(f"{path}: not there, so the rules are those of Sottovoce alone")
        return
    mine = {phrase for phrase, _ in spoken_in(read(path))}
    Transformer.load(language, own=path)
    replaced = sorted(mine & {phrase for phrase, _ in spoken_in(read(shipped(language)))})
    instead = f", in the place of shipped ones: {', '.join(replaced)}" if replaced else ""
    print(f"{path}: sound; {len(mine)} phrases{instead}")


def _transform(text: list[str] | None, *, stdin: bool, mode: str, as_json: bool, language: str) -> None:
    if stdin == (text is not None):
        raise typer.BadParameter("say what was said, or --stdin, and not both", param_hint="TEXT")
    context = _context(mode)
    transformer, besides = _load(language), _besides(language)
    if not stdin:
        page, context, steps = transformer.explain(_said(text), context, **besides)
        if as_json:
            print_json(_result(page, context, steps))
        else:
            print(page)
        return
    for line in sys.stdin.buffer:
        page, context, steps = transformer.explain(line.decode(errors="replace"), context, **besides)
        print(json.dumps(_result(page, context, steps), ensure_ascii=False) if as_json else page, flush=True)


def _result(page: str, context: Context, steps: list[Any]) -> dict[str, Any]:
    import msgspec

    return {"text": page, "steps": msgspec.to_builtins(steps), "context": msgspec.to_builtins(context)}


def _said(text: list[str] | None) -> str:
    if text is None:
        raise typer.BadParameter("say what was said", param_hint="TEXT")
    return " ".join(text)


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


def _besides(language: str) -> dict[str, Any]:
    """Return what goes into a text besides the rules: how numbers are written, and what was learned."""
    from msgspec.structs import replace

    from sottovoce.actors.transform.learned import Learned
    from sottovoce.actors.transform.numbers import mode_of
    from sottovoce.protocol.config import load_config
    from sottovoce.protocol.corrections import database_path
    from sottovoce.protocol.paths import Paths

    paths = Paths.from_environment()
    settings = load_config(paths.config).transform
    learned = Learned(database_path(paths), settings)
    if database_path(paths).exists() and (wrong := learned.look()) is not None:
        print(wrong, file=sys.stderr)
    return {
        "numbers": mode_of(replace(settings, language=language or settings.language)),
        "corrections": learned.corrections,
    }
