import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sottovoce.shm import (
    FRAME_SAMPLES,
    RingCorrupt,
    RingGap,
    RingLapped,
    RingMissing,
    RingRange,
    RingReader,
    RingWriter,
    layout,
)

SMALL = 0.25  # seconds: 8 slots


def _publish(writer: RingWriter, frames: int) -> None:
    """Publish whole frames, each filled with its own seq, captured at 10 ns times it."""
    for _ in range(frames):
        seq = writer.statistics().seq + 1
        writer.publish(np.full(FRAME_SAMPLES, seq, np.float32), capture_ns=10 * seq)


def _flip(path: Path, seq: int, byte: int) -> None:
    """Flip one bit of one byte of the slot of frame `seq`."""
    slots = (path.stat().st_size - layout.HEADER_BYTES) // layout.SLOT_BYTES
    with path.open("r+b", buffering=0) as file:
        at = layout.HEADER_BYTES + (seq - 1) % slots * layout.SLOT_BYTES + byte
        file.seek(at)
        old = file.read(1)[0]
        file.seek(at)
        file.write(bytes([old ^ 0x10]))


def test_a_frame_comes_out_as_it_went_in(ring: Path) -> None:
    """A frame is read with its number, generation, place, time and samples, and then there is none."""
    rng = np.random.default_rng(1)
    with RingWriter.open(ring, seconds=SMALL) as writer, RingReader.attach(ring) as reader:
        assert reader.read() is None
        for length in (1, 511, 512):
            sent = rng.standard_normal(length).astype(np.float32)
            place = writer.position
            seq = writer.publish(sent, capture_ns=length)
            read = reader.read()
            assert read is not None
            assert (read.seq, read.generation, read.sample_index, read.capture_ns) == (seq, 1, place, length)
            assert read.samples.dtype == np.float32
            assert np.array_equal(read.samples, sent)
            assert reader.read() is None
        assert reader.head == 1024
        assert reader.stream == writer.stream
        assert reader.writer_alive


def test_a_frame_is_a_copy(ring: Path) -> None:
    """What was read is the reader's own: it may be written to, and does not change when the slot does."""
    with RingWriter.open(ring, seconds=SMALL) as writer, RingReader.attach(ring) as reader:
        _publish(writer, 1)
        read = reader.read()
        _publish(writer, 20)
        assert read is not None
        assert np.all(read.samples == 1)
        read.samples[0] = 5


def test_a_missing_ring_is_named(ring: Path) -> None:
    """Where there is no ring the error says so, and says what to do."""
    with pytest.raises(RingMissing, match=r"ring: no ring there yet; start the capture"):
        RingReader.attach(ring)


def test_readers_are_independent(ring: Path) -> None:
    """Every reader gets every frame, and a reader that comes late begins with the oldest."""
    with RingWriter.open(ring, seconds=SMALL) as writer, RingReader.attach(ring) as early:
        _publish(writer, 3)
        with RingReader.attach(ring) as late:
            for reader in (early, late):
                read = [reader.read() for _ in range(4)]
                assert [one and one.seq for one in read] == [1, 2, 3, None]


def test_a_lapped_reader_counts_what_it_lost(ring: Path) -> None:
    """A reader that was overtaken goes on half a ring behind the writer and counts exactly the frames between."""
    with RingWriter.open(ring, seconds=SMALL) as writer, RingReader.attach(ring) as reader:
        _publish(writer, 2)
        assert reader.read() is not None
        _publish(writer, 98)
        read = reader.read()
        assert read is not None
        assert read.seq == 97  # 97, 98, 99, 100: half of 8
        counts = reader.statistics()
        assert (counts.frames, counts.lost_frames, counts.lost_samples) == (2, 95, 95 * FRAME_SAMPLES)
        assert (counts.bad, counts.retries) == (0, 0)


def test_a_reader_may_be_as_far_behind_as_the_ring_is_long(ring: Path) -> None:
    """Nothing is lost while the oldest frame is one that the writer cannot be overwriting."""
    with RingWriter.open(ring, seconds=SMALL) as writer, RingReader.attach(ring) as reader:
        _publish(writer, 7)
        assert reader.tail == 0
        assert [frame.seq for frame in iter(reader.read, None)] == [1, 2, 3, 4, 5, 6, 7]
        _publish(writer, 7)
        assert reader.tail == 7 * FRAME_SAMPLES
        assert [frame.seq for frame in iter(reader.read, None)] == [8, 9, 10, 11, 12, 13, 14]
        _publish(writer, 8)
        assert [frame.seq for frame in iter(reader.read, None)] == [19, 20, 21, 22]


