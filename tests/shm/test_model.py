"""The ring against a model of it in plain Python: whatever is done to both, both say the same."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from sottovoce.shm import RingGap, RingLapped, RingReader, RingWriter

SLOTS = 8
SECONDS = 0.25
LENGTHS = st.integers(1, 512) | st.sampled_from([1, 511, 512])


@dataclass
class ModelFrame:
    """What was published."""

    generation: int
    index: int
    samples: np.ndarray

    @property
    def end(self) -> int:
        """Index after the last sample."""
        return self.index + len(self.samples)


class RingMachine(RuleBasedStateMachine):
    """One ring of eight slots, one writer, one reader that reads in order, and a list of all that was published."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory(prefix="sottovoce-test-", dir="/dev/shm")
        self.path = Path(self.directory.name) / "ring"
        self.frames: list[ModelFrame] = []
        self.position = 0
        self.generation = 1

    @initialize()
    def start(self) -> None:
        """Begin with a new ring."""
        self.writer = RingWriter.open(self.path, seconds=SECONDS)
        self.reader = RingReader.attach(self.path)
        self.forget()

    def teardown(self) -> None:
        """Leave nothing behind."""
        if hasattr(self, "writer"):
            self.reader.close()
            self.writer.close()
        self.directory.cleanup()

    def forget(self) -> None:
        """Be a reader that has just attached."""
        self.next = self.oldest
        self.wanted = self.tail
        self.read_frames = self.lost_frames = 0

    @property
    def oldest(self) -> int:
        """Seq of the oldest frame in reach."""
        return max(1, len(self.frames) + 2 - SLOTS)

    @property
    def head(self) -> int:
        """Index after the last published sample."""
        return self.frames[-1].end if self.frames else 0

    @property
    def tail(self) -> int:
        """Index of the oldest sample in reach."""
        return self.frames[self.oldest - 1].index if self.oldest > 1 else 0

    @rule(lengths=st.lists(LENGTHS, min_size=1, max_size=2 * SLOTS))
    def publish(self, lengths: list[int]) -> None:
        """Publish some frames, up to two laps of them."""
        for length in lengths:
            samples = np.full(length, len(self.frames) + 1, np.float32)
            assert self.writer.publish(samples, capture_ns=self.position) == len(self.frames) + 1
            self.frames.append(ModelFrame(self.generation, self.position, samples))
            self.position += length

    @rule(samples=st.integers(0, 3000))
    def skip(self, samples: int) -> None:
        """Leave a gap."""
        self.writer.skip(samples)
        self.position += samples

    @rule(times=st.integers(1, 2 * SLOTS))
    def read(self, times: int) -> None:
        """Read some frames, or until there is none."""
        for _ in range(times):
            expected = self.model_read()
            frame = self.reader.read()
            if expected is None:
                assert frame is None
                return
            assert frame is not None
            assert (frame.sample_index, frame.generation) == (expected.index, expected.generation)
            assert frame.capture_ns == expected.index
            assert np.array_equal(frame.samples, expected.samples)

    def model_read(self) -> ModelFrame | None:
        """Return the next frame, as `RingReader.read` must."""
        while self.next <= len(self.frames):
            if self.next < self.oldest:
                ahead = len(self.frames) + 1 - SLOTS // 2
                self.lost_frames += ahead - self.next
                self.next = ahead
            self.next += 1
            frame = self.frames[self.next - 2]
            if frame.end > self.wanted:
                self.read_frames += 1
                return frame
        return None

    @rule(share=st.floats(0, 1.2))
    def seek(self, share: float) -> None:
        """Seek anywhere, a little past the end too."""
        sample = int(self.head * share)
        self.reader.seek(sample)
        lost = max(0, self.tail - sample)
        self.lost_frames += -(-lost // 512)
        self.wanted = sample + lost
        self.next = next(
            (seq for seq in range(self.oldest, len(self.frames) + 1) if self.frames[seq - 1].end > self.wanted),
            len(self.frames) + 1,
        )

    @rule(share=st.tuples(st.floats(0, 1), st.floats(0, 1)), strict=st.booleans())
    def ask_for_samples(self, share: tuple[float, float], strict: bool) -> None:
        """Ask for a range: its samples, its gaps, and the errors it must give."""
        low = self.tail if strict else 0
        first, end = sorted(low + round((self.head - low) * one) for one in share)
        if first < self.tail and first < end:
            with pytest.raises(RingLapped):
                self.reader.samples(first, end)
            return
        whole = np.zeros(self.head, np.float32)
        captured = np.zeros(self.head, bool)
        for frame in self.frames:
            whole[frame.index : frame.end] = frame.samples
            captured[frame.index : frame.end] = True
        assert np.array_equal(self.reader.samples(first, end), whole[first:end])
        silent = np.zeros(end - first, bool)
        for gap_first, gap_end in self.reader.gaps(first, end):
            assert first <= gap_first < gap_end <= end
            silent[gap_first - first : gap_end - first] = True
        assert np.array_equal(silent, ~captured[first:end])
        if silent.any():
            with pytest.raises(RingGap):
                self.reader.samples(first, end, fill_gaps=False)
        else:
            assert np.array_equal(self.reader.samples(first, end, fill_gaps=False), whole[first:end])

    @rule()
    def reopen(self) -> None:
        """End the writer and let another carry on."""
        self.writer.close()
        assert self.reader.closed
        self.writer = RingWriter.open(self.path, seconds=SECONDS)
        assert self.writer.replaced is None
        self.generation += 1

    @rule()
    def attach_again(self) -> None:
        """Replace the reader by one that has just attached."""
        self.reader.close()
        self.reader = RingReader.attach(self.path)
        self.forget()

    @invariant()
    def they_agree(self) -> None:
        """Whatever was done, both say the same."""
        if hasattr(self, "writer"):
            assert self.writer.position == self.position
            assert (self.reader.head, self.reader.tail) == (self.head, self.tail)
            assert (self.reader.generation, self.writer.generation) == (self.generation, self.generation)
            counts = self.reader.statistics()
            assert (counts.frames, counts.lost_frames) == (self.read_frames, self.lost_frames)
            assert (counts.bad, counts.retries) == (0, 0)


class TestRing(RingMachine.TestCase):  # type: ignore[name-defined,misc]
    """Publishing, gaps, reading, seeking, lapping and re-opening in any order do what the model does."""

    settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
