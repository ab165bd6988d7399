"""`sottovoce models pull`, `verify`, `rm`, `gc` and `import`: the models on this disk."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sottovoce.ops.output import JsonFlag, print_json

if TYPE_CHECKING:
    from sottovoce.models import PullEvent
    from sottovoce.models.janitor import Removed

_EVERY_S = 0.2
Names = Annotated[list[str], typer.Argument(help="Models, as `models list` names them.")]


def hook(models_app: typer.Typer) -> None:
    """Add the commands of this module to `sottovoce models`."""
    models_app.command("pull")(models_pull)
    models_app.command("verify")(models_verify)
    models_app.command("rm")(models_rm)
    models_app.command("gc")(models_gc)
    models_app.command("import")(models_import)


def models_pull(
    names: Names,
    as_json: Annotated[bool, typer.Option("--json", help="Print the progress, one JSON object a line.")] = False,
) -> None:
    """Download and verify models that are not here yet. An interrupted download is gone on with."""
    from sottovoce.models import ModelError, Store
    from sottovoce.ops.progress import ProgressBar
    from sottovoce.protocol.config import load_config
    from sottovoce.protocol.paths import Paths

    store = Store()
    try:
        store.pull(names, _json_lines() if as_json else ProgressBar())
    except ModelError as error:
        if as_json:
            _line({"stage": "failed", "models": names, "detail": str(error)})
        raise
    if not as_json:
        print(f"{', '.join(names)}: ready")
    if limit := load_config(Paths.from_environment().config).models.cache_limit:
        for gone in store.collect(limit * 1_000_000, {*_named(), *names}):
            if as_json:
                _line({"stage": "removed", **_as_dict(gone)})
            else:
                print(f"{_as_line(gone)} ([models] cache_limit)", file=sys.stderr)


def models_verify(
    names: Annotated[list[str] | None, typer.Argument(help="Models; all that are here.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Check the files of models against their checksums."""
    from sottovoce.models import Store

    store = Store()
    sound = []
    for name in names or [model.name for model in store.list() if model.installed and model.entry.files]:
        store.verify(name)
        sound.append(name)
        if not as_json:
            print(f"{name}: sound")
    if as_json:
        print_json({"sound": sound})


def models_rm(names: Names, as_json: JsonFlag = False) -> None:
    """Remove models from this disk. What a running service has loaded stays."""
    from sottovoce.models import Store

    store = Store()
    named = _named()
    removed = []
    for name in names:
        removed.append(store.remove(name))
        if name in named:
            print(f"the configuration names {name}: `sottovoce up` will pull it again", file=sys.stderr)
        if not as_json:
            print(_as_line(removed[-1]))
    if as_json:
        print_json([_as_dict(gone) for gone in removed])


def models_gc(
    limit: Annotated[
        int | None, typer.Option("--limit", min=0, help="Megabytes that all models may take; [models] cache_limit.")
    ] = None,
    dry: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Remove unfinished downloads, and the models longest unused beyond a size; never one the configuration names."""
    from sottovoce.models import Store
    from sottovoce.protocol.config import load_config
    from sottovoce.protocol.paths import Paths

    if limit is None:
        limit = load_config(Paths.from_environment().config).models.cache_limit or None
    removed = Store().collect(None if limit is None else limit * 1_000_000, _named(), dry=dry)
    if as_json:
        print_json([_as_dict(gone) for gone in removed])
        return
    for gone in removed:
        print(_as_line(gone, "would be removed" if dry else "removed"))
    if not removed:
        print("nothing to remove", file=sys.stderr)


def models_import(
    path: Annotated[Path, typer.Argument(help="A directory, an archive, or the model's only file.")],
    name: Annotated[str, typer.Option("--as", help="The model that it is, as `models list` names it.")],
    copy: Annotated[bool, typer.Option("--copy", help="Copy, even where a second name for the file would do.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Install a model from files that you have, checked like a download. They stay where they are."""
    from sottovoce.models import Store

    store = Store()
    store.adopt(name, path, copy=copy)
    if as_json:
        print_json({"name": name, "path": str(store.path(name))})
    else:
        print(f"{name}: ready")


def _named() -> set[str]:
    """Return the models that the configuration names, and those that were chosen since."""
    from sottovoce.ops.service import models_of
    from sottovoce.protocol.choice import settled
    from sottovoce.protocol.config import load_config
    from sottovoce.protocol.paths import Paths

    paths = Paths.from_environment()
    config = load_config(paths.config)
    return {*models_of(config), *models_of(settled(paths, config)), config.stt.final.fallback} - {""}


def _json_lines() -> Callable[[PullEvent], None]:
    """Return what prints pull events, those of mere bytes five times a second at most."""
    from dataclasses import asdict

    last = (0.0, "")

    def show(event: PullEvent) -> None:
        nonlocal last
        now = time.monotonic()
        whole = event.total is not None and event.done >= event.total
        if event.stage == last[1] == "downloading" and not whole and now - last[0] < _EVERY_S:
            return
        last = now, event.stage
        _line(asdict(event))

    return show


def _line(value: dict[str, Any]) -> None:
    print(json.dumps(value, ensure_ascii=False), flush=True)


def _as_dict(gone: Removed) -> dict[str, Any]:
    used = gone.last_used.isoformat() if gone.last_used else None
    return {"name": gone.name or None, "bytes": gone.size, "last_used": used}


def _as_line(gone: Removed, verb: str = "removed") -> str:
    what = gone.name or "unfinished downloads"
    used = f", last used {gone.last_used.astimezone():%Y-%m-%d}" if gone.last_used else ""
    return f"{what}: {verb}, {gone.size / 1e6:.1f} MB{used}"
