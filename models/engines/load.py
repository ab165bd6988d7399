"""From a catalogue entry to an engine."""

from __future__ import annotations

from pathlib import Path

from sottovoce.models.catalogue import Entry
from sottovoce.models.engines.base import EngineSettings, OfflineEngine
from sottovoce.models.exceptions import EngineFailed


def load_engine(entry: Entry, directory: Path, settings: EngineSettings = EngineSettings()) -> OfflineEngine:  # noqa: B008 - it is frozen
    """Make the engine that a catalogue entry names.

    Args:
        entry: an entry of task `asr` that is not streaming.
        directory: where its files are, from `Store.path`.
        settings: how to run it.

    Raises:
        EngineFailed: the entry is no recogniser, its files are not all there, or the engine refuses them.
    """
    if entry.task == "asr" and entry.engine == "sherpa" and not entry.streaming:
        from sottovoce.models.engines.sherpa import SherpaOffline

        return SherpaOffline(entry, directory, settings)
    raise EngineFailed(f"model {entry.name} (task {entry.task}, engine {entry.engine}) does not recognise speech")
