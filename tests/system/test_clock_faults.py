"""Clocks that jump: the one on the wall, set back or forward, and the one that counts while the machine sleeps.

libfaketime shows the service another CLOCK_REALTIME, which may change while it runs; a time namespace shows it another
CLOCK_BOOTTIME, as if the machine had slept before that process started. The machine's own clocks stay as they are.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from stages import Stages, wait_until

from sottovoce.actors import failpoints
from sottovoce.actors.capture import tap
from sottovoce.actors.capture.convert import Converter, Pace
from sottovoce.actors.supervisor import Supervisor
from sottovoce.ops import bench_chaos, service
from sottovoce.ops.live import feed
from sottovoce.ops.logs import last_lines
from sottovoce.ops.private import leftovers
from sottovoce.protocol.clocks import SAMPLE_RATE, boot_id, boottime_ns, now_ns
from sottovoce.protocol.control import request
from sottovoce.protocol.journal import Journal
from sottovoce.protocol.messages import SpeechOnset
from sottovoce.protocol.paths import Paths
from sottovoce.protocol.rows import UtteranceRow
from sottovoce.shm import FRAME_SAMPLES, RingReader, RingWriter

BIN = Path(sys.executable).parent
HOUR, DAY = 3600, 86_400
WORDS = ["ever", "tried", "ever", "failed", "no", "matter", "try", "again", "fail", "again", "fail", "better"]


def words(text: str) -> list[str]:
    """Return the words of a text, without their case and points."""
    return [word.strip(".,!?").lower() for word in text.split()]


@pytest.fixture
def stages(paths: Paths) -> Iterator[Stages]:
    """Stages of it without a supervisord, ended with the test."""
    stages = Stages(paths)
    yield stages
    stages.close()


def text(paths: Paths) -> str:
    """Return what has been typed."""
    file = paths.config.with_name("typed.txt")
    return file.read_text() if file.exists() else ""


def rows(paths: Paths) -> list[UtteranceRow]:
    """Return all utterances."""
    journal = Journal(paths.journal(keep="30d"))
    try:
        return journal.utterances()
    finally:
        journal.close()


# -- the clock on the wall ---------------------------------------------------------------------------------------------


class Wall:
    """The clock of whatever is started while this is in force."""

    def __init__(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        libraries = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
        if not libraries:
            pytest.skip("libfaketime is not here; run: apt install faketime")
        self._file = file
        self.set(0)
        for name, value in {
            "LD_PRELOAD": str(libraries[0]),
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_CACHE_DURATION": "1",
        }.items():
            monkeypatch.setenv(name, value)

    def set(self, seconds: int) -> None:
        """Set it so far from the true time."""
        draft = self._file.with_suffix(".new")
        draft.write_text(f"{seconds:+d}s\n")
        draft.replace(self._file)


@pytest.fixture
def wall(home: Path, monkeypatch: pytest.MonkeyPatch) -> Wall:
    """A clock that can be set."""
    return Wall(home / "wall", monkeypatch)


def test_a_clock_that_is_set_loses_nothing(beckett: Path, paths: Paths, wall: Wall) -> None:
    """Set in mid-sentence, back and forth, in each of three recordings: all is typed once, and `down` ends at once."""
    process, _ = service.start(paths, detach=False)
    try:
        for after in (-HOUR, 400 * DAY, 0):
            onsets = 0
            for event in feed(paths, beckett, pace=3):
                onsets += isinstance(event.body, SpeechOnset)
                if onsets == 2:
                    wall.set(after)
        found = rows(paths)
        assert {row.state for row in found} == {"typed"}
        assert words(text(paths)) == WORDS * 3
        assert [row.ordinal for row in found] == sorted(row.ordinal for row in found)
        # The journal has the time that was on the wall.
        shown = [(row.wall_ns - time.time_ns()) / 1e9 for row in found]
        assert abs(shown[0]) < 120
        assert abs(shown[-1]) < 120
        for seconds in (-HOUR, 400 * DAY):
            assert any(abs(at - seconds) < 120 for at in shown)
        listed = json.loads(command(paths, "history", "list", "--json", "--all"))
        assert {row["state"] for row in listed} == {"typed"}
        events = [json.loads(line) for line in last_lines(paths.logs, "", 10_000, as_json=True)]
        assert [event["boot_s"] for event in events] == sorted(event["boot_s"] for event in events)
        assert not any(event.get("code") == "stalled" for event in events)
    finally:
        began = time.monotonic()
        service.stop(paths)
        process.wait(10)
    assert time.monotonic() - began < 10
    assert leftovers(paths) == []


def command(paths: Paths, *arguments: str) -> str:
    """Run a command of the service and return what it printed."""
    return subprocess.run(
        [BIN / "sottovoce", *arguments],
        env={**os.environ, **paths.environment()}, capture_output=True, text=True, check=True, timeout=60,
    ).stdout  # fmt: skip


CALENDAR = """
import sys, time
from sottovoce.protocol.clocks import Calendar
calendar = Calendar()
print(time.time_ns(), calendar.now_ns(), flush=True)
for line in sys.stdin:
    print(time.time_ns(), calendar.now_ns(), flush=True)
