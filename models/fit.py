"""Which models fit a machine, and why; and which one is recommended for a language.

Everything here is a function of the catalogue, of a `Machine` and of what was measured, so that it can be asked of
machines that one has not got. `Machine.here` alone looks.

What counts is memory: a model that swaps is of no use, while one that is slow still writes. How slow a model is depends
on the processor and shows when it is run (`sottovoce models probe`); what was measured is heeded, nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

import msgspec

from sottovoce.models.catalogue import Catalogue, Entry

Level = Literal["fits", "tight", "no", "unknown"]
"""tight: it runs, but too little memory is free at the moment, or it is hardly as fast as one speaks; unknown: nobody
has measured what its program takes."""
Basis = Literal["measured", "catalogue", "estimate", "none"]
MemoryClass = Literal["unknown", "small", "medium", "large", "huge"]
Measured: TypeAlias = Mapping[str, tuple[int, float]]
"""By model: megabytes at the most, and the real-time factor, as they were measured on this machine."""

_MB = 1_000_000
_CLASSES: tuple[tuple[int, MemoryClass], ...] = ((400, "small"), (1_200, "medium"), (4_000, "large"))
"""Up to so many megabytes: what 1 GB, 2 GB and 8 GB of memory have room for. What is larger is huge."""
_SHARE = 0.6
"""Of all memory, for a model: the system, a desktop and a browser want the rest."""
_BASE_MB = 200.0
_FACTOR, _WHISPER_FACTOR = 1.5, 3.7
"""Megabytes that a process takes, about: a base, and so many for each of its files. From the models that have been
measured (`memory` in catalogue.toml): Parakeet 0.6B, of 670 MB, took 1020; Whisper small, of 375 MB, took 1590."""
_SLOW, _TOO_SLOW = 0.5, 1.0


class Machine(msgspec.Struct, frozen=True):
    """What a model is to run on. Memory in megabytes."""

    total: int
    free: int
    """What can be had without swapping."""
    cores: int
    """That a process may use."""
    gpu: bool = False
    """Whether there is a card of NVIDIA's with its driver loaded."""

    @classmethod
    def here(cls) -> Machine:
        """Look at this machine, or at the control group that limits us; no library is loaded and no process started."""
        from sottovoce.models.devices import cores, from_proc
        from sottovoce.models.ram import read_ram

        ram = read_ram()
        gpu = bool(from_proc()) or Path("/dev/nvidia0").exists()  # the latter alone within a container
        return cls(ram.total // _MB, ram.free // _MB, cores(), gpu)


class Need(msgspec.Struct, frozen=True):
    """What a process with a model takes."""

    megabytes: int
    """0 where nobody knows."""
    basis: Basis

    @property
    def kind(self) -> MemoryClass:
        """The memory class."""
        if self.basis == "none":
            return "unknown"
        return next((name for limit, name in _CLASSES if self.megabytes <= limit), "huge")


class Fit(msgspec.Struct, frozen=True):
    """Whether a model fits."""

    level: Level
    why: str
    """A clause for people."""


def need(entry: Entry, measured: Measured | None = None) -> Need:
    """Return the memory that a process with the model takes: as measured here, else as the catalogue says, else about.

    Args:
        entry: the model.
        measured: what probes have found.
    """
    if measured and (found := measured.get(entry.name)) and found[0]:
        return Need(found[0], "measured")
    if entry.memory:
        return Need(entry.memory, "catalogue")
    if entry.engine in (None, "remote") or not entry.all_files or entry.size is None:
        return Need(0, "none")
    factor = _WHISPER_FACTOR if entry.constructor == "from_whisper" else _FACTOR
    return Need(round(_BASE_MB + factor * entry.size / _MB), "estimate")


def fit(entry: Entry, machine: Machine, measured: Measured | None = None) -> Fit:
    """Tell whether a machine can run a model.

    Args:
        entry: the model.
        machine: the machine.
        measured: what probes have found on it.
    """
    if entry.task == "sample":
        return Fit("fits", "a recording, which nothing runs")
    if entry.engine == "remote":
        return Fit("fits", f"runs elsewhere, at {entry.url}")
    factor = measured[entry.name][1] if measured and entry.name in measured else 0.0
    pace = f"{factor:.1f} s of work for a second of speech, measured here"
    if factor >= _TOO_SLOW:
        return Fit("no", f"too slow: {pace}")
    found = _room(entry, machine, need(entry, measured))
    return Fit("tight", f"slow: {pace}") if found.level == "fits" and factor >= _SLOW else found


def _room(entry: Entry, machine: Machine, wanted: Need) -> Fit:
    if wanted.basis == "none":
        return Fit("unknown", "nobody has measured it; models probe does")
    takes = f"takes {'about ' if wanted.basis == 'estimate' else ''}{gigabytes(wanted.megabytes)}"
    room = round(_SHARE * machine.total)
    if wanted.megabytes > room:
        return Fit("no", f"{takes}, of {gigabytes(machine.total)} there is room for {gigabytes(room)}")
    if wanted.megabytes > machine.free:
        return Fit("tight", f"{takes}, {gigabytes(machine.free)} are free at the moment")
    card = ", can use the graphics card" if machine.gpu and entry.engine in ("onnx", "bridge") else ""
    return Fit("fits", f"{takes} of {gigabytes(machine.total)}{card}")


class _Choice(NamedTuple):
    """A model that is recommended for the languages that it knows, where a machine is large enough."""

    name: str
    total: int = 0
    """Least megabytes of all memory."""
    cores: int = 1


# Best first. Parakeet is the most accurate of those that write marks and capitals and keep up with speech on a
# processor; in the languages that it does not know it is Whisper, as large as a machine can do with. Moonshine and
# GigaAM are for what has less memory than Parakeet wants.
_CHOICES = (
    _Choice("parakeet-tdt-0.6b-v3-int8", total=2_000),
    _Choice("moonshine-tiny-en"),
    _Choice("giga-am-v2-ru"),
    _Choice("whisper-turbo", total=8_000, cores=8),
    _Choice("whisper-small", total=4_000, cores=4),
    _Choice("whisper-base", total=2_000, cores=2),
    _Choice("whisper-tiny"),
)


def recommend(catalogue: Catalogue, machine: Machine, language: str, measured: Measured | None = None) -> Entry | None:
    """Return the model that is recommended for dictation in a language; None where none that fits knows it.

    Memory that is taken at the moment does not count: it may be free again before the model is here.

    Args:
        catalogue: which models there are.
        machine: the machine.
        language: ISO 639-1.
        measured: what probes have found on it.
    """
    for choice in _CHOICES:
        if choice.name not in catalogue or machine.total < choice.total or machine.cores < choice.cores:
            continue
        entry = catalogue[choice.name]
        if language in entry.languages and fit(entry, machine, measured).level != "no":
            return entry
    return None


def recommendations(
    catalogue: Catalogue, machine: Machine, measured: Measured | None = None
) -> dict[str, tuple[str, ...]]:
    """Return the recommended models, each with the languages that it is recommended for, in alphabetical order."""
    found: dict[str, list[str]] = {}
    for language in sorted({language for entry in catalogue.by_task("asr") for language in entry.languages}):
        if entry := recommend(catalogue, machine, language, measured):
            found.setdefault(entry.name, []).append(language)
    return {name: tuple(languages) for name, languages in found.items()}


def gigabytes(megabytes: float) -> str:
    """Return an amount of memory as people say it: "320 MB", "1.0 GB"."""
    return f"{megabytes:.0f} MB" if megabytes < 1_000 else f"{megabytes / 1_000:.1f} GB"
