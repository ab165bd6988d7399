"""What writers put right in their files when somebody else has had hands in them."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from sottovoce.shm import CountersInvalid, CountersPage, CountersView, RingCorrupt, RingReader, RingWriter
from sottovoce.shm.layout import HEADER_BYTES


def overwrite(path: Path, at: int, content: bytes) -> None:
    """Overwrite a part of a file in place."""
    with path.open("r+b") as file:
        file.seek(at)
        file.write(content)


def publish(writer: RingWriter, count: int) -> None:
    """Publish frames whose samples are all their number."""
    for _ in range(count):
        number = writer.statistics().seq + 1
        writer.publish(np.full(512, number, np.float32), capture_ns=number)


def test_a_sound_ring_is_left_alone(ring: Path) -> None:
    """Where nothing is wrong there is nothing to tell, with gaps, overruns and signs of life in the header."""
    with RingWriter.open(ring, seconds=1) as writer:
        assert writer.mend() is None
        publish(writer, 100)
        writer.skip(77)
        writer.count_xruns(2)
        writer.beat()
        before = ring.read_bytes()
        assert writer.mend() is None
        assert ring.read_bytes() == before
    with RingWriter.open(ring, seconds=1) as writer:
        assert writer.mend() is None


@pytest.mark.parametrize("at", [0, 8, 56, 8 * 16, 8 * 20, 8 * 24, 8 * 25])
def test_an_overwritten_header_is_written_again(ring: Path, at: int) -> None:
    """Any word of the header that the writer knows comes back, and the stream goes on for those who read it."""
    with RingWriter.open(ring, seconds=1) as writer, RingReader.attach(ring) as reader:
        publish(writer, 3)
        before = ring.read_bytes()
        overwrite(ring, at, b"\xa5" * 8)
        assert "overwritten" in (writer.mend() or "")
        assert ring.read_bytes() == before
        publish(writer, 1)
        assert [frame.samples[0] for frame in iter(reader.read, None)] == [1, 2, 3, 4]
        with RingReader.attach(ring) as late:
            assert late.samples(0, late.head)[-1] == 4


@pytest.mark.parametrize("size", [0, 100, HEADER_BYTES, HEADER_BYTES + 5000, 1 << 20])
def test_a_ring_of_another_size_gets_its_own_back(ring: Path, size: int) -> None:
    """What was cut off is damaged, and found so; what comes after is sound, and nobody meets SIGBUS."""
    with RingWriter.open(ring, seconds=1) as writer, RingReader.attach(ring) as reader:
        publish(writer, 20)
        whole = ring.stat().st_size
        os.truncate(ring, size)
        assert reader.stale()
        assert f"{size} bytes instead of {whole}" in (writer.mend() or "")
        assert not reader.stale()
        publish(writer, 2)
        seen = [(frame.seq, frame.samples[0]) for frame in iter(reader.read, None)]
        assert seen[-2:] == [(21, 21), (22, 22)]
        assert all(seq == value for seq, value in seen)
        assert len(seen) + reader.statistics().bad == 22
        assert writer.mend() is None


def test_a_removed_ring_is_put_back(ring: Path) -> None:
    """The file comes back with the same stream and all its frames; a reader that attaches again misses nothing."""
    with RingWriter.open(ring, seconds=1) as writer, RingReader.attach(ring) as reader:
        publish(writer, 3)
        assert reader.read() is not None
        ring.unlink()
        assert "removed" in (writer.mend() or "")
        publish(writer, 1)
        assert reader.stale()
        with RingReader.attach(ring) as again:
            assert again.stream == reader.stream
            assert [frame.samples[0] for frame in iter(again.read, None)] == [1, 2, 3, 4]
        assert [path.name for path in ring.parent.iterdir()] == [ring.name]
        assert oct(ring.stat().st_mode & 0o777) == "0o600"


def test_a_reader_tells_that_it_is_lost(ring: Path) -> None:
    """A reader that a damaged cursor led astray says so, rather than wait for ever."""
    with RingWriter.open(ring, seconds=1) as writer, RingReader.attach(ring) as reader:
        publish(writer, 3)
        overwrite(ring, 8 * 24, (1 << 40).to_bytes(8, "little"))
        assert reader.read() is None  # all that the cursor vouches for is damaged
        writer.mend()
        with pytest.raises(RingCorrupt, match="attach again"):
            reader.read()


@pytest.mark.parametrize("damage", ["cut", "description", "numbers", "removed"])
def test_a_counters_page_is_mended(ring: Path, damage: str) -> None:
    """Numbers, names and file come back; a view that was there before sees the same as one that comes later."""
    path = ring.with_name("a.counters")
    page = CountersPage.create(path, counters=["a", "b"], histograms=["h"])
    with page, CountersView.attach(path) as view:
        page.set("a", 7)
        page.observe("h", 1000)
        counted, observed = view.counters(), view.histograms()
        assert page.mend() is None
        if damage == "cut":
            os.truncate(path, 0)
            with pytest.raises(CountersInvalid, match="cut short"):
                view.counters()
        elif damage == "removed":
            path.unlink()
        else:
            overwrite(path, 0 if damage == "description" else path.stat().st_size - 8 * 68, b"\xa5" * 24)
        assert (page.mend() is None) == (damage == "numbers")
        view.follow()
        with CountersView.attach(path) as late:
            for one in (view, late):
                assert one.counters() == counted
                assert damage == "numbers" or one.histograms() == observed
        page.add("b")
        assert view.counters() == {"a": 7, "b": 1}
        assert page.mend() is None


def test_a_view_follows_its_own_process_only(ring: Path) -> None:
    """The page of another process at the same path is another matter."""
    path = ring.with_name("a.counters")
    page = CountersPage.create(path, counters=["a"], histograms=[])
    with page, CountersView.attach(path) as view:
        view.follow()
        path.unlink()
        with pytest.raises(CountersInvalid, match="no counters"):
            view.follow()
        assert view.counters() == {"a": 0}
