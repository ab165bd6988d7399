"""Real stages, each a process of its own, without supervisord: a test plays the stages that are missing."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping

import pytest

from sottovoce.actors.base import STATES
from sottovoce.protocol.bus import Subscriber
from sottovoce.protocol.messages import PipelineState
from sottovoce.protocol.paths import Paths
from sottovoce.shm import CountersView, ShmError

LEAN = '[stt.draft]\nenabled = false\n[vad]\nturn = ""\n'
"""The end of the configuration of a service whose drafts and pauses are not what a test is about: such a service costs
2.9 s of processor to start and end, and others 4.6."""
DEADLINE_S = 60.0  # a stage is ready after 0.3-0.6 s here; on a busy machine 20 s were too short


class Stages:
    """Starts stages in the directories of `paths` and ends them with the test."""

    def __init__(self, paths: Paths) -> None:
        self.paths = paths
        self._started: list[subprocess.Popen[str]] = []

    def spawn(self, *arguments: str, environ: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """Run this Python with arguments and return at once; its standard streams are pipes."""
        process = subprocess.Popen(
            [sys.executable, *arguments],
            env={**os.environ, **self.paths.environment(), **(environ or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._started.append(process)
        return process

    def start(self, name: str, environ: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """Run the stage `name` and return once it is ready."""
        process = self.spawn("-m", f"sottovoce.actors.{name}", environ=environ)
        self.wait_until(lambda: self.counters(name, process).get("state") == STATES.index("ready"), process)
        return process

    def counters(self, name: str, process: subprocess.Popen[str]) -> dict[str, int]:
        """Return what this process counts; nothing if it has no page."""
        try:
            with CountersView.attach(self.paths.counters(name)) as view:
                return view.counters() if view.pid == process.pid else {}
        except ShmError:
            return {}

    def wait_until(self, condition: Callable[[], object], process: subprocess.Popen[str] | None = None) -> None:
        """Look until something is so; fail when it never is, or when a process that it depends on has ended."""
        deadline = time.monotonic() + DEADLINE_S
        while not condition():
            if process is not None and process.poll() is not None:
                pytest.fail(f"the stage ended with {process.returncode}: {process.communicate()[1]}{self.log()}")
            if time.monotonic() > deadline:
                pytest.fail(f"waited {DEADLINE_S:g} s in vain\n{self.log()}")
            time.sleep(0.01)

    def log(self) -> str:
        """Return all that the stages have logged."""
        return "".join(file.read_text() for file in sorted(self.paths.logs.iterdir()))

    def close(self) -> None:
        """End what still runs."""
        for process in self._started:
            process.kill()
            process.communicate()


def wait_idle(paths: Paths) -> None:
    """Return once the service in `paths` has brought all that was said to its end."""
    subscriber = Subscriber(paths, ("state.pipeline",))
    try:
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline:
            subscriber.wait(0.5)
            for event in subscriber.drain():
                if isinstance(event.body, PipelineState) and event.body.state == "idle":
                    return
        pytest.fail("the recording did not come to its end")
    finally:
        subscriber.close()


def wait_until(true: Callable[[], object], seconds: float = DEADLINE_S) -> None:
    """Look until something is so, and fail the test if it is not in time."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"it did not come about in {seconds:g} s"
        time.sleep(0.03)
