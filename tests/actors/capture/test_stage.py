"""The capture stage as a process, fed by files; the test plays the conductor through the journal."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from stages import Stages

from sottovoce.actors.sources import AudioFile, dump_source
from sottovoce.protocol.bus import Subscriber
from sottovoce.protocol.clocks import SAMPLE_RATE
from sottovoce.protocol.journal import Journal
from sottovoce.protocol.messages import CaptureEnded, CaptureStarted, Notice, StageState
from sottovoce.protocol.paths import Paths
from sottovoce.protocol.rows import Recording
from sottovoce.shm import RingReader

SECONDS = 6


@pytest.fixture(autouse=True)
def small_ring(paths: Paths) -> None:
    """Spare memory: twenty seconds of ring do."""
    paths.config.write_text("[capture]\nring_seconds = 20\n")


@pytest.fixture
def noise(tmp_path: Path) -> tuple[Path, NDArray[np.float32]]:
    """Return a file and its samples."""
    samples = np.random.default_rng(5).uniform(-1, 1, SECONDS * SAMPLE_RATE + 100).astype(np.float32)
    path = tmp_path / "noise.wav"
    soundfile.write(path, samples, SAMPLE_RATE, subtype="FLOAT")
    return path, samples


def newest(journal: Journal) -> Recording:
    """Return the newest recording."""
    recording = journal.recording()
    assert recording is not None
    return recording


def wanted(path: Path, pace: float) -> str:
    """Return what the conductor writes to have a file recorded."""
    return dump_source(AudioFile(str(path), pace))


def test_a_file_is_recorded_to_its_end(
    stages: Stages, paths: Paths, journal: Journal, noise: tuple[Path, NDArray[np.float32]]
) -> None:
    """The ring holds the file, the journal where it lies there, and the bus tells its beginning and end."""
    subscriber = Subscriber(paths, ("capture.", "state.stage"))
    process = stages.start("capture")
    stages.wait_until(lambda: any(subscriber.drain()), process)  # it is heard
    generation = journal.begin_recording(wanted(noise[0], 0))
    try:
        stages.wait_until(lambda: newest(journal).end is not None, process)
        recording = newest(journal)
        assert (recording.end_reason, recording.end) == ("eof", len(noise[1]))
        with RingReader.attach(paths.ring) as reader:
            assert reader.stream == recording.stream
            assert np.array_equal(reader.samples(recording.first or 0, reader.head), noise[1])
        heard: list[object] = []

        def hear() -> bool:
            heard.extend(event.body for event in subscriber.drain() if not isinstance(event.body, StageState))
            return len(heard) == 2

        stages.wait_until(hear, process)
        stream = recording.stream or 0
        assert heard == [
            CaptureStarted(generation=generation, stream=stream, first=0, source=str(noise[0])),
            CaptureEnded(generation=generation, stream=stream, end=len(noise[1]), reason="eof"),
        ]
    finally:
        subscriber.close()


def test_recordings_follow_one_another_in_the_ring(
    stages: Stages, paths: Paths, journal: Journal, noise: tuple[Path, NDArray[np.float32]]
) -> None:
    """The sample index goes on over recordings, so a range of it names the same samples for ever.

    None of them is on disk: the state directory holds logs and the journal, the logs smaller than a second of sound.
    """
    process = stages.start("capture")
    for number in range(2):
        journal.begin_recording(wanted(noise[0], 0))
        stages.wait_until(lambda: newest(journal).end is not None, process)
        assert newest(journal).first == number * len(noise[1])
    with RingReader.attach(paths.ring) as reader:
        assert np.array_equal(reader.samples(len(noise[1]), 2 * len(noise[1])), noise[1])
    files = [path for path in paths.state.rglob("*") if path.is_file()]
    assert {path.name for path in files} <= {
        "capture.jsonl", "capture.native.log", "journal.db", "journal.db-wal", "journal.db-shm",
    }  # fmt: skip
    assert not [path for path in files if path.suffix in (".jsonl", ".log") and path.stat().st_size > 4 * SAMPLE_RATE]


def test_a_stop_ends_it_and_nothing_follows(
    stages: Stages, paths: Paths, journal: Journal, noise: tuple[Path, NDArray[np.float32]]
) -> None:
    """Once the journal says where a recording ends, no sample comes after that."""
    process = stages.start("capture")
    generation = journal.begin_recording(wanted(noise[0], 1.0))
    stages.wait_until(lambda: stages.counters("capture", process)["position"] > 0, process)
    journal.stop_recording(generation)
    stages.wait_until(lambda: newest(journal).end is not None, process)
    turns = stages.counters("capture", process)["turns"]
    stages.wait_until(lambda: stages.counters("capture", process)["turns"] >= turns + 2, process)
    with RingReader.attach(paths.ring) as reader:
        assert reader.head == newest(journal).end
    assert newest(journal).end_reason == "stop"


def test_a_killed_stage_goes_on_with_the_file(
    stages: Stages, paths: Paths, journal: Journal, noise: tuple[Path, NDArray[np.float32]]
) -> None:
    """SIGKILL in the midst: its successor publishes exactly the samples that are missing, in the same stream."""
    path, samples = noise
    process = stages.start("capture")
    journal.begin_recording(wanted(path, 4.0))
    stages.wait_until(lambda: stages.counters("capture", process)["position"] > SAMPLE_RATE, process)
    process.kill()
    process.wait()
    assert newest(journal).end is None
    process = stages.start("capture")
    stages.wait_until(lambda: newest(journal).end is not None, process)
    with RingReader.attach(paths.ring) as reader:
        assert reader.generation == 2
        assert np.array_equal(reader.samples(0, len(samples)), samples)
        assert reader.head == len(samples)


def test_a_file_that_cannot_be_read_is_told(stages: Stages, paths: Paths, journal: Journal, tmp_path: Path) -> None:
    """The recording is over with the reason, the user is told in one line, and the stage is ready for the next."""
    subscriber = Subscriber(paths, ("notice", "state.stage"))
    notices: list[Notice] = []
    states: list[StageState] = []

    def hear() -> bool:
        for event in subscriber.drain():
            if isinstance(event.body, Notice):
                notices.append(event.body)
            elif isinstance(event.body, StageState):
                states.append(event.body)
        return bool(notices)

    try:
        process = stages.start("capture")
        stages.wait_until(lambda: hear() or states, process)  # whoever hears its state hears its notices, too
        for name, content in (("none", None), ("empty", b""), ("bad", b"no sound")):
            path = tmp_path / f"{name}.wav"
            if content is not None:
                path.write_bytes(content)
            notices.clear()
            generation = journal.begin_recording(wanted(path, 1.0))
            stages.wait_until(lambda: newest(journal).end is not None, process)
            stages.wait_until(hear, process)
            assert newest(journal).end_reason == notices[0].text
            assert str(path) in notices[0].text
            assert "\n" not in notices[0].text
            journal.stop_recording(generation)
            assert journal.close_recording(generation)
        assert process.poll() is None
    finally:
        subscriber.close()
