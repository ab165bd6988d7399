"""What a model needs on this machine: `fit.need`, told what a probe has found."""

from __future__ import annotations

from sottovoce.models.catalogue import Entry
from sottovoce.models.fit import Need
from sottovoce.models.fit import need as of_entry
from sottovoce.models.measurements import measured
from sottovoce.models.store import Store

MEGABYTE = 1_000_000


def need(entry: Entry, store: Store) -> Need:
    """Return what a process with this model takes: as a probe measured it, else as the catalogue says, else about."""
    found = measured(entry.name, store)
    if found is None or found.best is None:
        return of_entry(entry)
    return of_entry(entry, {entry.name: (round(found.memory / MEGABYTE), found.best.rtf)})


def in_words(takes: Need) -> str:
    """Return it for people."""
    how = {"measured": "as measured here", "catalogue": "says the catalogue", "estimate": "judged by its files"}
    return f"{takes.megabytes:,} MB ({how.get(takes.basis, 'nobody knows')})"


def weight(entry: Entry, store: Store) -> int:
    """Return the bytes of a model's files: as they are, else as the catalogue has them; 0 where nobody knows."""
    if entry.all_files and store.installed(entry.name):
        directory = store.path(entry.name)
        return sum((directory / file.name).stat().st_size for file in entry.all_files)
    return entry.size or 0