"""


def test_the_calendar_believes_no_jump_at_once(wall: Wall) -> None:
    """What decides how old a text is follows a clock that is set back, and not one that is set forward."""
    process = subprocess.Popen(
        [sys.executable, "-c", CALENDAR], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None

    def away() -> tuple[float, float]:
        """Return how far the clock on the wall is from the true time there, and how far the calendar is."""
        shown, believed = process.stdout.readline().split()  # type: ignore[union-attr]
        return (int(shown) - time.time_ns()) / 1e9, (int(believed) - time.time_ns()) / 1e9

    def ask() -> tuple[float, float]:
        process.stdin.write("\n")  # type: ignore[union-attr]
        process.stdin.flush()  # type: ignore[union-attr]
        return away()

    def at(seconds: float) -> Callable[[float], bool]:
        return lambda away: abs(away - seconds) < 30

    try:
        assert all(map(at(0), away()))
        wall.set(-2 * HOUR)
        wait_until(lambda: all(map(at(-2 * HOUR), ask())))
        wall.set(40 * DAY)
        wait_until(lambda: at(40 * DAY)(ask()[0]))  # libfaketime looks at its file once a second
        for _ in range(10):
            shown, believed = ask()
            assert at(40 * DAY)(shown)
            assert at(-2 * HOUR)(believed)
    finally:
        process.stdin.close()
        process.wait(10)
        process.stdout.close()


def add(journal: Journal, first: int, *, age_s: float, wall_s: float) -> None:
    """Enter a finished utterance, spoken so long ago by the clock that nobody sets, and by the one on the wall."""
    journal.segmented(
        generation=1, stream=1, first=first, end=9, speech_end=9, position=9,
        spoken_ns=boottime_ns() - int(age_s * 1e9), asleep_ns=0, wall_ns=time.time_ns() - int(wall_s * 1e9),
    )  # fmt: skip
    journal.suppressed(first, reason="test")


def test_what_is_new_is_kept_and_nothing_for_ever(paths: Paths) -> None:
    """Of this boot the age is known, whatever the wall says; a date to come becomes today's."""
    journal = Journal(paths.journal(keep="30d"))
    try:
        add(journal, 1, age_s=60, wall_s=400 * DAY)  # said while the clock stood in the past
        add(journal, 2, age_s=3 * DAY, wall_s=3 * DAY)
        add(journal, 3, age_s=60, wall_s=-400 * DAY)  # said while it stood in the future
        kept = DAY * 10**9
        journal.forget(before_wall_ns=time.time_ns() - kept, spoken_before_ns=boottime_ns() - kept)
        found = {row.first: row for row in journal.utterances()}
        assert set(found) == {1, 3}
        assert abs(found[3].wall_ns - time.time_ns()) < 60e9
    finally:
        journal.close()


def test_a_session_is_forgotten_after_the_clock_was_set_back(paths: Paths, stages: Stages) -> None:
    """With `keep = "session"` no text stays because it bears a time to come."""
    paths.config.write_text('[history]\nkeep = "session"\n')
    journal = Journal(paths.journal(keep="session"), keep="session")
    try:
        conductor = stages.start("conductor")
        add(journal, 1, age_s=60, wall_s=-HOUR)
        conductor.send_signal(signal.SIGTERM)
        assert conductor.wait(10) == 0
        assert journal.utterances() == []
    finally:
        journal.close()


# -- the clock that counts sleep ---------------------------------------------------------------------------------------