def test_seek_finds_the_frame_that_holds_a_sample(ring: Path) -> None:
    """Seeking works backwards and forwards; what lies in a gap is the frame after it; what is to come is waited for."""
    with RingWriter.open(ring, seconds=SMALL) as writer, RingReader.attach(ring) as reader:
        _publish(writer, 3)
        writer.skip(100)
        _publish(writer, 1)
        for sample, seq in [(1536, 4), (0, 1), (511, 1), (512, 2), (1535, 3), (1635, 4), (2147, 4)]:
            reader.seek(sample)
            read = reader.read()
            assert read is not None
            assert read.seq == seq
        reader.seek(reader.head + 600)
        _publish(writer, 1)
        assert reader.read() is None
        _publish(writer, 1)
        read = reader.read()
        assert read is not None
        assert read.seq == 6
        assert reader.statistics().lost_frames == 0


def test_seek_counts_what_is_overwritten(ring: Path) -> None:
    """Seeking to what is overwritten goes to the oldest frame there is, and the samples between are lost."""
    with RingWriter.open(ring, seconds=SMALL) as writer, RingReader.attach(ring) as reader:
        _publish(writer, 20)
        reader.seek(5 * FRAME_SAMPLES + 2)
        read = reader.read()
        assert read is not None
        assert read.seq == 14
        counts = reader.statistics()
        assert (counts.lost_frames, counts.lost_samples) == (8, 8 * FRAME_SAMPLES - 2)


def test_samples_are_exact(ring: Path) -> None:
    """A range of samples comes out exactly, from any place in a frame to any other, whatever `read` is at."""
    sent = np.arange(3000, dtype=np.float32)
    with RingWriter.open(ring, seconds=SMALL) as writer, RingReader.attach(ring) as reader:
        for first, end in [(0, 512), (512, 600), (600, 1100), (1100, 1101), (1101, 1500)]:
            writer.publish(sent[first:end], capture_ns=1)
        for first, end in [(0, 1500), (511, 513), (599, 1101), (1100, 1101), (700, 800), (1500, 1500), (0, 0)]:
            assert np.array_equal(reader.samples(first, end), sent[first:end])
            assert reader.gaps(first, end) == []
        read = reader.read()
        assert read is not None
        assert read.seq == 1


def test_gaps_are_silence_and_are_told(ring: Path) -> None:
    """A gap is filled with zeros and reported; where the caller cannot have one it is an error with its place."""
    with RingWriter.open(ring, seconds=SMALL) as writer, RingReader.attach(ring) as reader:
        writer.skip(100)
        _publish(writer, 1)
        writer.skip(50)
        _publish(writer, 1)
        assert reader.head == 1174
        expected = np.concatenate([np.zeros(100), np.full(512, 1), np.zeros(50), np.full(512, 2)])
        assert np.array_equal(reader.samples(0, 1174), expected)
        assert reader.gaps(0, 1174) == [(0, 100), (612, 662)]
        assert reader.gaps(20, 640) == [(20, 100), (612, 640)]
        assert reader.gaps(620, 630) == [(620, 630)]
        assert np.array_equal(reader.samples(100, 612, fill_gaps=False), expected[100:612])
        for first, end, gap in [(0, 200, (0, 100)), (200, 800, (612, 662)), (620, 630, (620, 630))]:
            with pytest.raises(RingGap, match="never captured") as caught:
                reader.samples(first, end, fill_gaps=False)
            assert (caught.value.first, caught.value.end) == gap


@pytest.mark.parametrize(("first", "end"), [(-1, 10), (10, 5), (0, 513), (513, 513), (10**15, 10**16)])
def test_a_range_that_cannot_be_is_refused(ring: Path, first: int, end: int) -> None:
    """A range that is negative, reversed or not yet published is an error at once, and is a ValueError."""
    with RingWriter.open(ring, seconds=SMALL) as writer, RingReader.attach(ring) as reader:
        _publish(writer, 1)
        for ask in (reader.samples, reader.gaps):
            with pytest.raises(RingRange, match="512 have been published"):
                ask(first, end)
        with pytest.raises(ValueError, match="indices start at 0"):
            reader.seek(-1)


