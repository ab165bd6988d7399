"""`sottovoce models list` and `models info`: what there is to choose from, and what suits this machine."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sottovoce.ops.output import JsonFlag, print_json

if TYPE_CHECKING:
    from sottovoce.models import Store, StoredModel
    from sottovoce.models.fit import Machine, Measured

_TASKS = ("asr", "vad", "turn", "punctuation", "sample")
_LISTED, _NAMED = 3, 30  # more languages than these are only counted: in the table, below it
_VERDICTS = {"fits": "yes", "tight": "tight", "no": "no", "unknown": "unknown"}


def hook(models_app: typer.Typer) -> None:
    """Add the commands of this module to `sottovoce models`."""
    models_app.command("list")(models_list)
    models_app.command("info")(models_info)


def models_list(
    task: Annotated[str, typer.Option("--task", help="Only asr, vad, turn, punctuation or sample.")] = "",
    language: Annotated[str, typer.Option("--language", help="Only what knows it, ISO 639-1 (en, de, ...).")] = "",
    as_json: JsonFlag = False,
) -> None:
    """List the models of the catalogue: which are here, which fit this machine and why; * marks what is recommended."""
    from sottovoce.models import Store
    from sottovoce.models.fit import Machine, recommendations

    if task and task not in _TASKS:
        raise typer.BadParameter(f"{task!r} is not a task; there are: {', '.join(_TASKS)}", param_hint="--task")
    store = Store()
    known = {code for entry in store.catalogue for code in entry.languages}
    if language and language not in known:
        raise typer.BadParameter(f"no model knows {language!r}; give it as ISO 639-1, like de", param_hint="--language")
    machine, measured = Machine.here(), _measured(store)
    best = recommendations(store.catalogue, machine, measured)
    if language:
        best = {name: (language,) for name, languages in best.items() if language in languages}
    models = [
        model
        for model in store.list()
        if (not task or model.entry.task == task)
        and (not language or not model.entry.languages or language in model.entry.languages)
    ]
    if as_json:
        print_json([_row(model, machine, measured, best) for model in models])
        return
    columns = shutil.get_terminal_size((1_000_000, 24)).columns  # into a pipe or a file: whole lines
    for line in _table(models, machine, measured, best):
        print(line[:columns].rstrip())
    for model in models:
        if languages := best.get(model.name):
            few = len(languages) <= _NAMED
            what = " ".join(languages) if few else f"{len(languages)} languages: sottovoce models info {model.name}"
            print(f"* {model.name} is recommended here for {what}", file=sys.stderr)


def models_info(
    name: Annotated[str, typer.Argument(help="A model, as `models list` names it.")], as_json: JsonFlag = False
) -> None:
    """Show everything about one model: languages, licence, published error rates, memory, sources, files."""
    from sottovoce.models import Store
    from sottovoce.models.fit import Machine, recommendations

    store = Store()
    entry = store.catalogue[name]
    model = next(model for model in store.list() if model.name == entry.name)
    machine, measured = Machine.here(), _measured(store, name)
    best = recommendations(store.catalogue, machine, _measured(store))
    details = _details(store, model, machine, measured, best)
    if as_json:
        print_json(details)
    else:
        print("\n".join(_page(details)))


def _measured(store: Store, *names: str) -> Measured:
    """Return what probes have found on this machine, of these models or of all that are here."""
    from sottovoce.models.measurements import measured

    found = {name: measured(name, store) for name in names or [m.name for m in store.list() if m.installed]}
    return {
        name: (round(probe.memory / 1e6), probe.best.rtf)
        for name, probe in found.items()
        if probe is not None and probe.best is not None
    }


def _row(
    model: StoredModel, machine: Machine, measured: Measured, best: Mapping[str, tuple[str, ...]]
) -> dict[str, Any]:
    from sottovoce.models.fit import fit, need
    from sottovoce.models.quarantine import Quarantine
    from sottovoce.models.store import cache_root

    entry = model.entry
    sentence = Quarantine(cache_root()).get(entry, model.path) if model.installed else None
    fitting, wanted = fit(entry, machine, measured), need(entry, measured)
    return {
        "name": model.name, "task": entry.task, "streaming": entry.streaming, "languages": list(entry.languages),
        "licence": entry.licence, "bytes": entry.size if entry.files else None, "installed": model.installed,
        "memory_mb": wanted.megabytes or None, "memory_from": wanted.basis, "memory_class": wanted.kind,
        "fit": fitting.level if sentence is None else "no",
        "why": fitting.why if sentence is None else f"in quarantine: {sentence}",
        "recommended_for": list(best.get(model.name, ())),
    }  # fmt: skip


def _table(
    models: list[StoredModel], machine: Machine, measured: Measured, best: Mapping[str, tuple[str, ...]]
) -> list[str]:
    rows = [("NAME", "TASK", "LANGUAGES", "SIZE", "HERE", "FITS", "LICENCE")]
    for model in models:
        row = _row(model, machine, measured, best)
        rows.append(
            (
                model.name + (" *" if model.name in best else ""),
                row["task"] + (" live" if row["streaming"] else ""),
                _languages(row["languages"]),
                _size(row["bytes"]),
                "installed" if row["installed"] and row["bytes"] is not None else "",
                f"{_VERDICTS[row['fit']]}: {row['why']}",
                row["licence"],
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            cell.rjust(width) if column == 3 else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]


def _details(
    store: Store, model: StoredModel, machine: Machine, measured: Measured, best: Mapping[str, tuple[str, ...]]
) -> dict[str, Any]:
    import msgspec

    entry = model.entry
    came, used = store.metadata(model.name)
    return {
        **_row(model, machine, measured, best),
        "about": entry.about, "engine": entry.engine, "constructor": entry.constructor or None,
        "command": list(entry.command) or None, "url": entry.url or None, "options": dict(entry.options),
        "language_option": entry.language_option or None, "hotwords": entry.hotwords or None,
        "path": str(model.path) if model.installed and entry.files else None,
        "from": came.source if came else None, "last_used": used.last.isoformat() if used else None,
        "load_s": used.load_s if used else None,
        "real_time_factor": measured[model.name][1] if model.name in measured else None,
        "wer": [msgspec.to_builtins(wer) for wer in entry.wer],
        "sources": [{"title": source.title, **msgspec.to_builtins(source)} for source in entry.sources],
        "files": [msgspec.to_builtins(file) for file in entry.all_files],
    }  # fmt: skip


def _page(about: Mapping[str, Any]) -> list[str]:
    files, listens = about["files"], {"beam": "its beam search prefers them", "prompt": "they come before the text"}
    memory = f"{about['memory_mb']} MB ({about['memory_from']}), {about['memory_class']}" if about["memory_mb"] else ""
    kind = "hears while one speaks" if about["streaming"] else "hears whole segments" if about["task"] == "asr" else ""
    pairs = [
        ("task", ", ".join(filter(None, (about["task"], kind)))),
        ("languages", " ".join(about["languages"])),
        ("licence", about["licence"]),
        ("engine", " ".join(filter(None, (about["engine"], about["constructor"], *(about["command"] or ()))))),
        ("server", about["url"]),
        ("options", ", ".join(f"{key} = {value}" for key, value in about["options"].items())),
        ("language", f"told, as {about['language_option']}" if about["language_option"] else ""),
        ("vocabulary", listens.get(about["hotwords"] or "", "none is taken" if about["task"] == "asr" else "")),
        ("memory", memory),
        ("fits here", f"{_VERDICTS[about['fit']]}: {about['why']}"),
        ("speed", f"{about['real_time_factor']:.2f} s of work for a second" if about["real_time_factor"] else ""),
        ("recommended", f"for {' '.join(about['recommended_for'])}" if about["recommended_for"] else ""),
        ("installed", _installed(about)),
        ("last used", about["last_used"]),
        ("loads in", f"{about['load_s']:.1f} s" if about["load_s"] else ""),
        *(("word errors", f"{w['percent']:g} % {w['dataset']} ({w['language']}): {w['source']}") for w in about["wer"]),
        *(("source", _source(source)) for source in about["sources"]),
        *(("file", _file(file)) for file in files),
        ("all files", _size(about["bytes"]) if len(files) > 1 else ""),
    ]
    return [f"{about['name']}: {about['about']}", *(f"  {key:<12} {value}" for key, value in pairs if value)]


def _installed(about: Mapping[str, Any]) -> str:
    if not about["files"]:
        return "it has no files of its own"
    if about["path"]:
        return f"{about['path']}, from {about['from']}" if about["from"] else f"{about['path']}"
    return f"no; run: sottovoce models pull {about['name']}"


def _source(source: Mapping[str, Any]) -> str:
    # Of an archive the checksum, of a repository the commit: what is fetched, and how it is known to be that.
    facts = (
        _size(source.get("size")), f"sha256 {source['sha256']}" if source.get("sha256") else "",
        f"revision {source['revision']}" if source.get("revision") else "",
    )  # fmt: skip
    return ", ".join(filter(None, (source["title"], *facts)))


def _file(file: Mapping[str, Any]) -> str:
    made = f"made from {file['input']}" if "maker" in file else ""
    checksum = f"sha256 {file['sha256']}" if file.get("sha256") else "no checksum is published"
    return ", ".join(filter(None, (file["name"], _size(file.get("size")), made, checksum)))


def _languages(codes: list[str]) -> str:
    return " ".join(codes) if len(codes) <= _LISTED else str(len(codes))


def _size(size: int | None) -> str:
    return "" if size is None else f"{size / 1e6:.1f} MB"
