"""The whole service with a virtual microphone of a real sound server: what is said into it is typed, come what may."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from soundserver import PipeWire, SoundServer, sound_server
from stages import LEAN, wait_idle, wait_until

from sottovoce.ops.private import PrivateService, private_service
from sottovoce.protocol.bus import Subscriber
from sottovoce.protocol.clocks import SAMPLE_RATE
from sottovoce.protocol.control import request
from sottovoce.protocol.messages import Notice
from sottovoce.shm import CountersView, ShmError

SAID = ["ever", "tried", "ever", "failed", "no", "matter", "try", "again", "fail", "again", "fail", "better"]
Player = subprocess.Popen[bytes]
During = Callable[[Player], None]
MIDDLE_S = 4.0
"""After "No matter", of ten seconds."""


def words(text: str) -> list[str]:
    """Return the words of a text, without case and punctuation."""
    return re.findall(r"[\w']+", text.lower())


def misheard(heard: list[str], said: list[str]) -> int:
    """Return how many words differ, one for each that is missing."""
    return sum(a != b for a, b in zip(heard, said, strict=False)) + abs(len(heard) - len(said))


class Dictation:
    """A service and the sound server that its microphone is at."""

    def __init__(self, service: PrivateService, server: SoundServer) -> None:
        self.service, self.server = service, server
        self.notices: list[str] = []
        self._subscriber = Subscriber(service.paths, ("notice",))

    def counted(self, name: str) -> int:
        """Return a counter of capture; -1 while there is no such process."""
        try:
            with CountersView.attach(self.service.paths.counters("capture")) as view:
                return view.counters()[name]
        except ShmError:
            return -1

    def hear(self, seconds: float = 0.3) -> None:
        """Return once so much more has been heard."""
        position = self.counted("position")
        wait_until(lambda: self.counted("position") > position + seconds * SAMPLE_RATE, 40)

    def told(self, text: str) -> None:
        """Return once a notice with these words has come."""

        def come() -> bool:
            events = self._subscriber.drain()
            self.notices.extend(event.body.text for event in events if isinstance(event.body, Notice))
            return any(text in notice for notice in self.notices)

        wait_until(come)

    def __call__(self, wav: Path, during: During = lambda _player: None) -> list[str]:
        """Dictate a recording, have something happen in its midst, and return the words typed."""
        before = self.service.text()
        frames = self.counted("frames")
        request(self.service.paths.control, "start")
        wait_until(lambda: self.counted("frames") > frames)
        player = self.server.playing(wav)
        try:
            self.hear(MIDDLE_S)
            during(player)
            player.wait(40)
        finally:
            player.kill()
            player.wait()
        self.hear(1.0)
        request(self.service.paths.control, "stop")
        wait_idle(self.service.paths)
        return words(self.service.text().removeprefix(before))

    def close(self) -> None:
        """Listen no more."""
        self._subscriber.close()


@pytest.fixture(scope="module", params=[SoundServer, PipeWire])
def dictation(request: pytest.FixtureRequest, beckett: Path) -> Iterator[Dictation]:
    """Run a service at a sound server with two microphones, of which it is to use the one at the desk."""
    names = ("PULSE_SERVER", "ALSA_CONFIG_PATH", "PULSE_LATENCY_MSEC")
    with sound_server("desk", "head", kind=request.param) as server, pytest.MonkeyPatch.context() as patch:
        for name in names:
            patch.setenv(name, server.environ[name])
        with private_service(config='[capture]\ndevice = "The-desk"\n' + LEAN) as service:
            running = Dictation(service, server)
            yield running
            running.close()


def test_speech_at_a_microphone_is_typed(dictation: Dictation, beckett: Path) -> None:
    """Ten seconds of speech come out as their words."""
    assert misheard(dictation(beckett), SAID) <= 1  # a tiny model may mishear one word


@pytest.mark.parametrize("dictation", [SoundServer], indirect=True)  # the meter reads the bus, whatever the server
def test_the_meter_shows_what_is_recorded(dictation: Dictation, beckett: Path, tmp_path: Path) -> None:
    """While the service records, `sottovoce mic` shows its levels, and opens nothing itself."""
    readings: list[dict[str, float]] = []

    def look(_player: Player) -> None:
        result = subprocess.run(
            [Path(sys.executable).with_name("sottovoce"), "mic", "--seconds", "3", "--json"],
            env={**os.environ, **dictation.service.paths.environment(), "PULSE_SERVER": f"unix:{tmp_path}/none"},
            capture_output=True, text=True, timeout=30, check=True,
        )  # fmt: skip
        readings.extend(json.loads(line) for line in result.stdout.splitlines())

    dictation(beckett, look)
    assert 15 <= len(readings) <= 31
    assert max(reading["peak_dbfs"] for reading in readings) > -20


def test_a_microphone_that_is_away_for_a_moment(dictation: Dictation, beckett: Path) -> None:
    """It is pulled out in mid-speech and put back: what was said before and after is typed, and the person was told."""

    def away(_player: Player) -> None:
        dictation.server.unplug("desk")
        dictation.told("The-desk is gone")
        dictation.server.plug("desk")
        dictation.told("The-desk is recorded again")

    gaps = dictation.counted("gaps")
    typed = dictation(beckett, away)
    assert typed[:4] == SAID[:4]
    assert typed[-1] == SAID[-1]  # "fail" so near to a gap may be heard as "fair"
    assert len(typed) <= len(SAID) + 1  # a word that the gap halves may be heard as two
    assert dictation.counted("gaps") == gaps + 1


def test_a_sound_server_that_is_killed(dictation: Dictation, beckett: Path) -> None:
    """It dies in mid-speech; what was said before is typed, and after its return the same recording goes on."""
    reopened = dictation.counted("reopened")

    def crash(_player: Player) -> None:
        dictation.server.kill()
        dictation.told("then the recording goes on")
        dictation.server.start()
        wait_until(lambda: dictation.counted("reopened") > reopened)
        dictation.hear()
        dictation.server.play(beckett)

    typed = dictation(beckett, crash)
    assert typed[:4] == SAID[:4]
    assert misheard(typed[-len(SAID) :], SAID) <= 1


def test_a_sound_server_that_is_frozen(dictation: Dictation, beckett: Path) -> None:
    """It hangs in mid-speech for some seconds; then the same recording goes on, and no process had to be replaced."""
    reopened = dictation.counted("reopened")
    turns = dictation.counted("turns")

    def hang(player: Player) -> None:
        dictation.server.freeze()
        dictation.told("the sound system does not answer")
        player.kill()  # it would go on where it was, together with what is played next
        dictation.server.thaw()
        wait_until(lambda: dictation.counted("reopened") > reopened)
        dictation.hear()
        dictation.server.play(beckett)

    typed = dictation(beckett, hang)
    assert typed[:4] == SAID[:4]
    assert misheard(typed[-len(SAID) :], SAID) <= 1
    assert dictation.counted("turns") > turns  # a successor's begins at 0