def test_overwritten_samples_are_an_error(ring: Path) -> None:
    """Samples that are overwritten, even in part, are an error that names the oldest left."""
    with RingWriter.open(ring, seconds=SMALL) as writer, RingReader.attach(ring) as reader:
        _publish(writer, 20)
        assert reader.tail == 13 * FRAME_SAMPLES
        assert np.all(reader.samples(reader.tail, reader.tail + 512) == 14)
        with pytest.raises(RingLapped, match=f"oldest left is {reader.tail}"):
            reader.samples(reader.tail - 1, reader.head)


# The fourth word of a slot is kept free and means nothing; every other byte counts.
@pytest.mark.parametrize("byte", [0, 1, 7, 8, 15, 16, 19, 32, 39, 40, 41, 48, 55, 56, 63, 64, 1000, 2111])
def test_a_damaged_frame_is_never_returned(ring: Path, byte: int) -> None:
    """One wrong bit anywhere in a frame is detected: the frame is passed over and counted, and its samples refused."""
    with RingWriter.open(ring, seconds=SMALL) as writer, RingReader.attach(ring) as reader:
        _publish(writer, 3)
        _flip(ring, 2, byte)
        assert [frame.seq for frame in iter(reader.read, None)] == [1, 3]
        assert reader.statistics().bad == 1
        assert reader.statistics().lost_frames == 0
        with pytest.raises(RingCorrupt, match="frame 2 fails its checks"):
            reader.samples(0, 1536)
        assert np.all(reader.samples(1024, 1536) == 3)
        assert np.all(reader.samples(0, 512) == 1)


def test_seek_finds_its_way_around_damage(ring: Path) -> None:
    """Damaged frames do not mislead a search: what lies before and after them is still found."""
    with RingWriter.open(ring, seconds=SMALL) as writer, RingReader.attach(ring) as reader:
        _publish(writer, 20)
        for seq in (14, 16, 17, 20):
            _flip(ring, seq, 100)
        assert reader.tail == 14 * FRAME_SAMPLES
        found = []
        for seq in range(15, 20):
            reader.seek((seq - 1) * FRAME_SAMPLES)
            read = reader.read()
            found.append(read and read.seq)
        assert found == [15, 18, 18, 18, 19]


def test_a_slot_that_is_being_written_is_never_returned(ring: Path) -> None:
    """A slot whose seq is 0 is not read, though all else in it is as it was."""
    with RingWriter.open(ring, seconds=SMALL) as writer, RingReader.attach(ring) as reader:
        _publish(writer, 2)
        with ring.open("r+b", buffering=0) as file:
            file.seek(layout.HEADER_BYTES)
            file.write(bytes(8))
        assert [frame.seq for frame in iter(reader.read, None)] == [2]
        assert reader.statistics().bad == 1


def test_a_whole_frame_of_another_lap_is_never_returned(ring: Path) -> None:
    """A frame that is intact but not the one expected in its slot is not read, even under a matching seq."""
    with RingWriter.open(ring, seconds=SMALL) as writer, RingReader.attach(ring) as reader:
        _publish(writer, 8)
        with ring.open("r+b", buffering=0) as file:
            file.seek(layout.HEADER_BYTES)
            slot = bytearray(file.read(layout.SLOT_BYTES))
            slot[0:16] = (2).to_bytes(8, sys.byteorder) * 2  # seq and commit
            file.write(slot)
        assert [frame.seq for frame in iter(reader.read, None)] == [5, 6, 7, 8]
        reader.seek(0)
        assert [frame.seq for frame in iter(reader.read, None)] == [3, 4, 5, 6, 7, 8]


def test_readers_leave_the_ring_alone(ring: Path) -> None:
    """Processes that attach and end, orderly or not, neither remove nor change the file."""
    with RingWriter.open(ring, seconds=SMALL) as writer:
        _publish(writer, 3)
        before = (ring.read_bytes(), ring.stat().st_ino)
        for end in ("reader.close()", "pass", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"):
            code = (
                "import sys; from pathlib import Path; from sottovoce.shm import RingReader\n"
                f"reader = RingReader.attach(Path(sys.argv[1])); assert reader.read().seq == 1; {end}"
            )
            done = subprocess.run([sys.executable, "-c", code, str(ring)], check=False)
            assert done.returncode == (-9 if "KILL" in end else 0)
        assert (ring.read_bytes(), ring.stat().st_ino) == before


def test_a_reader_cannot_write(ring: Path) -> None:
    """The mapping of a reader is read-only, so that no fault in a reader can harm the ring."""
    with (
        RingWriter.open(ring, seconds=SMALL),
        RingReader.attach(ring) as reader,
        pytest.raises(TypeError, match="read-only"),
    ):
        reader._words[0] = 1
