from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from sottovoce.actors.audiofile import AudioFileError
from sottovoce.actors.capture.feed import FeedEnded
from sottovoce.actors.capture.file import FileFeed
from sottovoce.protocol.clocks import SAMPLE_RATE, now_ns
from sottovoce.shm import FRAME_SAMPLES, RingReader, RingWriter

Samples = NDArray[np.float32]
LENGTH = 10_000  # 19 frames and a shorter one


@pytest.fixture
def writer(ring: Path) -> Iterator[RingWriter]:
    """Return the writer of a ring of ten seconds."""
    with RingWriter.open(ring, seconds=10) as opened:
        yield opened


@pytest.fixture
def noise(tmp_path: Path) -> tuple[Path, Samples]:
    """Return a file and its samples."""
    samples = np.random.default_rng(3).uniform(-1, 1, LENGTH).astype(np.float32)
    path = tmp_path / "noise.wav"
    soundfile.write(path, samples, SAMPLE_RATE, subtype="FLOAT")
    return path, samples


def feed(
    writer: RingWriter, path: Path, *, pace: float = 0, offset: int = 0, room: Callable[[], int] = lambda: 1 << 30
) -> FileFeed:
    """Return a feed that by default does not wait for anything."""
    return FileFeed(writer, path, pace=pace, offset=offset, room=room)


def exhaust(source: FileFeed) -> str:
    """Pump a feed to its end as the stage does and return the reason."""
    while True:
        try:
            source.pump()
        except FeedEnded as end:
            source.close()
            return end.reason
        time.sleep(source.sleep_ms() / 1000)


def test_a_file_arrives_whole(writer: RingWriter, noise: tuple[Path, Samples]) -> None:
    """The ring holds the file's samples, to the last one of a frame that is not full, and the end is told as such."""
    path, samples = noise
    assert exhaust(feed(writer, path)) == "eof"
    with RingReader.attach(writer.path) as reader:
        assert np.array_equal(reader.samples(0, LENGTH), samples)
        assert reader.head == LENGTH


def test_no_frame_comes_before_it_was_spoken(writer: RingWriter, noise: tuple[Path, Samples]) -> None:
    """In real time a frame is published when its last sample would have been spoken: never before, and soon after."""
    began = now_ns()
    assert exhaust(feed(writer, noise[0], pace=1.0)) == "eof"
    with RingReader.attach(writer.path) as reader:
        frames = list(iter(reader.read, None))
    assert sum(len(frame.samples) for frame in frames) == LENGTH
    lags_s = [(frame.capture_ns - began) / 1e9 - frame.end / SAMPLE_RATE for frame in frames]
    assert min(lags_s) >= 0
    assert max(lags_s) < 1.0  # 2 ms here when nothing else runs


def test_a_pace_is_a_multiple_of_real_time(writer: RingWriter, noise: tuple[Path, Samples]) -> None:
    """At four times real time the same file takes a quarter of its length, and not less."""
    began = time.monotonic()
    exhaust(feed(writer, noise[0], pace=4.0))
    assert time.monotonic() - began >= LENGTH / SAMPLE_RATE / 4


@pytest.mark.parametrize("offset", [0, 1, FRAME_SAMPLES, FRAME_SAMPLES + 1, 9 * FRAME_SAMPLES - 1, LENGTH - 1])
def test_a_feed_resumes_at_a_sample(writer: RingWriter, noise: tuple[Path, Samples], offset: int) -> None:
    """After a restart exactly the samples that are missing follow, wherever in a frame that is."""
    path, samples = noise
    exhaust(feed(writer, path, offset=offset))
    with RingReader.attach(writer.path) as reader:
        assert np.array_equal(reader.samples(0, LENGTH - offset), samples[offset:])
        assert reader.head == LENGTH - offset


@pytest.mark.parametrize("offset", [LENGTH, LENGTH + 1, 10 * LENGTH])
def test_a_feed_that_was_through_ends_at_once(writer: RingWriter, noise: tuple[Path, Samples], offset: int) -> None:
    """A restart after the last sample publishes nothing more."""
    assert exhaust(feed(writer, noise[0], offset=offset)) == "eof"
    assert writer.position == 0


def test_a_fast_file_waits_for_the_stages(writer: RingWriter, noise: tuple[Path, Samples]) -> None:
    """Without a pace it goes as far as there is room, says that it waits, and goes on when there is more."""
    room = [2 * FRAME_SAMPLES]
    source = feed(writer, noise[0], room=lambda: room[0])
    assert source.pump()
    assert writer.position == 2 * FRAME_SAMPLES
    room[0] = 0
    assert not source.pump()
    assert 0 < source.sleep_ms() <= 50
    room[0] = 1 << 30
    assert exhaust(source) == "eof"
    assert writer.position == LENGTH


def test_one_pump_is_short(writer: RingWriter, tmp_path: Path) -> None:
    """A long file does not keep the stage from its requests: one pump publishes two seconds at most."""
    path = tmp_path / "long.wav"
    soundfile.write(path, np.zeros(5 * SAMPLE_RATE, np.float32), SAMPLE_RATE)
    source = feed(writer, path)
    assert source.pump()
    assert 0 < writer.position <= 2.1 * SAMPLE_RATE
    source.close()


@pytest.mark.parametrize("content", [None, b"", b"RIFF", b"not audio at all, but text" * 10])
def test_an_unreadable_file_is_named(writer: RingWriter, tmp_path: Path, content: bytes | None) -> None:
    """What cannot be read is refused before a sample of it is in the ring, in one line with the file's name."""
    path = tmp_path / "bad.wav"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(AudioFileError, match=r"bad\.wav") as caught:
        feed(writer, path)
    assert "\n" not in str(caught.value)
    assert writer.position == 0


def test_damage_further_on_ends_the_feed(writer: RingWriter, tmp_path: Path) -> None:
    """Where a file turns out to be damaged in its midst, what was sound has arrived and the reason names the file."""
    path = tmp_path / "hurt.flac"
    samples = np.random.default_rng(4).uniform(-1, 1, 8 * SAMPLE_RATE).astype(np.float32)
    soundfile.write(path, samples, SAMPLE_RATE)
    content = bytearray(path.read_bytes())
    middle = len(content) * 3 // 4
    content[middle : middle + 20_000] = bytes(20_000)
    path.write_bytes(content)
    reason = exhaust(feed(writer, path))
    assert "hurt.flac" in reason
    assert SAMPLE_RATE < writer.position < 8 * SAMPLE_RATE
