"""Push-to-talk through the whole service: edges from real processes, which are killed, delayed and overtaken."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from stages import wait_until

from sottovoce.actors.supervisor import Supervisor
from sottovoce.ops import ptt_latency
from sottovoce.ops.private import PrivateService, private_service
from sottovoce.protocol.bus import Subscriber
from sottovoce.protocol.clocks import SAMPLE_RATE
from sottovoce.protocol.control import request
from sottovoce.protocol.journal import Journal
from sottovoce.protocol.messages import Draft, Event, Notice, SegmentClosed
from sottovoce.protocol.rows import Recording, UtteranceRow

SOTTOVOCE = Path(sys.executable).parent / "sottovoce"
# As the command does it, with a file in the microphone's place.
DOWN = "import json, sys; from sottovoce.ops.edge import send; print(send('down', source=json.loads(sys.argv[1])))"
TICK_S = 1 / os.sysconf("SC_CLK_TCK")
PACE = 0.5  # so that ten seconds of speech last while processes are started on a busy machine
LIMIT_S = 3.0


class Keyboard:
    """A key that is bound to the commands of a service, and what comes of it."""

    def __init__(self, service: PrivateService, audio: Path) -> None:
        self.service = service
        self.source = {"type": "file", "path": str(audio), "pace": PACE}
        self.journal = Journal(service.paths.journal(keep="30d"))
        self.subscriber = Subscriber(service.paths, ("transcript.draft", "segment.", "notice"))
        self.heard: list[Event] = []
        self.processes: list[subprocess.Popen[str]] = []

    def start(self, edge: str) -> subprocess.Popen[str]:
        """Start the process of an edge."""
        down = [sys.executable, "-P", "-c", DOWN, json.dumps(self.source)]
        process = subprocess.Popen(
            down if edge == "down" else [SOTTOVOCE, "ptt", "up"],
            env={**os.environ, **self.service.paths.environment()},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.processes.append(process)
        return process

    def edge(self, edge: str) -> str:
        """Run the process of an edge to its end, and return what it printed."""
        process = self.start(edge)
        output, errors = process.communicate(timeout=30)
        assert process.returncode == 0, errors
        return output

    def later(self) -> None:
        """Return when a process that is started now has a later time than those before."""
        since = time.clock_gettime(time.CLOCK_BOOTTIME) // TICK_S
        wait_until(lambda: time.clock_gettime(time.CLOCK_BOOTTIME) // TICK_S > since)

    def recording(self) -> Recording:
        """Return the newest recording."""
        newest = self.journal.recording()
        assert newest is not None
        return newest

    def generation(self) -> int:
        """Return the number of the newest recording, 0 before the first."""
        newest = self.journal.recording()
        return newest.generation if newest else 0

    def rows(self) -> list[UtteranceRow]:
        """Return the utterances of the newest recording."""
        return self.journal.utterances(generation=self.generation())

    def listen(self, *kinds: type[Any]) -> list[Any]:
        """Return what the bus has told of these kinds since the key was pressed."""
        self.heard += self.subscriber.drain()
        return [event.body for event in self.heard if isinstance(event.body, kinds)]

    def speak(self) -> None:
        """Press the key, and return when a second has been said: of less, a tiny model may make nothing."""
        self.listen()
        self.heard.clear()
        self.edge("down")
        wait_until(lambda: any(body.end - body.first >= SAMPLE_RATE for body in self.listen(Draft)))

    def settled(self) -> list[UtteranceRow]:
        """Return the utterances of the newest recording once all of them have come to their end."""

        def closed() -> bool:
            self.listen()  # a zmq socket that nobody reads does not subscribe again at a process that was restarted
            return self.recording().closed_ns is not None

        wait_until(closed, 120)
        return self.rows()

    def close(self) -> None:
        """End all that was begun."""
        for process in self.processes:
            process.kill()
            process.communicate()
        request(self.service.paths.control, "cancel")
        self.subscriber.close()
        self.journal.close()


@pytest.fixture(scope="module")
def service(beckett: Path) -> Iterator[PrivateService]:
    """A service that takes no pause for an end, so that each segment is closed by the key."""
    with private_service(config="[vad]\nendpoint = 2.0\n") as running:
        yield running


@pytest.fixture
def keyboard(service: PrivateService, beckett: Path) -> Iterator[Keyboard]:
    """Return the key of the service that this module shares."""
    attached = Keyboard(service, beckett)
    try:
        yield attached
    finally:
        attached.close()


@pytest.fixture
def kill() -> Callable[[PrivateService], int]:
    """Return a function that kills the conductor and tells its process id."""

    def conductor(service: PrivateService) -> int:
        pid = int(Supervisor(service.paths.supervisor_socket).processes()["conductor"]["pid"])
        os.kill(pid, signal.SIGKILL)
        return pid

    return conductor


def test_a_release_is_an_endpoint_at_once(keyboard: Keyboard) -> None:
    """What is open when the key goes up is closed with the reason `stop` and typed; nothing after it is recorded."""
    before = keyboard.service.text()
    keyboard.speak()
    keyboard.edge("up")
    rows = keyboard.settled()
    wait_until(lambda: keyboard.listen(SegmentClosed))
    assert [body.reason for body in keyboard.listen(SegmentClosed)] == ["stop"]
    assert [row.state for row in rows] == ["typed"]
    assert re.match(r"\s*ever\b", rows[0].text or "", re.IGNORECASE)
    assert keyboard.service.text().removeprefix(before) == rows[0].text
    stop_ns = keyboard.recording().stop_ns
    assert stop_ns is not None
    assert rows[0].spoken_ns <= stop_ns


def test_a_held_key_that_repeats_is_one_press(keyboard: Keyboard) -> None:
    """Twenty-five processes that all say `down`, as a keyboard's repeat starts them: one recording, one release."""
    keyboard.source["pace"] = PACE / 10
    keyboard.edge("down")
    generation = keyboard.generation()
    for _ in range(5):
        repeats = [keyboard.start("down") for _ in range(5)]
        assert [process.wait(30) for process in repeats] == [0] * 5
    assert keyboard.generation() == generation
    assert keyboard.recording().wanted
    keyboard.edge("up")
    keyboard.edge("up")
    assert not keyboard.recording().wanted
    assert keyboard.generation() == generation
    keyboard.settled()


