"""Less to hear: what speech costs in a test goes by its length."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

import soundfile

SHORT = ("clips/librivox-0880.wav", "clips/librivox-0930.wav")
"""Two sentences of a reader, of three seconds each."""


def only(clips: Collection[str], manifest: Path, folder: Path) -> Path:
    """Write a manifest with these clips of another one, in its order, into a folder, and return its path."""
    lines = [json.loads(line) for line in manifest.read_text().splitlines()]
    path = folder / "manifest.jsonl"
    path.write_text(
        "".join(
            json.dumps(line | {"audio": str(manifest.parent / line["audio"])}) + "\n"
            for line in lines
            if line["audio"] in clips
        )
    )
    return path


def beginning(recording: Path, seconds: float, folder: Path) -> Path:
    """Write the first seconds of a recording into a folder, and return the path."""
    path = folder / recording.name
    samples, rate = soundfile.read(recording)
    soundfile.write(path, samples[: round(seconds * rate)], rate)
    return path
