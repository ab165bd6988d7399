import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from sottovoce.shm import FRAME_SAMPLES, RingBusy, RingCorrupt, RingMissing, RingReader, RingStale, RingWriter, layout

SMALL = 0.25  # seconds: 8 slots
HOLD = """
import sys
from pathlib import Path
from sottovoce.shm import RingBusy, RingWriter
print("up", flush=True)
sys.stdin.readline()
try:
    writer = RingWriter.open(Path(sys.argv[1]), seconds=0.25)
except RingBusy:
    print("busy", flush=True)
else:
    print("writer", flush=True)
    sys.stdin.read()
"""


def _frame(value: float, length: int = FRAME_SAMPLES) -> np.ndarray:
    return np.full(length, value, np.float32)


def _poke(path: Path, word: int, value: int) -> None:
    """Overwrite one word of the file, as no writer would."""
    with path.open("r+b", buffering=0) as file:
        file.seek(8 * word)
        file.write(value.to_bytes(8, sys.byteorder))


def _hold(path: Path) -> "subprocess.Popen[str]":
    """Start a process that becomes the writer when it is sent a line, and stays it until its input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    return process


def _answer(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def _send(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def test_a_new_ring_is_private_and_of_the_size_asked_for(ring: Path) -> None:
    """A new file has mode 0600, holds at least the seconds asked for, and starts at sample 0 of a new stream."""
    before = time.time_ns()
    with RingWriter.open(ring, seconds=300.0) as writer:
        assert ring.stat().st_mode & 0o7777 == 0o600
        assert ring.stat().st_size == layout.file_bytes(9375)
        assert ring.stat().st_blocks * 512 >= ring.stat().st_size  # allocated, not sparse
        assert (writer.position, writer.generation, writer.replaced) == (0, 1, None)
        assert before <= writer.stream <= time.time_ns()


def test_a_missing_directory_is_made_private(directory: Path) -> None:
    """The parent directory is created with mode 0700, whatever the umask."""
    old = os.umask(0)
    try:
        RingWriter.open(directory / "new" / "ring", seconds=SMALL).close()
    finally:
        os.umask(old)
    assert (directory / "new").stat().st_mode & 0o7777 == 0o700


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf")])
def test_a_ring_of_no_length_is_refused(ring: Path, seconds: float) -> None:
    """A length that is not a positive number is a ValueError, and no file is made."""
    with pytest.raises(ValueError, match="positive number"):
        RingWriter.open(ring, seconds=seconds)
    assert not ring.exists()


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros(0, np.float32),
        np.zeros(513, np.float32),
        np.zeros((2, 8), np.float32),
        np.zeros(8),
        np.zeros(8, np.int16),
    ],
)
def test_what_is_no_frame_is_refused(ring: Path, samples: np.ndarray) -> None:
    """A frame of another shape or type is a ValueError, and nothing is published."""
    with RingWriter.open(ring, seconds=SMALL) as writer, RingReader.attach(ring) as reader:
        with pytest.raises(ValueError, match="a frame is float32"):
            writer.publish(samples, capture_ns=1)
        assert writer.position == reader.head == 0
        assert reader.read() is None


def test_a_publish_that_fails_half_way_leaves_nothing_to_read(ring: Path) -> None:
    """From the first store on the slot is nobody's; nothing is published, and the next frame takes its place."""
    with RingWriter.open(ring, seconds=SMALL) as writer, RingReader.attach(ring) as reader:
        for _ in range(8):
            writer.publish(_frame(1), capture_ns=1)
        with pytest.raises(ValueError, match="value"):
            writer.publish(_frame(2), capture_ns=-1)
        assert int.from_bytes(ring.read_bytes()[layout.HEADER_BYTES :][:8], sys.byteorder) == 0
        assert writer.position == reader.head == 8 * FRAME_SAMPLES
        assert writer.publish(_frame(3), capture_ns=3) == 9
        reader.seek(8 * FRAME_SAMPLES)
        read = reader.read()
        assert read is not None
        assert (read.seq, read.samples[0]) == (9, 3)


def test_a_strided_frame_is_published(ring: Path) -> None:
    """One channel of an interleaved buffer can be published as it is."""
    stereo = np.arange(64, dtype=np.float32).reshape(32, 2)
    with RingWriter.open(ring, seconds=SMALL) as writer, RingReader.attach(ring) as reader:
        writer.publish(stereo[:, 1], capture_ns=1)
        read = reader.read()
        assert read is not None
        assert np.array_equal(read.samples, stereo[:, 1])