def asleep(seconds: int) -> list[str]:
    """Return what to put before a command so that it finds itself in a boot that has slept so long; skip where not."""
    prefix = ["unshare", "--time", "--boottime", str(seconds)]
    done = subprocess.run([*prefix, "true"], capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"needs the right to make a time namespace: {done.stderr.decode().strip()}")
    return prefix


@pytest.mark.parametrize(("slept", "state"), [(HOUR, "late"), (5, "typed")])
def test_a_text_that_waited_while_the_machine_slept(paths: Paths, slept: int, state: str) -> None:
    """What was ready to be typed an hour of sleep ago is offered; after five seconds it is typed."""
    journal = Journal(paths.journal(keep="30d"))
    journal.segmented(
        generation=1, stream=1, first=1, end=9, speech_end=9, position=9, spoken_ns=now_ns(), wall_ns=time.time_ns()
    )
    journal.transcribed(1, text="Hello.", model="m")
    journal.transformed(1, text="Hello.", context="")
    inject = subprocess.Popen(
        [*asleep(slept), sys.executable, "-m", "sottovoce.actors.inject"], env={**os.environ, **paths.environment()}
    )
    try:
        wait_until(lambda: journal.utterance(1).state == state)
        assert text(paths) == ("Hello." if state == "typed" else "")
    finally:
        inject.kill()
        inject.wait()
        journal.close()


def test_a_recording_that_the_machine_slept_through(beckett: Path, paths: Paths) -> None:
    """The service stops in mid-sentence and goes on in a boot that has slept.

    What was said before an hour of it is late, though it is found only now; what is said after is typed. Nobody is
    taken for hung.
    """
    prefix = asleep(HOUR)
    with bench_chaos.failpoint_folder() as folder:
        process, _ = service.start(paths, detach=False)
        pids = [info["pid"] for info in Supervisor(paths.supervisor_socket).processes().values()]
        # It has the first sentence in its hands, and finds nothing any more of what is said from here on.
        failpoints.arm(folder, "vad.before_segment", signal.SIGSTOP)
        request(paths.control, "start", {"source": {"type": "file", "path": str(beckett), "pace": 3}})
        wait_until((folder / failpoints.FIRED).exists)
    process.kill()
    process.wait(10)
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))
    assert rows(paths) == []
    with RingReader.attach(paths.ring) as reader:
        said = reader.head
    again = subprocess.run(
        [*prefix, BIN / "sottovoce", "up", "--detach"],
        env={**os.environ, **paths.environment()}, capture_output=True, text=True, check=False, timeout=90,
    )  # fmt: skip
    assert again.returncode == 0, again.stderr
    journal = Journal(paths.journal(keep="30d"))
    try:
        wait_until(lambda: not journal.open_recordings() and not journal.unfinished())
    finally:
        journal.close()
        assert service.stop(paths)
    found = rows(paths)
    assert [row.state for row in found] == ["late" if row.speech_end <= said else "typed" for row in found]
    assert found[0].state == "late"
    assert found[-1].state == "typed"
    assert words(text(paths))[-2:] == WORDS[-2:]
    assert words(" ".join(row.text or "" for row in found)) == WORDS
    assert found[0].boot == boot_id()
    assert '"code":"stalled"' not in "".join(path.read_text() for path in paths.logs.glob("*.jsonl"))


def test_a_microphone_marks_the_time_it_slept_through(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the last block before a suspend and the first one after it, the sample index jumps by that time."""

    class Status:
        input_overflow = False

    def block() -> None:
        """Have PortAudio deliver one."""
        microphone(np.zeros((FRAME_SAMPLES, 1), np.float32), FRAME_SAMPLES, None, Status())

    microphone = tap.Tap(Converter(SAMPLE_RATE, 1), Pace(SAMPLE_RATE), preroll_s=0.3, wake=lambda: None)
    with RingWriter.open(paths.ring, seconds=10) as writer, RingReader.attach(paths.ring) as reader:
        microphone.turn_on(writer, tap.Through(), since_ns=now_ns())
        block()
        block()
        real = tap.suspended_ns
        monkeypatch.setattr(tap, "suspended_ns", lambda: real() + HOUR * 10**9)
        block()
        block()
        places = []
        while (frame := reader.read()) is not None:
            places.append(frame.sample_index)
        jump = places[2] - places[1] - FRAME_SAMPLES
        assert abs(jump - HOUR * SAMPLE_RATE) < 100
        assert [places[1] - places[0], places[3] - places[2]] == [FRAME_SAMPLES] * 2
