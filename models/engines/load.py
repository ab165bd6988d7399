"""From a catalogue entry to an engine."""

from __future__ import annotations

from pathlib import Path

from sottovoce.models.catalogue import Entry
from sottovoce.models.engines.base import OfflineEngine
from sottovoce.models.exceptions import EngineFailed


def load_engine(entry: Entry, directory: Path, *, threads: int = 1) -> OfflineEngine:
    """Make the engine that a catalogue entry names.

    Args:
        entry: an entry of task `asr`.
        directory: where its files are, from `Store.path`.
        threads: threads that decode.

    Raises:
        EngineFailed: the entry is no recogniser, its files are not all there, or the engine refuses them.
    """
    if entry.task == "asr" and entry.engine == "sherpa":
        from sottovoce.models.engines.sherpa import SherpaOffline

        return SherpaOffline(entry, directory, threads=threads)
    raise EngineFailed(f"model {entry.name} (task {entry.task}, engine {entry.engine}) does not recognise speech")