def test_a_gap_cannot_go_back(ring: Path) -> None:
    """A negative gap is a ValueError: sample indices only grow."""
    with RingWriter.open(ring, seconds=SMALL) as writer, pytest.raises(ValueError, match="only grow"):
        writer.skip(-1)


def test_statistics_count_since_open(ring: Path) -> None:
    """Statistics count what this writer did, and tell the seq, position and overruns of the file."""
    with RingWriter.open(ring, seconds=SMALL) as writer:
        writer.publish(_frame(1), capture_ns=1)
        writer.count_xruns(2)
    with RingWriter.open(ring, seconds=SMALL) as writer, RingReader.attach(ring) as reader:
        writer.publish(_frame(1, 100), capture_ns=1)
        writer.skip(30)
        writer.count_xruns(1)
        found = writer.statistics()
        assert (found.frames, found.samples, found.skipped_samples) == (1, 100, 30)
        assert (found.generation, found.seq, found.position, found.xruns) == (2, 2, 642, 3)
        assert reader.xruns == 3


def test_a_heartbeat_is_seen(ring: Path) -> None:
    """The heartbeat is the CLOCK_MONOTONIC time of the last beat, audio or not."""
    with RingWriter.open(ring, seconds=SMALL) as writer, RingReader.attach(ring) as reader:
        first = reader.heartbeat_ns
        writer.beat()
        assert first < reader.heartbeat_ns <= time.monotonic_ns()


def test_a_sound_ring_is_carried_on(ring: Path) -> None:
    """A second writer goes on in the same stream, after the last frame, under the next generation; readers stay."""
    with RingWriter.open(ring, seconds=SMALL) as writer:
        stream = writer.stream
        writer.publish(_frame(1), capture_ns=1)
        reader = RingReader.attach(ring)
        assert not reader.closed
    assert reader.closed
    with reader, RingWriter.open(ring, seconds=SMALL) as writer:
        assert (writer.stream, writer.generation, writer.position, writer.replaced) == (stream, 2, FRAME_SAMPLES, None)
        assert not reader.closed
        assert writer.publish(_frame(2), capture_ns=2) == 2
        read = [reader.read(), reader.read(), reader.read()]
        assert [one and (one.seq, one.generation) for one in read] == [(1, 1), (2, 2), None]
        assert not reader.stale()


def test_a_gap_outlives_its_writer(ring: Path) -> None:
    """A gap that nothing followed is still there for the next writer."""
    with RingWriter.open(ring, seconds=SMALL) as writer:
        writer.skip(1000)
    with RingWriter.open(ring, seconds=SMALL) as writer:
        assert writer.position == 1000


def test_a_frame_that_was_whole_counts(ring: Path) -> None:
    """A writer that died between the frame and the cursor has published the frame."""
    with RingWriter.open(ring, seconds=SMALL) as writer:
        writer.publish(_frame(1), capture_ns=1)
        writer.publish(_frame(2), capture_ns=2)
    _poke(ring, layout.H_CURSOR, 1)
    _poke(ring, layout.H_HEAD, FRAME_SAMPLES)
    with RingWriter.open(ring, seconds=SMALL) as writer, RingReader.attach(ring) as reader:
        assert writer.position == reader.head == 2 * FRAME_SAMPLES
        assert writer.publish(_frame(3), capture_ns=3) == 3


def test_a_ring_whose_last_frame_is_damaged_is_replaced(ring: Path) -> None:
    """Numbering never goes back: where the last frame cannot be trusted a new and larger stream begins."""
    with RingWriter.open(ring, seconds=SMALL) as writer:
        stream = writer.stream
        writer.publish(_frame(1), capture_ns=1)
    _poke(ring, (layout.HEADER_BYTES >> 3) + layout.S_CAPTURE_NS, 99)
    with RingReader.attach(ring) as reader, RingWriter.open(ring, seconds=SMALL) as writer:
        assert writer.replaced is not None
        assert "frame 1" in writer.replaced
        assert writer.stream > stream
        assert (writer.position, writer.generation) == (0, 1)
        assert reader.stale()


def test_a_ring_of_another_size_is_replaced(ring: Path) -> None:
    """A ring of another length is replaced by one of the length asked for, and the reason is told."""
    RingWriter.open(ring, seconds=SMALL).close()
    with RingWriter.open(ring, seconds=1.0) as writer:
        assert writer.replaced is not None
        assert "8 slots" in writer.replaced


