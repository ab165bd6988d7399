"""`sottovoce bench live`: a recording in real time through the running processes, one line an event.

The lines are what `dictation.py score`-like judges of any dictation program need: seconds since the first sample was
fed, whether it was shown, decided or typed, and the text.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, TextIO

from sottovoce.ops.exceptions import OpsError
from sottovoce.ops.live import feed
from sottovoce.protocol.messages import CaptureStarted, Draft, Event, Final, Typed
from sottovoce.protocol.paths import Paths


def run(paths: Paths, audio: Path, events: Path) -> dict[str, Any]:
    """Feed `audio` and write `events`.

    Returns:
        Counts of each kind, and the text that was typed.

    Raises:
        OpsError: `events` cannot be written; and see `live.feed`.
        AudioFileError, ControlError: see `live.feed`.
    """
    started_ns: int | None = None
    counts = {"draft": 0, "final": 0, "typed": 0}
    typed = []
    with _create(events) as file:
        for event in feed(paths, audio):
            if isinstance(event.body, CaptureStarted):
                started_ns = started_ns or event.t_ns  # a restarted capture stage says it again
            elif started_ns is not None and (line := _line(event, started_ns)) is not None:
                counts[line["kind"]] += 1
                if line["kind"] == "typed":
                    typed.append(line["text"])
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
                file.flush()
    return {"audio": str(audio), "events": str(events), **counts, "text": "".join(typed)}


def _create(events: Path) -> TextIO:
    try:
        return open(events, "w", encoding="utf-8", opener=_private)
    except OSError as error:
        raise OpsError(f"{events}: cannot be written: {error.strerror}; name another file") from error


def _private(path: str, flags: int) -> int:
    """Open with mode 0600: the lines hold what was said."""
    return os.open(path, flags, 0o600)


def _line(event: Event, started_ns: int) -> dict[str, Any] | None:
    body = event.body
    if not isinstance(body, Draft | Final | Typed):
        return None
    kind = {Draft: "draft", Final: "final", Typed: "typed"}[type(body)]
    return {"t": round((event.t_ns - started_ns) / 1e9, 4), "kind": kind, "text": body.text}
