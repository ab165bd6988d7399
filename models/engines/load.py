"""From a catalogue entry to an engine."""

from __future__ import annotations

from pathlib import Path

from sottovoce.models.catalogue import Entry
from sottovoce.models.engines.base import EngineSettings, OfflineEngine, Punctuator, StreamingEngine
from sottovoce.models.engines.whole import Whole
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
    if entry.task == "asr" and entry.streaming:
        raise EngineFailed(f"model {entry.name} is a streaming one: it hears while one speaks, not a segment at a time")
    match entry.engine if entry.task == "asr" else None:
        case "sherpa":
            from sottovoce.models.engines.sherpa import SherpaOffline

            return SherpaOffline(entry, directory, settings)
        case "onnx":
            from sottovoce.models.engines.onnx import OnnxOffline

            return OnnxOffline(entry, directory, settings)
        case "pocketsphinx":
            from sottovoce.models.engines.pocketsphinx import PocketSphinx

            return PocketSphinx(entry, directory, settings)
        case "bridge":
            from sottovoce.models.engines.bridge import Bridge

            return Bridge(entry, directory, settings)
        case "remote" if entry.url.startswith("wyoming:"):
            from sottovoce.models.engines.wyoming import Wyoming

            return Wyoming(entry, directory, settings)
        case "remote":
            from sottovoce.models.engines.remote import Remote

            return Remote(entry, directory, settings)
    raise EngineFailed(f"model {entry.name} (task {entry.task}, engine {entry.engine}) does not recognise speech")


def load_recogniser(entry: Entry, directory: Path, settings: EngineSettings = EngineSettings()) -> OfflineEngine:  # noqa: B008
    """Make the engine that a catalogue entry names; one that hears while one speaks is given whole segments (`Whole`).

    Args:
        entry: an entry of task `asr`.
        directory: where its files are, from `Store.path`.
        settings: how to run it.

    Raises:
        EngineFailed: the entry is no recogniser, its files are not all there, or the engine refuses them.
    """
    if entry.streaming:
        return Whole(load_streaming(entry, directory, settings))
    return load_engine(entry, directory, settings)


def load_streaming(entry: Entry, directory: Path, settings: EngineSettings = EngineSettings()) -> StreamingEngine:  # noqa: B008
    """Make the streaming engine that a catalogue entry names.

    Args:
        entry: an entry of task `asr` that is streaming.
        directory: where its files are, from `Store.path`.
        settings: how to run it.

    Raises:
        EngineFailed: the entry is none, its files are not all there, or the engine refuses them.
    """
    if entry.task == "asr" and entry.streaming and entry.engine == "sherpa":
        from sottovoce.models.engines.sherpa_online import SherpaOnline

        return SherpaOnline(entry, directory, settings)
    raise EngineFailed(f"model {entry.name} (task {entry.task}, engine {entry.engine}) does not hear while one speaks")


def load_punctuator(entry: Entry, directory: Path, settings: EngineSettings = EngineSettings()) -> Punctuator:  # noqa: B008
    """Make what puts marks into text.

    Args:
        entry: an entry of task `punctuation`.
        directory: where its files are, from `Store.path`.
        settings: how to run it.

    Raises:
        EngineFailed: the entry is none, its files are not all there, or the engine refuses them.
    """
    if entry.task == "punctuation" and entry.engine == "sherpa":
        from sottovoce.models.engines.punctuation import SherpaPunctuator

        return SherpaPunctuator(entry, directory, settings)
    raise EngineFailed(f"model {entry.name} (task {entry.task}, engine {entry.engine}) puts no marks into text")
