"""`make demo`: a recording of human speech through the whole service, and how long each stage took."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from sottovoce.models import Store
from sottovoce.ops.console import Console
from sottovoce.ops.exceptions import OpsError
from sottovoce.ops.live import feed
from sottovoce.ops.private import private_service
from sottovoce.ops.progress import ProgressBar
from sottovoce.ops.service import models_of
from sottovoce.protocol.config import Config
from sottovoce.protocol.journal import Journal
from sottovoce.protocol.rows import UtteranceRow

SAMPLE = "beckett"


def run(audio: Path | None) -> None:
    """Dictate `audio`, by default the sample recording, into a file, and print what was typed.

    Raises:
        OpsError: what was typed is not what the journal says was typed, or something was left behind.
    """
    store = Store()
    store.pull([*models_of(Config()), *([SAMPLE] if audio is None else [])], ProgressBar())
    if audio is None:
        audio = store.path(SAMPLE) / "beckett.wav"
    with private_service() as service:
        print(f"Service ready in {service.ready_s:.1f} s. Listening to {audio.name}, in real time:\n")
        console = Console(states=False)
        for event in feed(service.paths, audio):
            console.show(event)
        journal = Journal(service.paths.journal(keep="30d"))
        rows = journal.utterances()
        journal.close()
        typed = service.text()
    expected = "".join(row.text or "" for row in rows if row.state == "typed")
    print(f"\nTyped:\n\n  {typed}\n")
    print(latency_table(rows))
    if typed != expected:
        raise OpsError(f"what was typed is not what the journal says was typed: {json.dumps(expected)}")
    if not typed:
        raise OpsError(f"nothing was typed: {', '.join(row.reason or row.state for row in rows) or 'no speech found'}")
    print("The file and the journal agree; no process, socket or ring is left.", file=sys.stdout)


def latency_table(rows: list[UtteranceRow]) -> str:
    """Return, for the typed utterances, milliseconds from the segment's end to each later step, as a table."""
    typed = [row for row in rows if row.state == "typed"]
    if not typed:
        return "No utterance was typed.\n"
    times = [row.timings_ms() for row in typed]
    steps = {
        "segment end -> transcript": [time["transcribed"] for time in times],
        "transcript -> transformed": [time["transformed"] - time["transcribed"] for time in times],
        "transformed -> typed": [time["typed"] - time["transformed"] for time in times],
        "segment end -> typed": [time["typed"] for time in times],
        "end of speech -> typed": [((row.typed_ns or 0) - row.spoken_ns) / 1e6 for row in typed],
    }
    lines = [f"{'Latency, ms':<28}{'p50':>9}{'p95':>9}{'max':>9}   ({len(typed)} utterances)"]
    for name, values in steps.items():
        p50, p95 = np.percentile(values, [50, 95])
        lines.append(f"{name:<28}{p50:>9.1f}{p95:>9.1f}{max(values):>9.1f}")
    return "\n".join(lines) + "\n"
