"""Feeding a recording to a running service, and hearing what comes of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from sottovoce.actors.audiofile import info
from sottovoce.ops.exceptions import OpsError
from sottovoce.protocol.bus import STAGES, Subscriber
from sottovoce.protocol.config import load_config
from sottovoce.protocol.control import request
from sottovoce.protocol.journal import Journal
from sottovoce.protocol.messages import Event, NotTyped, PipelineState, StageState, Suppressed, Typed
from sottovoce.protocol.paths import Paths

_QUIET_LIMIT_S = 60.0  # a stage that is restarted with a large model may be silent for long
_LAST_S = 1.0  # for the last events to arrive, should one be lost
_ATTACH_LIMIT_S = 2.0  # a parked stage's socket is still there, and says nothing


def feed(paths: Paths, audio: Path, *, pace: float = 1.0) -> Iterator[Event]:
    """Have the service record a file, and yield every event until all of it has been typed or told.

    Args:
        paths: the service's paths.
        audio: any file that `actors.audiofile` reads.
        pace: times real time, 0 for as fast as it goes.

    Raises:
        AudioFileError: it cannot be read.
        ControlError: no service answers, or it is recording already.
        OpsError: the service fell silent.
    """
    info(audio)  # a clear error here, before the service is asked
    subscriber = Subscriber(paths)
    try:
        yield from _attach(subscriber, paths)
        started = request(
            paths.control, "start", {"source": {"type": "file", "path": str(audio.absolute()), "pace": pace}}
        )
        generation = started["generation"]
        heard, told, idle_at = time.monotonic(), set[tuple[int, int]](), None
        while idle_at is None or (not _all_told(paths, generation, told) and time.monotonic() - idle_at < _LAST_S):
            subscriber.wait(0.1)
            for event in subscriber.drain():
                heard = time.monotonic()
                yield event
                body = event.body
                if isinstance(body, Typed | NotTyped | Suppressed):
                    told.add((body.stream, body.first))
                elif isinstance(body, PipelineState) and (body.generation, body.state) == (generation, "idle"):
                    idle_at = time.monotonic()
            if time.monotonic() - heard > _QUIET_LIMIT_S:
                state = request(paths.control, "status")
                if state["state"] == "idle":
                    return
                raise OpsError(f"the service has said nothing for {_QUIET_LIMIT_S:g} s ({state}); see `sottovoce logs`")
    finally:
        subscriber.close()


def _all_told(paths: Paths, generation: int, told: set[tuple[int, int]]) -> bool:
    """Tell whether the events of all utterances of a recording have come.

    Two stages' events keep no common order: the conductor's "idle" may overtake the injector's last "typed".
    """
    keep = load_config(paths.config).history.keep
    journal = Journal(paths.journal(keep=keep), keep=keep)
    try:
        return told >= {(row.stream, row.first) for row in journal.utterances(generation=generation)}
    finally:
        journal.close()


def _attach(subscriber: Subscriber, paths: Paths) -> Iterator[Event]:
    """Wait until every stage has answered the subscription with its state: from then on nothing is missed."""
    waiting = {path.stem for path in paths.runtime.glob("*.events")} & set(STAGES)
    deadline = time.monotonic() + _ATTACH_LIMIT_S
    while waiting and time.monotonic() < deadline:
        subscriber.wait(0.05)
        for event in subscriber.drain():
            if isinstance(event.body, StageState):
                waiting.discard(event.src)
            yield event
