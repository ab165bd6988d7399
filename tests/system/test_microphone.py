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
from clips import beginning
from soundserver import PipeWire, SoundServer, sound_server
from stages import LEAN, wait_idle, wait_until

from sottovoce.ops.private import PrivateService, private_service
from sottovoce.protocol.bus import Subscriber
from sottovoce.protocol.clocks import SAMPLE_RATE
from sottovoce.protocol.control import request
from sottovoce.protocol.messages import Notice
from sottovoce.shm import CountersView, ShmError

SAID = ["ever", "tried", "ever", "failed", "no", "matter"]
SPOKEN_S = 4.5
"""So long it takes to say that."""
Player = subprocess.Popen[bytes]
During = Callable[[Player], None]
MIDDLE_S = 3.3
"""After "Ever failed", and before "No matter": a player needs 0.1 to 0.5 s to begin."""


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
        """What has been told since something last happened."""
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

    def _drain(self) -> None:
        events = self._subscriber.drain()
        self.notices.extend(event.body.text for event in events if isinstance(event.body, Notice))

    def told(self, text: str) -> None:
        """Return once a notice with these words has come of what is happening."""

        def come() -> bool:
            self._drain()
            return any(text in notice for notice in self.notices)

        wait_until(come, 60)

    def __call__(self, wav: Path, during: During, after_s: float = MIDDLE_S) -> list[str]:
        """Dictate a recording, have something happen in its midst, and return the words typed."""
        before = self.service.text()
        frames = self.counted("frames")
        request(self.service.paths.control, "start")
        wait_until(lambda: self.counted("frames") > frames, 60)
        player = self.server.playing(wav)
        try:
            self.hear(after_s)
            self._drain()
            self.notices.clear()  # a slow machine may have been told before that its sound system does not answer
            during(player)
            player.wait(40)
        finally:
            player.kill()
            player.wait()
        self.hear(0.5)
        request(self.service.paths.control, "stop")
        wait_idle(self.service.paths)
        return words(self.service.text().removeprefix(before))

    def close(self) -> None:
        """Listen no more."""
        self._subscriber.close()


@pytest.fixture(scope="module")
def said(beckett: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a recording of six words."""
    return beginning(beckett, SPOKEN_S, tmp_path_factory.mktemp("speech"))


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


def test_speech_at_a_microphone_is_typed(dictation: Dictation, said: Path, tmp_path: Path) -> None:
    """Speech comes out as its words, and meanwhile `sottovoce mic` shows its levels, and opens nothing itself."""
    readings: list[dict[str, float]] = []

    def look(_player: Player) -> None:
        result = subprocess.run(
            [Path(sys.executable).with_name("sottovoce"), "mic", "--seconds", "3", "--json"],
            env={**os.environ, **dictation.service.paths.environment(), "PULSE_SERVER": f"unix:{tmp_path}/none"},
            capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        readings.extend(json.loads(line) for line in result.stdout.splitlines())

    assert misheard(dictation(said, look, 0.3), SAID) <= 1  # a tiny model may mishear one word
    assert 15 <= len(readings) <= 31
    assert max(reading["peak_dbfs"] for reading in readings) > -20


def goes_on(dictation: Dictation, said: Path, broken: int) -> None:
    """Have a recording that was broken off go on, and say it all once more."""
    wait_until(lambda: dictation.counted("reopened") > broken, 60)
    dictation.hear()
    dictation.server.play(said)


def test_a_microphone_that_is_away_for_a_moment(dictation: Dictation, said: Path) -> None:
    """It is pulled out in mid-speech and put back: what was said before and after is typed, and the person was told."""
    gaps, reopened = dictation.counted("gaps"), dictation.counted("reopened")

    def away(player: Player) -> None:
        dictation.server.unplug("desk")
        dictation.told("The-desk is gone")
        player.kill()
        dictation.server.plug("desk")
        dictation.told("The-desk is recorded again")
        goes_on(dictation, said, reopened)

    assert_typed(dictation(said, away))
    assert dictation.counted("gaps") == gaps + 1


def assert_typed(typed: list[str]) -> None:
    """Check that what was said before the break and all that was said after it has been typed."""
    assert typed[:4] == SAID[:4]
    assert misheard(typed[-len(SAID) :], SAID) <= 1
    assert len(typed) <= 4 + len(SAID) + 2  # "No", and a word that the gap halves may be heard as two


def test_a_sound_server_that_is_killed(dictation: Dictation, said: Path) -> None:
    """It dies in mid-speech; what was said before is typed, and after its return the same recording goes on."""
    reopened = dictation.counted("reopened")

    def crash(_player: Player) -> None:
        dictation.server.kill()
        dictation.told("then the recording goes on")
        dictation.server.start()
        goes_on(dictation, said, reopened)

    assert_typed(dictation(said, crash))


def test_a_sound_server_that_is_frozen(dictation: Dictation, said: Path) -> None:
    """It hangs in mid-speech for some seconds; then the same recording goes on, and no process had to be replaced."""
    reopened = dictation.counted("reopened")
    turns = dictation.counted("turns")

    def hang(player: Player) -> None:
        dictation.server.freeze()
        dictation.told("the sound system does not answer")
        player.kill()  # it would go on where it was, together with what is played next
        dictation.server.thaw()
        goes_on(dictation, said, reopened)

    assert_typed(dictation(said, hang))
    assert dictation.counted("turns") > turns  # a successor's begins at 0
