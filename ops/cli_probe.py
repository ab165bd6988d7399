"""`sottovoce models probe`, `models release` and `models devices`: what models do on this machine, and what it has."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sottovoce.ops.exceptions import EXIT_FAILED
from sottovoce.ops.output import JsonFlag, print_json

if TYPE_CHECKING:
    from sottovoce.models.devices import Devices
    from sottovoce.models.measurements import Probe, Run

_MB = 1_000_000


class Provider(StrEnum):
    """What is to run a model."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"
    TENSORRT = "tensorrt"


def hook(models_app: typer.Typer) -> None:
    """Add these commands to `sottovoce models`."""
    models_app.command("probe")(models_probe)
    models_app.command("release")(models_release)
    models_app.command("devices")(models_devices)


def models_probe(
    name: Annotated[str, typer.Argument(help="A recogniser, as `models list` names it.")],
    *,
    threads: Annotated[
        list[int] | None, typer.Option(min=1, max=64, help="So many threads; repeatable. By default 1, 2, 4 ... all.")
    ] = None,
    provider: Annotated[Provider, typer.Option(help="What runs it, where its engine has a choice.")] = Provider.AUTO,
    audio: Annotated[Path | None, typer.Option(help="A sound file; by default ten seconds of Beckett.")] = None,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds for each number of threads.")] = 300.0,
    as_json: JsonFlag = False,
) -> None:
    """Try a model in a child process: load time, speed by threads, memory, and what it hears. What is found is kept."""
    import msgspec

    from sottovoce.models.probe import probe

    def progress(count: int) -> None:
        if not as_json:
            print(f"with {_threads(count)} ...", file=sys.stderr)

    found = probe(
        name, threads=threads or (), provider=provider.value, sample=audio, timeout_s=timeout, progress=progress
    )
    if as_json:
        derived = {"passed": found.passed, "threads": found.best.threads if found.best else None}
        runs = [
            msgspec.to_builtins(run) | {"rtf": run.rtf, "first_penalty_s": run.first_penalty_s} for run in found.runs
        ]
        print_json(msgspec.to_builtins(found) | derived | {"runs": runs})
    else:
        show(found)
    if not found.passed:
        raise typer.Exit(EXIT_FAILED)


def models_release(name: Annotated[str, typer.Argument(help="A model that is in quarantine.")]) -> None:
    """Let a model be used again that was put into quarantine because it had killed a process."""
    from sottovoce.models import Store
    from sottovoce.models.quarantine import Quarantine

    store = Store()
    released = Quarantine(store.root).release(store.catalogue[name].name)
    print(f"{name}: released" if released else f"{name} is not in quarantine")


def models_devices(as_json: JsonFlag = False) -> None:
    """Show what there is to run models on: processor, memory, graphics cards, and what ONNX Runtime was built for."""
    import msgspec

    from sottovoce.models.devices import find_devices

    found = find_devices()
    if as_json:
        print_json(msgspec.to_builtins(found))
    else:
        for line in device_lines(found):
            print(line)


def show(found: Probe) -> None:
    """Print a probe for people."""
    print(f"{found.model} on {found.cpu}, {found.cores} cores")
    print(
        f"{'threads':>7}{'load s':>9}{'decode s':>10}{'real time':>11}{'first s':>9}{'30 s':>8}{'MB':>7}{'closed':>8}"
    )
    for run in found.runs:
        print(
            f"{run.threads:>7}{run.load_s:>9.2f}{run.decode_s:>10.3f}{run.rtf:>11.3f}"
            f"{f'+{run.first_penalty_s:.3f}':>9}{run.long_s:>8.2f}{run.peak / _MB:>7.0f}{run.pss_closed / _MB:>8.0f}"
        )
    if found.notice:
        print(found.notice)
    if found.best is not None:
        print(f"threads = {found.best.threads} suits it; {found.memory / _MB:.0f} MB are what it needs")
        print(f"heard: {found.best.text!r}")
    if (trouble := found.trouble) is not None:
        print(f"with {_threads(trouble.threads)} it {trouble_of(trouble)}")
        for line in trouble.said:
            print(f"  {line}")


def trouble_of(run: Run) -> str:
    """Return what went wrong, and what follows from that."""
    if run.outcome == "refused":
        return f"was refused: {run.reason}"
    if run.outcome == "hung":
        return f"{run.reason}; give it more with --timeout, or choose a smaller model"
    return f"{run.reason}; it is in quarantine: pull it again, or choose another model"


def device_lines(found: Devices) -> list[str]:
    """Return the devices for people."""
    ram = found.ram
    limited = f" in the control group {ram.limited_by}" if ram.limited_by else ""
    stalled = "" if ram.stalled_percent is None else f", waited for {ram.stalled_percent:g} % of the last 10 s"
    lines = [
        f"processor     {found.cpu}, {found.cores} cores",
        f"memory        {ram.total / _MB:,.0f} MB{limited}, {ram.free / _MB:,.0f} MB free{stalled}",
    ]
    for card in found.gpus:
        size = "memory not known" if card.total is None else f"{card.total / _MB:,.0f} MB"
        free = "" if card.free is None else f", {card.free / _MB:,.0f} MB free"
        lines.append(
            f"graphics {card.index:<5}{card.name}, {size}{free}{f', driver {card.driver}' * bool(card.driver)}"
        )
    if not found.gpus:
        lines.append("graphics      no NVIDIA card is to be seen")
    lines.append(f"ONNX Runtime  {found.onnxruntime}: {', '.join(found.providers) or 'no providers'}")
    return lines


def _threads(count: int) -> str:
    return f"{count} thread{'s' * (count > 1)}"
