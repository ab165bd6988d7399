"""`sottovoce model`: which model recognises, and another one without a gap."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from sottovoce.ops.exceptions import OpsError
from sottovoce.ops.output import JsonFlag, print_json

if TYPE_CHECKING:
    from sottovoce.models import Store
    from sottovoce.protocol.choice import Choice
    from sottovoce.protocol.paths import Paths

model_app = typer.Typer(help="The models in use: show them, change them while the service runs.", no_args_is_help=True)

_PATIENCE_S = 180.0
"""Longest that a stage may take to load a model, quantised ones of 2 GB from a slow disk included."""
_Role = Annotated[Literal["draft", "final"], typer.Option(help="What is typed, or what is shown meanwhile.")]


@model_app.command("show")
def show(as_json: JsonFlag = False) -> None:
    """Show which models are in use, and which were chosen."""
    from sottovoce.protocol import choice as choices
    from sottovoce.protocol.config import load_config
    from sottovoce.protocol.paths import Paths

    paths = Paths.from_environment()
    config = load_config(paths.config)
    effective = choices.settled(paths, config)
    rows = {}
    for role in choices.ROLES:
        chosen = choices.read(paths, role)
        rows[role] = {
            "model": getattr(effective.stt, role).model, "configured": getattr(config.stt, role).model,
            "chosen": None if chosen is None else chosen.model, "state": None if chosen is None else chosen.state,
            "reason": "" if chosen is None else chosen.reason,
        }  # fmt: skip
    if as_json:
        print_json(rows)
        return
    for role, row in rows.items():
        how = "as configured" if row["chosen"] is None else f"{row['chosen']} chosen, {row['state']}"
        print(f"{role:<7}{row['model']:<32}{how}{': ' if row['reason'] else ''}{row['reason']}")


@model_app.command("use")
def use(
    name: Annotated[str | None, typer.Argument(help="A model, as `models list` names it.")] = None,
    role: _Role = "final",
    default: Annotated[bool, typer.Option("--default", help="The one that the configuration names.")] = False,
    probe: Annotated[bool, typer.Option(help="Try a new model in a process of its own first.")] = True,
    as_json: JsonFlag = False,
) -> None:
    """Use another model from the next utterance on: it is loaded beside the old one, and goes if it is no use."""
    from sottovoce.models import Store
    from sottovoce.ops import service
    from sottovoce.protocol import choice as choices
    from sottovoce.protocol.choice import Choice
    from sottovoce.protocol.config import load_config
    from sottovoce.protocol.paths import Paths

    paths = Paths.from_environment().ensure()
    config = load_config(paths.config)
    if (name is None) != default:
        raise OpsError("name a model, or --default for the one that the configuration names")
    if default:
        choices.forget(paths, role)  # it may be damaged
    before = getattr(choices.settled(paths, config).stt, role).model
    model = getattr(config.stt, role).model if name is None else name
    _require(Store(), model)
    if probe:
        _try(Store(), model, threads=getattr(config.stt, role).threads)
    choices.write(paths, role, Choice(model=model, before=before))
    running = service.running(paths) is not None
    chosen = _settled(paths, role) if running else Choice(model=model, before=before)
    if default and chosen.state != "refused":
        choices.forget(paths, role)
    if as_json:
        print_json({"role": role, "model": chosen.effective, "state": chosen.state, "reason": chosen.reason})
    elif chosen.state == "refused":
        raise OpsError(f"stt-{role} goes on with {chosen.before}: {chosen.reason}")
    elif running:
        print(f"stt-{role} uses {model}; it is on trial for a minute" if chosen.state == "trial" else f"{model} it is")
    else:
        print(f"stt-{role} will use {model} when the service starts")
    if chosen.state == "refused":
        sys.exit(1)


def _require(store: Store, model: str) -> None:
    entry = store.catalogue[model]
    if entry.task != "asr":
        raise OpsError(f"{model} does not recognise speech (task {entry.task}); see: sottovoce models list --task asr")
    if entry.files:
        store.path(model)


def _try(store: Store, model: str, *, threads: int) -> None:
    """Load a model that was never probed here, or has changed since, where it can do no harm."""
    from sottovoce.models.measurements import measured
    from sottovoce.models.probe import probe

    if measured(model, store) is not None:
        return
    print(f"{model} is tried in a process of its own ...", file=sys.stderr)
    found = probe(model, threads=(threads,) if threads else ())
    if not found.passed:
        raise OpsError(f"{model} is no use here; see: sottovoce models probe {model}")


def _settled(paths: Paths, role: Literal["draft", "final"]) -> Choice:
    """Wait until the stage has taken the choice up, or refused it."""
    from sottovoce.protocol import choice as choices

    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        chosen = choices.read(paths, role)
        if chosen is not None and chosen.state not in ("wanted", "loading"):
            return chosen
        time.sleep(0.05)  # a file says it, and nobody rings
    raise OpsError(
        f"stt-{role} has not taken it up within {_PATIENCE_S:.0f} s; see: sottovoce logs stt-{role}, sottovoce status"
    )