def test_a_ring_of_another_boot_is_replaced(ring: Path) -> None:
    """What another boot left behind is stale to readers, and the next writer replaces it."""
    RingWriter.open(ring, seconds=SMALL).close()
    _poke(ring, layout.H_BOOT_LOW, 1)
    with pytest.raises(RingStale, match="another boot"):
        RingReader.attach(ring)
    with RingWriter.open(ring, seconds=SMALL) as writer:
        assert writer.replaced is not None
        assert "another boot" in writer.replaced


@pytest.mark.parametrize("size", [0, 8, layout.HEADER_BYTES, layout.file_bytes(8)])
def test_an_unfinished_ring_is_replaced(ring: Path, size: int) -> None:
    """A file without its magic has no ring yet for readers; if nobody is at work on it, the next writer replaces it."""
    ring.touch(mode=0o600)
    os.truncate(ring, size)
    with pytest.raises(RingMissing, match="unfinished"):
        RingReader.attach(ring)
    with RingWriter.open(ring, seconds=SMALL) as writer:
        assert writer.replaced is not None
        assert "unfinished" in writer.replaced
        RingReader.attach(ring).close()


@pytest.mark.parametrize("size", [100, layout.HEADER_BYTES, layout.file_bytes(8) - 1, layout.file_bytes(8) + 8])
def test_a_truncated_ring_is_replaced(ring: Path, size: int) -> None:
    """A file of another size than its header says is never mapped, and the next writer replaces it."""
    RingWriter.open(ring, seconds=SMALL).close()
    os.truncate(ring, size)
    with pytest.raises(RingCorrupt, match=f"{size} bytes"):
        RingReader.attach(ring)
    with RingWriter.open(ring, seconds=SMALL) as writer:
        assert writer.replaced is not None


@pytest.mark.parametrize("word", [*layout.fixed_words(8), layout.H_MAGIC])
def test_a_foreign_header_is_refused(ring: Path, word: int) -> None:
    """Any fixed word of the header that is not as it must be keeps readers out, and the next writer replaces it."""
    RingWriter.open(ring, seconds=SMALL).close()
    _poke(ring, word, 3)
    with pytest.raises((RingCorrupt, RingStale)):
        RingReader.attach(ring)
    with RingWriter.open(ring, seconds=SMALL) as writer:
        assert writer.replaced is not None


def test_a_second_writer_is_refused(ring: Path) -> None:
    """While a writer lives the ring is busy, and the error names its process id; once it is gone it is free."""
    process = _hold(ring)
    try:
        _send(process)
        assert _answer(process) == "writer"
        with pytest.raises(RingBusy, match=f"process {process.pid} is already writing") as caught:
            RingWriter.open(ring, seconds=SMALL)
        assert caught.value.pid == process.pid
    finally:
        process.kill()
        process.communicate()
    with RingWriter.open(ring, seconds=SMALL) as writer:
        assert writer.generation == 2


@pytest.mark.parametrize("there", ["nothing", "unfinished", "corrupt"])
def test_one_of_many_becomes_the_writer(ring: Path, there: str) -> None:
    """Of processes that open at one instant exactly one becomes the writer, of the file that is at the path."""
    if there != "nothing":
        ring.touch(mode=0o600)
        ring.write_bytes(b"" if there == "unfinished" else b"x" * 5000)
    processes = [_hold(ring) for _ in range(5)]
    try:
        for process in processes:
            _send(process)
        answers = {process.pid: _answer(process) for process in processes}
        with RingReader.attach(ring) as reader:
            assert [pid for pid, said in answers.items() if said == "writer"] == [reader.writer_pid]
            assert reader.writer_alive
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def test_close_can_remove_the_ring(ring: Path) -> None:
    """An orderly end can take the file with it; readers keep what they have, and see that it is over."""
    writer = RingWriter.open(ring, seconds=SMALL)
    writer.publish(_frame(1), capture_ns=1)
    with RingReader.attach(ring) as reader:
        writer.close(unlink=True)
        writer.close(unlink=True)
        assert not ring.exists()
        assert reader.closed
        assert reader.stale()
        assert reader.read() is not None


def test_close_leaves_the_ring_of_another(ring: Path) -> None:
    """A writer whose file was replaced does not remove the new one."""
    writer = RingWriter.open(ring, seconds=SMALL)
    ring.unlink()
    with RingWriter.open(ring, seconds=SMALL):
        writer.close(unlink=True)
        assert ring.exists()
