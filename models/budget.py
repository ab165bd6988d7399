"""Whether there is room for a model, and for which one there would be.

Asked before a model is loaded: an allocation that fails in an engine ends the process, and the kernel, asked for more
than there is, kills some process, ours or not.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from sottovoce.models.catalogue import Entry
from sottovoce.models.devices import Gpu, gpus
from sottovoce.models.engines.base import EngineSettings
from sottovoce.models.exceptions import DoesNotFit
from sottovoce.models.measurements import best_threads
from sottovoce.models.need import MEGABYTE, in_words, need, weight
from sottovoce.models.quarantine import Quarantine
from sottovoce.models.ram import Ram, read_ram
from sottovoce.models.store import Store
from sottovoce.protocol.config import MemoryConfig

_OFFERS = 3
"""How many other models a refusal names."""


class Admission(msgspec.Struct, frozen=True):
    """Leave to load a model."""

    directory: Path
    settings: EngineSettings
    """How: threads, what runs it, how much of a card it may take."""
    notices: tuple[str, ...] = ()
    """What the person should know."""


def admit(
    store: Store,
    name: str,
    settings: EngineSettings,
    limits: MemoryConfig,
    *,
    beside: Sequence[str] = (),
    ram: Ram | None = None,
    cards: Sequence[Gpu] | None = None,
) -> Admission:
    """Decide whether a model may be loaded, and how.

    Args:
        store: where it is.
        name: the model.
        settings: what was asked for; `threads` 0 is for as many as suit it.
        limits: `[memory]`.
        beside: the models whose share of `[memory] ram` goes before this one's.
        ram: the memory there is; measured if None.
        cards: the graphics cards; looked for if None, and only for an engine that can use them.

    Raises:
        UnknownModel, ModelMissing: it is not here.
        Quarantined: it has killed a process.
        DoesNotFit: there is not enough memory.
    """
    entry = store.catalogue[name]
    directory = store.path(name)
    Quarantine(store.root).require(entry, directory)
    if not settings.threads:
        settings = msgspec.structs.replace(settings, threads=best_threads(name, store))
    _require_ram(entry, store, limits, beside, read_ram() if ram is None else ram)
    notices: tuple[str, ...] = ()
    if entry.engine == "onnx" and settings.provider != "cpu":
        settings, notices = _on_card(entry, store, settings, limits, gpus() if cards is None else cards)
    return Admission(directory, settings, notices)


def fitting(entry: Entry, store: Store, room: int) -> tuple[tuple[Entry, int], ...]:
    """Return the models that do the same as this one in `room` bytes, and the megabytes that each takes.

    Best first: those that are here, then the larger ones, which are the better ones within a family.
    """
    found = []
    for other in store.catalogue.by_task(entry.task):
        takes = need(other, store).megabytes
        same = not entry.languages or set(entry.languages) & set(other.languages)
        here = other.name != entry.name and other.engine not in ("bridge", "remote")
        if here and same and 0 < takes * MEGABYTE <= room:
            found.append((not store.installed(other.name), -takes, other.name, other, takes))
    return tuple((other, takes) for *_, other, takes in sorted(found, key=lambda one: one[:3]))


def _require_ram(entry: Entry, store: Store, limits: MemoryConfig, beside: Sequence[str], ram: Ram) -> None:
    takes, room = need(entry, store), ram.free
    told = f"{ram.free / MEGABYTE:,.0f} MB are free"
    if ram.limited_by:
        told += f" in the control group {ram.limited_by}"
    if limits.ram:
        others = sum(need(store.catalogue[other], store).megabytes for other in beside if other in store.catalogue)
        left = max(0, limits.ram - others) * MEGABYTE
        if left < room:
            room, told = left, f"[memory] ram = {limits.ram} leaves {left / MEGABYTE:,.0f} MB for it"
            told += f" beside {', '.join(beside)}" if others else ""
    if takes.megabytes * MEGABYTE <= room:
        return
    raise DoesNotFit(
        f"model {entry.name} needs {in_words(takes)} of memory, and {told}; {_offer(entry, store, room)}"
        f"{'raise [memory] ram' if room != ram.free else 'free some memory'}, or choose another model"
    )


def _offer(entry: Entry, store: Store, room: int) -> str:
    names = [
        f"{other.name} ({takes:,} MB{', installed' if store.installed(other.name) else ''})"
        for other, takes in fitting(entry, store, room)[:_OFFERS]
    ]
    return f"what would fit: {', '.join(names)}; " if names else "no model of its languages would fit; "


def _on_card(
    entry: Entry, store: Store, settings: EngineSettings, limits: MemoryConfig, cards: Sequence[Gpu]
) -> tuple[EngineSettings, tuple[str, ...]]:
    """Return the settings with the card's memory divided up; the processor instead, where there is not enough of it."""
    allowed = settings.gpu_memory or limits.vram
    settings = msgspec.structs.replace(settings, gpu_memory=allowed)
    known = [card.free for card in cards if card.free is not None][:1]  # the first card, which CUDA takes
    if not known:
        return settings, ()
    room = min(known[0], allowed * MEGABYTE) if allowed else known[0]
    size = weight(entry, store)
    if size <= room:
        return settings, ()
    told = (
        f"model {entry.name} needs more than {size / MEGABYTE:,.0f} MB of the graphics card's memory, and "
        f"{room / MEGABYTE:,.0f} MB may be had"
    )
    if settings.provider != "auto":
        raise DoesNotFit(f'{told}; raise [memory] vram, free some of it, or run the model with provider = "cpu"')
    return msgspec.structs.replace(settings, provider="cpu"), (f"{told}: it runs on the processor",)
