"""`sottovoce learn` and `sottovoce corrections`: what is written where something else was heard."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import typer

from sottovoce.ops.cli_learn import learn
from sottovoce.ops.correcting import Case, MatchBy, Modes, as_line, keep, made, opened, read, refused
from sottovoce.ops.exceptions import EXIT_FAILED, OpsError
from sottovoce.ops.output import JsonFlag, print_json

corrections_app = typer.Typer(help="What is written where something else was heard.", no_args_is_help=True)

Heard = Annotated[str, typer.Argument(help="What is heard: one to five words.")]
Write = Annotated[str, typer.Argument(help="What is to be written; may have several lines.")]
Numbers = Annotated[list[int], typer.Argument(min=1, help="Corrections, as `corrections list` numbers them.")]
Form = Annotated[Literal["toml", "csv"] | None, typer.Option("--format", help="By default what the file's name says.")]


def hook(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("learn")(learn)
    app.add_typer(corrections_app, name="corrections")


@corrections_app.command("list")
def list_(
    suggested: Annotated[bool, typer.Option(help="What was put right again and again and is no correction.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """List what was learned, with how often and when it was used; or what is suggested."""
    import shlex

    import msgspec

    with opened() as store:
        rows: Sequence[Any] = store.suggestions() if suggested else store.all()
    if as_json:
        print_json(msgspec.to_builtins(rows))
        return
    for row in rows:
        command = f"sottovoce learn {shlex.quote(row.heard)} {shlex.quote(row.write)}" if suggested else ""
        print(f"{command}  # seen {row.seen} times" if suggested else as_line(row))
    if not rows:
        print("nothing is suggested" if suggested else "nothing was learned yet", file=sys.stderr)


@corrections_app.command("add")
def add(
    heard: Heard, write: Write, *, match: MatchBy = "auto", case: Case = "written", mode: Modes = None,
    as_json: JsonFlag = False,
) -> None:  # fmt: skip
    """Add a correction, or change the one of this phrase in these modes."""
    keep([made(heard, write, match, case, mode)], as_json=as_json)


@corrections_app.command("rm")
def remove(numbers: Numbers, as_json: JsonFlag = False) -> None:
    """Remove corrections for good."""
    with opened() as store:
        _missed(numbers, store.numbers())
        gone = store.remove(numbers)
    if as_json:
        print_json({"removed": gone})
    else:
        print(f"{len(gone)} removed")


@corrections_app.command("enable")
def enable(numbers: Numbers, as_json: JsonFlag = False) -> None:
    """Let corrections hold again."""
    _switch(numbers, on=True, as_json=as_json)


@corrections_app.command("disable")
def disable(numbers: Numbers, as_json: JsonFlag = False) -> None:
    """Let corrections no longer hold, and keep them."""
    _switch(numbers, on=False, as_json=as_json)


@corrections_app.command("forget-edits")
def forget_edits(as_json: JsonFlag = False) -> None:
    """Delete, for good, what was seen of edits, from which suggestions come."""
    with opened() as store:
        gone = store.forget_edits()
    if as_json:
        print_json({"forgotten": gone})
    else:
        print(f"{gone} forgotten")


@corrections_app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="What `corrections export` wrote, or a file like it.")],
    form: Form = None,
    replace: Annotated[bool, typer.Option("--replace", help="Where there is another one, take the file's.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Add the corrections of a file. Where there is another one of the same phrase, that stays, and is told of."""
    from sottovoce.protocol import corrections_file

    try:
        found = corrections_file.read(read(file), _form(file, form))
    except corrections_file.FileProblem as problem:
        refused(file, problem.reasons)
    with opened() as store:
        conflicts = [] if replace else corrections_file.conflicts(found, store.all())
        kept = {conflict.correction.key for conflict in conflicts}
        outcomes = store.add(*(one for _, one in found if one.key not in kept))
    counts = {outcome: outcomes.count(outcome) for outcome in ("added", "changed", "same")}
    lines = [
        {"line": line, "heard": one.heard, "write": one.write, "stays": other.write} for line, one, other in conflicts
    ]
    if as_json:
        print_json({**counts, "conflicts": lines})
    else:
        print(", ".join(f"{number} {outcome}" for outcome, number in counts.items()))
    for conflict in lines:
        print(
            f"sottovoce: {file}: line {conflict['line']}: {conflict['heard']!r} is {conflict['write']!r} there and "
            f"something else here, which stays; --replace takes the file's",
            file=sys.stderr,
        )
    if lines:
        raise typer.Exit(EXIT_FAILED)