@pytest.mark.parametrize("waiting", [False, True])
def test_a_conductor_that_is_killed_honours_the_release(
    keyboard: Keyboard, kill: Callable[[PrivateService], int], waiting: bool
) -> None:
    """SIGKILL while the key is down; the release comes when there is a new conductor, or while there is none."""
    keyboard.speak()
    generation = keyboard.generation()
    killed = kill(keyboard.service)
    if waiting:
        supervisor = Supervisor(keyboard.service.paths.supervisor_socket)
        wait_until(lambda: supervisor.processes()["conductor"]["pid"] not in (0, killed))
    keyboard.edge("up")
    assert keyboard.recording().stop_ns is not None
    assert keyboard.generation() == generation
    rows = keyboard.settled()
    assert rows[0].state == "typed", rows[0].reason


def test_a_press_that_was_overtaken_by_its_release_records_nothing(keyboard: Keyboard) -> None:
    """The process of the press is frozen before it can say a thing, and thawed when that of the release has ended."""
    generation = keyboard.generation()
    for _ in range(3):
        down = keyboard.start("down")
        down.send_signal(signal.SIGSTOP)
        keyboard.later()
        keyboard.edge("up")
        down.send_signal(signal.SIGCONT)
        assert down.wait(30) == 0
        assert keyboard.generation() == generation


def test_a_release_that_was_overtaken_by_the_next_press_ends_nothing(keyboard: Keyboard) -> None:
    """The key is down again when the process of the first release comes to speak; the second release ends it."""
    keyboard.edge("down")
    keyboard.later()
    late = keyboard.start("up")
    late.send_signal(signal.SIGSTOP)
    keyboard.later()
    keyboard.edge("down")
    late.send_signal(signal.SIGCONT)
    assert late.communicate(timeout=30)[0] == "recording\n"
    assert keyboard.recording().wanted
    keyboard.later()
    keyboard.edge("up")
    assert not keyboard.recording().wanted


def test_taps_whose_processes_race_leave_nothing_on(keyboard: Keyboard) -> None:
    """Press and release a tick apart, both processes loading at the same time: in the end the key is up."""
    for _ in range(10):
        down = keyboard.start("down")
        keyboard.later()
        up = keyboard.start("up")
        assert (down.wait(30), up.wait(30)) == (0, 0)
        assert request(keyboard.service.paths.control, "status")["state"] != "recording"


def test_the_latency_of_releases_is_measured(service: PrivateService, beckett: Path) -> None:
    """Each release has an outcome; the parts of one that was typed add up, and the text is not in the report."""
    first, *_, last = ptt_latency.points(beckett, 12)
    assert 0.3 <= first < last <= 10
    before = service.text()
    report = ptt_latency.run(service.paths, beckett, [first])
    assert report["releases"] == report["typed"] + report["nothing_left"] + report["not_typed"] == 1
    (each,) = report["each"]
    assert each["outcome"] == "typed"
    assert sum(each["parts_ms"].values()) == pytest.approx(1000 * each["release_to_typed_s"], abs=1)
    assert 0 < each["request_to_typed_s"] < each["release_to_typed_s"]
    assert report["release_to_typed_s"]["p50"] == pytest.approx(each["release_to_typed_s"], abs=1e-3)
    typed = service.text().removeprefix(before).strip()
    assert typed
    assert typed not in json.dumps(report)
    assert "key released -> typed" in ptt_latency.render(report)


@pytest.fixture(scope="module")
def limited(service: PrivateService) -> PrivateService:
    """The same service, from now on with a limit for the key that soon is reached."""
    with service.paths.config.open("a") as file:
        file.write(f"[ptt]\nlimit = {LIMIT_S}\n")
    Supervisor(service.paths.supervisor_socket).restart("conductor")
    return service


@pytest.mark.parametrize("killed", [False, True])
def test_a_lost_release_ends_by_the_limit(
    limited: PrivateService, keyboard: Keyboard, kill: Callable[[PrivateService], int], killed: bool
) -> None:
    """No release comes: after `[ptt] limit` a notice says so and what was said is typed, by a new conductor, too."""
    keyboard.source["pace"] = 1.0
    keyboard.listen()  # which connects it
    before = keyboard.generation()
    keyboard.edge("down")
    wait_until(lambda: keyboard.generation() > before and keyboard.recording().stream is not None)
    if killed:
        kill(limited)
    rows = keyboard.settled()
    wait_until(lambda: "ptt" in [body.code for body in keyboard.listen(Notice)])
    ended = keyboard.recording()
    assert rows
    assert rows[0].state == "typed"
    assert (ended.end_reason, ended.stop_ns is not None) == ("stop", True)
    assert (ended.stop_ns or 0) - ended.requested_ns > LIMIT_S * 1e9
