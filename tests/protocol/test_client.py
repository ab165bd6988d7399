"""`subscribe`: three lines attach to a running service."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from sottovoce.protocol import subscribe
from sottovoce.protocol.exceptions import PathError
from sottovoce.protocol.paths import Paths

SPEAKER = """
import os, sys
from pathlib import Path
from sottovoce.protocol.bus import Publisher
from sottovoce.protocol.messages import Notice, StageState
from sottovoce.protocol.paths import Paths
root = Path(sys.argv[1]).parent
publisher = Publisher(Paths(root / "run", root / "state", root / "config.toml"), sys.argv[2])
publisher.publish(StageState(stage=sys.argv[2], pid=os.getpid(), state="ready"))
print("up", flush=True)
while True:
    publisher.socket.poll(10)
    publisher.welcome()
    publisher.publish(Notice(level="info", stage=sys.argv[2], code="tick", text="tick"))
"""
Open = Callable[..., Any]


def test_attaches_by_the_environment(paths: Paths, child: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without paths it attaches to the service that the environment names, and yields what the prefixes select."""
    for name, value in paths.environment().items():
        monkeypatch.setenv(name, value)
    speaker = child(SPEAKER, paths.runtime, "vad")
    assert speaker.line() == "up"
    events = list(itertools.islice(subscribe("state.", "notice"), 5))
    assert events[0].topic == "state.stage"
    assert {event.topic for event in events[1:]} == {"notice"}
    assert next(subscribe("state.")).body.pid == speaker.pid  # type: ignore[attr-defined]


def test_goes_on_after_a_restart(paths: Paths, child: Open) -> None:
    """The iteration outlives the service: a publisher that was killed and started anew is heard in the same loop."""
    first = child(SPEAKER, paths.runtime, "vad")
    pids = []
    for event in subscribe("state.", paths=paths, timeout=30.0):
        pids.append(event.body.pid)  # type: ignore[attr-defined]
        if len(pids) == 2:
            break
        first.kill()
        second = child(SPEAKER, paths.runtime, "vad")
    assert pids == [first.pid, second.pid]


def test_finds_a_publisher_that_comes_later(paths: Paths, child: Open) -> None:
    """A publisher of an unknown name, started when the loop is already running, is heard."""
    child(SPEAKER, paths.runtime, "vad")
    started = False
    for event in subscribe(paths=paths, timeout=30.0):
        if not started:
            started = bool(child(SPEAKER, paths.runtime, "tray").line())
        if event.src == "tray":
            return
    pytest.fail("silence")


def test_no_service(paths: Paths) -> None:
    """With nobody there, not even a directory, it ends after the time-out and raises nothing."""
    nowhere = Paths(paths.runtime / "no" / "such", paths.state, paths.config)
    assert list(subscribe(paths=nowhere, timeout=0.05)) == []


def test_silence_ends_it(paths: Paths, child: Open) -> None:
    """The time-out is of silence: it does not end a loop in which events keep coming."""
    speaker = child(SPEAKER, paths.runtime, "vad")
    assert speaker.line() == "up"
    count = 0
    for _ in subscribe("notice", paths=paths, timeout=1.5):
        count += 1
        if count == 200:  # of 10 ms: longer than the time-out
            speaker.kill()
    assert count >= 200


def test_too_long_a_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """A runtime directory that cannot hold sockets is refused, not silently deaf."""
    monkeypatch.setenv("SOTTOVOCE_RUNTIME_DIR", "/" + "x" * 120)
    with pytest.raises(PathError, match="SOTTOVOCE_RUNTIME_DIR"):
        next(subscribe())