@corrections_app.command("export")
def export(
    file: Annotated[Path | None, typer.Argument(help="A new file; printed by default.")] = None,
    form: Form = None,
    as_json: JsonFlag = False,
) -> None:
    """Write all corrections, with all that is known of them, to a file that only you can read."""
    import os

    from sottovoce.protocol import corrections_file

    with opened() as store:
        corrections = store.all()
    text = corrections_file.write(corrections, _form(file, form))
    if file is None:
        if as_json:
            list_(as_json=True)
        else:
            print(text, end="")
        return
    try:
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", newline="") as out:  # noqa: PTH123
            out.write(text)
    except FileExistsError as error:
        raise OpsError(f"{file}: is there already; name a file that is not there yet") from error
    except OSError as error:
        raise OpsError(f"{file}: cannot be made: {error.strerror}; name a file in a folder of yours") from error
    if as_json:
        print_json({"file": str(file), "corrections": len(corrections)})
    else:
        print(f"{len(corrections)} written to {file}")


@corrections_app.command("test")
def try_(
    text: Annotated[list[str], typer.Argument(help="What was heard.")],
    mode: Annotated[str, typer.Option(help="The mode in which it was.")] = "dictation",
    as_json: JsonFlag = False,
) -> None:
    """Show what corrections make of a text, and which of them. Nothing is counted as a use."""
    import msgspec

    from sottovoce.actors.transform.learned import in_force
    from sottovoce.protocol.config import load_config
    from sottovoce.protocol.messages import Mode
    from sottovoce.protocol.paths import Paths

    known: tuple[str, ...] = get_args(Mode)
    if mode not in known:
        raise typer.BadParameter(f"{mode!r} is not a mode; there are: {', '.join(known)}", param_hint="--mode")
    settings = load_config(Paths.from_environment().config).transform
    with opened() as store:
        entries = store.all()
    chunks, fired = in_force(entries, settings).apply(" ".join(text).split(), mode=mode)
    if as_json:
        print_json({"text": " ".join(chunks), "fired": msgspec.to_builtins(fired)})
        return
    print(" ".join(chunks))
    for hit in fired:
        which = f"correction {hit.number}, {hit.how}" if hit.number else f"a {hit.how}".replace("a prof", "prof")
        print(f"  {hit.heard!r} -> {hit.wrote!r}: {which}, {hit.score:.2f}" if hit.how == "sound"
              else f"  {hit.heard!r} -> {hit.wrote!r}: {which}")  # fmt: skip


def _switch(numbers: list[int], *, on: bool, as_json: bool) -> None:
    with opened() as store:
        _missed(numbers, store.numbers())
        done = store.enable(numbers, enabled=on)
    if as_json:
        print_json({"enabled" if on else "disabled": done})
    else:
        print(f"{len(done)} {'enabled' if on else 'disabled'}")


def _missed(numbers: list[int], there: set[int]) -> None:
    if missing := [number for number in numbers if number not in there]:
        raise OpsError(f"there is no correction {missing[0]}; see: sottovoce corrections list")


def _form(file: Path | None, form: Literal["toml", "csv"] | None) -> Literal["toml", "csv"]:
    return form or ("csv" if file is not None and file.suffix.lower() == ".csv" else "toml")
