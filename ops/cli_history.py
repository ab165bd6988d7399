"""`sottovoce history`: what was dictated, and what became of it."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from sottovoce.ops.output import JsonFlag, print_json

history_app = typer.Typer(help="What was dictated: list it, type it again, copy it, delete it.", no_args_is_help=True)
Number = Annotated[int, typer.Argument(min=1, help="An utterance, as `history list` numbers it.")]


@history_app.command("list")
def history_list(
    state: Annotated[
        list[str] | None, typer.Option("--state", help="Only in_doubt, late, suppressed, waiting or typed; repeatable.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many of each state at most.")] = 10,
    everything: Annotated[bool, typer.Option("--all", help="No limit.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """List what was dictated: in doubt, late and suppressed first, then what waits, then what was typed."""
    import shutil

    from sottovoce.ops import history as history_
    from sottovoce.protocol.paths import Paths

    groups = [group.replace("-", "_") for group in state or []]
    if unknown := [group for group in groups if group not in history_.GROUPS]:
        known = ", ".join(history_.GROUPS)
        raise typer.BadParameter(f"{unknown[0]!r} is not a state; there are: {known}", param_hint="--state")
    history = history_.History(Paths.from_environment())
    rows, more = history.rows(*groups, limit=-1 if everything else limit)
    if as_json:
        print_json([history_.as_dict(row) for row in rows])
        return
    columns = shutil.get_terminal_size((1_000_000, 24)).columns  # into a pipe or a file: whole lines
    for row in rows:
        print(history_.as_line(row, history.shown_text(row), columns))
    if not rows:
        print("nothing is there", file=sys.stderr)
    elif more:
        print("there is more: --all, or --limit", file=sys.stderr)


@history_app.command("show")
def history_show(number: Number, as_json: JsonFlag = False) -> None:
    """Show everything about one utterance."""
    from sottovoce.ops import history as history_
    from sottovoce.protocol.paths import Paths

    history = history_.History(Paths.from_environment())
    row = history.get(number)
    if as_json:
        print_json(history_.as_dict(row))
    else:
        print(history_.as_page(row, history.shown_text(row)))


@history_app.command("retype")
def history_retype(
    number: Number,
    delay: Annotated[float, typer.Option("--in", min=0, max=3600, help="Seconds in which to focus the window.")] = 2.0,
    as_json: JsonFlag = False,
) -> None:
    """Type the text of an utterance again, into the window that has the focus then."""
    import time

    from sottovoce.ops.history import History
    from sottovoce.protocol.paths import Paths

    history = History(Paths.from_environment())
    text = history.retypable(number)
    if delay:
        print(f"typed in {delay:g} s into the window that has the focus then; Ctrl-C: not at all", file=sys.stderr)
        time.sleep(delay)
    new = history.retype(number, text)
    if as_json:
        print_json({"ordinal": number, "retyped_as": new})
    else:
        print(f"utterance {number} is up to be typed, as {new}")


@history_app.command("copy")
def history_copy(number: Number, as_json: JsonFlag = False) -> None:
    """Copy the text of an utterance to the clipboard."""
    from sottovoce.ops.history import History, to_clipboard
    from sottovoce.protocol.paths import Paths

    tool = to_clipboard(History(Paths.from_environment()).text(number))
    if as_json:
        print_json({"ordinal": number, "copied_by": tool})
    else:
        print(f"utterance {number} is on the clipboard")


@history_app.command("clear")
def history_clear(
    numbers: Annotated[list[int] | None, typer.Argument(min=1, help="Utterances, as `history list` has them.")] = None,
    before: Annotated[str, typer.Option("--before", help="Those older than 90s, 15m, 12h or 7d.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="All that is finished.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Delete utterances and their words for good. What is still on its way stays."""
    from sottovoce.ops import history as history_
    from sottovoce.protocol.paths import Paths

    if (bool(numbers), bool(before), everything).count(True) != 1:
        raise typer.BadParameter("name utterances, or --before a time, or --all: one of these", param_hint="clear")
    try:
        older = history_.seconds(before) if before else None
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--before") from error
    history = history_.History(Paths.from_environment())
    ordinals = history.select(numbers=numbers or (), older_than_s=older)
    if ordinals and not yes:
        typer.confirm(f"Delete {len(ordinals)} utterance(s) for good?", abort=True, err=True)
    deleted = history.delete(ordinals)
    if as_json:
        print_json({"deleted": deleted})
    else:
        print(f"{deleted} deleted")
