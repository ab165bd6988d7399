"""Writer and reader of the ring, in every way in which their stores and loads can fall between one another.

What runs here is the real code, taken apart. The stores of the real `RingWriter` are recorded one by one through a
stand-in for its memory, and the memory that a reader finds is the file after the first n of them. The writer is
killed after each, the real `RingWriter.open` takes over what is left, and goes on with other content. The loads of
the real `copy_frame` are answered from any of these memories, each from the same instant as the load before it or a
later one. So the order of stores and loads is that of the source, and whoever changes it changes this model.

The ring has two slots instead of eight at least, so that a frame is overwritten by the next but one. A payload is a
store of several words and a copy a load of several, each in any order. Of all instants at which a load may find a
value only the first is followed: what can happen after a later one can happen after that, too.

`RingReader.read` asks for one frame between the oldest in reach and the cursor. Here any frame that there ever was is
asked for at any instant, which is more; what `read` adds is counting. That is checked at rest, after every kill.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
import pytest

from sottovoce.shm import Frame, RingReader, RingWriter, layout, writer
from sottovoce.shm.frame import copy_frame
from sottovoce.shm.mapping import Mapping

SLOTS = 2
SECONDS = 0.01
SLOT_WORDS = layout.SLOT_BYTES // 8
PAYLOAD = layout.SLOT_HEADER_BYTES // 8
CHECKED = layout.CHECKED_OFFSET // 8
LOAD_WORDS = PAYLOAD - CHECKED + 2
"""Words of a slot that the model copies: the metadata and four samples."""

Store = tuple[int, int]
"""Index of a word in the file, and what is put there."""


class Content(NamedTuple):
    """A frame as it was given to `publish`."""

    seq: int
    generation: int
    capture_ns: int
    samples: tuple[float, ...]


def content_of(found: Frame) -> Content:
    """Return what a reader got, to be compared."""
    return Content(found.seq, found.generation, found.capture_ns, tuple(found.samples.tolist()))


# -- the writer, taken apart -------------------------------------------------------------------------------------------


class Words:
    """A mapping's words, which note every store."""

    def __init__(self, words: memoryview, stores: list[Store]) -> None:
        self._words, self._stores = words, stores

    def __getitem__(self, word: int) -> int:
        return int(self._words[word])

    def __setitem__(self, word: int, value: int) -> None:
        self._stores.append((word, value))
        self._words[word] = value

    def release(self) -> None:
        """As of a memoryview."""
        self._words.release()


class Payload:
    """The payloads of all slots, which note every store, word by word."""

    def __init__(self, payload: Any, stores: list[Store]) -> None:
        self._payload, self._stores = payload, stores

    def __setitem__(self, where: tuple[int, slice], samples: Any) -> None:
        slot = where[0]
        self._payload[where] = samples
        words = self._payload[slot, : len(samples)].copy().view(np.uint64)
        base = layout.HEADER_BYTES // 8 + slot * SLOT_WORDS + PAYLOAD
        self._stores.extend((base + at, int(word)) for at, word in enumerate(words))


class Recorded:
    """A writer on a file that holds `image`; its stores are in `taking_over` and, by frame, in `frames`."""

    def __init__(self, folder: Path, image: bytes | None, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path = folder / "ring"
        self.path.unlink(missing_ok=True)
        if image is not None:
            fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(fd, "wb") as file:
                file.write(image)
        self.taking_over: list[Store] = []
        self.frames: list[tuple[Content, list[Store]]] = []
        stores = self.taking_over

        class Recording(Mapping):
            def __init__(self, path: Path, fd: int, *, writable: bool) -> None:
                super().__init__(path, fd, writable=writable)
                self.words = Words(self.words, stores)  # type: ignore[assignment]

        with monkeypatch.context() as patch:
            patch.setattr(layout, "MINIMUM_SLOTS", SLOTS)
            patch.setattr(writer, "Mapping", Recording)
            self.writer = RingWriter.open(self.path, seconds=SECONDS)
        assert len(self.path.read_bytes()) == layout.file_bytes(SLOTS)

    def publish(self, count: int, salt: int) -> None:
        """Publish `count` frames whose content follows from seq and `salt`; two of four samples, two of two."""
        for _ in range(count):
            seq = self.writer.statistics().seq + 1
            samples = np.arange(1, 3 if seq % 4 < 2 else 5, dtype=np.float32) + np.float32(10 * seq + 1000 * salt)
            stores: list[Store] = []
            self.writer._words = Words(self.writer._mapping.words._words, stores)  # type: ignore[attr-defined,assignment]
            payload = self.writer._payload
            self.writer._payload = Payload(payload, stores)  # type: ignore[assignment]
            assert self.writer.publish(samples, capture_ns=7 * seq + salt) == seq
            self.writer._payload = payload
            given = Content(seq, self.writer.generation, 7 * seq + salt, tuple(samples.tolist()))
            self.frames.append((given, stores))

    def close(self) -> bytes:
        """Let go as if killed, and return what is in the file."""
        image = self.path.read_bytes()
        self.writer._words = Words(self.writer._mapping.words._words, [])  # type: ignore[attr-defined,assignment]
        del self.writer._payload
        self.writer._closed = True
        self.writer._mapping.close()
        return image


def after(image: bytes, stores: list[Store]) -> bytes:
    """Return the file after more stores."""
    words = memoryview(bytearray(image)).cast("Q")
    for word, value in stores:
        words[word] = value
    return words.tobytes()


Mutation = Callable[[list[Store]], list[Store]]
"""What a mutant makes of the stores of one frame."""


def as_it_is(stores: list[Store]) -> list[Store]:
    """No mutant."""
    return stores


def in_slot(stores: list[Store]) -> list[Store]:
    """Return those of one frame's stores that go into its slot, and not into the header."""
    return [store for store in stores if store[0] >= layout.HEADER_BYTES // 8]


def seq_word(stores: list[Store]) -> int:
    """Return the word in which the slot's seq is."""
    return min(word for word, _ in in_slot(stores))


def whole_after(stores: list[Store]) -> int:
    """Return after how many of one frame's stores all is in its slot."""
    return stores.index(in_slot(stores)[-1]) + 1


def payload_backwards(stores: list[Store]) -> list[Store]:
    """Store the payload's words in the other order: a copy promises none. No mutant."""
    places = [at for at, (word, _) in enumerate(stores) if word - seq_word(stores) in (PAYLOAD, PAYLOAD + 1)]
    swapped = dict(zip(places, reversed([stores[at] for at in places]), strict=True))
    return [swapped.get(at, store) for at, store in enumerate(stores)]


def no_zero(stores: list[Store]) -> list[Store]:
    """Leave out the zero that says that the slot is nobody's."""
    return [store for store in stores if store != (seq_word(stores), 0)]


def seq_first(stores: list[Store]) -> list[Store]:
    """Say that the frame is there before it is."""
    seqs = [store for store in no_zero(stores) if store[0] == seq_word(stores)]
    return [*seqs, *(store for store in stores if store[0] != seq_word(stores))]


def cursor_first(stores: list[Store]) -> list[Store]:
    """Move the cursor before the frame is written."""
    return [*(s for s in stores if s[0] == layout.H_CURSOR), *(s for s in stores if s[0] != layout.H_CURSOR)]


class History(NamedTuple):
    """All stores from `image` on, over one writer's death; and each frame with the instant from which it is whole."""

    image: bytes
    stores: list[Store]
    whole: list[tuple[Content, int]]
    unfinished: Content
    """The frame at which the first writer died, finished or not."""


def histories(
    folder: Path, monkeypatch: pytest.MonkeyPatch, mutate: Mutation = as_it_is, follow: int = 2
) -> Iterator[History]:
    """Yield, for a kill after each store of frame 3 (which overwrites 1), what a writer and its successor do."""
    first = Recorded(folder, None, monkeypatch)
    first.publish(2, salt=1)
    start = first.path.read_bytes()
    first.publish(1, salt=1)
    first.close()
    early = [given for given, _ in first.frames[:2]]
    given, stores = first.frames[2]
    stores = mutate(stores)
    for killed in range(len(stores) + 1):
        left = after(start, stores[:killed])
        second = Recorded(folder, left, monkeypatch)
        assert second.writer.replaced is None, f"after {killed} stores: {second.writer.replaced}"
        second.publish(follow, salt=2)
        second.close()
        done = stores[:killed] + second.taking_over
        whole = [(one, 0) for one in early]
        if killed >= whole_after(stores):
            whole.append((given, whole_after(stores)))
        for one, more in second.frames:
            changed = mutate(more)
            whole.append((one, len(done) + whole_after(changed)))
            done = done + changed
        yield History(start, done, whole, given)


# -- the reader, taken apart -------------------------------------------------------------------------------------------


class Instants:
    """For each word of a slot, what it holds from which instant on."""

    def __init__(self, history: History, slot: int) -> None:
        base = layout.HEADER_BYTES // 8 + slot * SLOT_WORDS
        image = memoryview(history.image).cast("Q")
        self.values: dict[int, list[tuple[int, int]]] = {
            word: [(0, int(image[base + word]))] for word in range(PAYLOAD + 2)
        }
        for instant, (word, value) in enumerate(history.stores, start=1):
            if 0 <= word - base < SLOT_WORDS:
                self.values[word - base].append((instant, value))

    def choices(self, word: int, since: int) -> list[tuple[int, int]]:
        """Return each value that a load at `since` or later may find, with the first instant at which it does."""
        found: dict[int, int] = {}
        line = self.values[word]
        for at, (instant, value) in enumerate(line):
            until = line[at + 1][0] if at + 1 < len(line) else None
            if until is None or until > since:
                found.setdefault(value, max(instant, since))
        return [(instant, value) for value, instant in found.items()]


class Script:
    """Memory as one reader finds it: answers given beforehand, and beyond them the first of all that may be."""

    def __init__(self, instants: Instants, base: int, answers: list[int]) -> None:
        self.instants, self.base = instants, base
        self.answers, self.options = answers, list[int]()
        self.now = 0

    def pick(self, choices: list[tuple[int, int]]) -> int:
        """Take the answer that is next; return its place."""
        turn = len(self.options)
        self.options.append(len(choices))
        if turn == len(self.answers):
            self.answers.append(0)
        return self.answers[turn]


class LoadedWords:
    """What `copy_frame` takes for the ring as words."""

    def __init__(self, script: Script) -> None:
        self._script = script

    def __getitem__(self, word: int) -> int:
        script = self._script
        choices = script.instants.choices(word - script.base, script.now)
        script.now, value = choices[script.pick(choices)]
        return value


class LoadedBytes:
    """What `copy_frame` takes for the ring as bytes: one copy, each word of it at an instant of its own."""

    def __init__(self, script: Script) -> None:
        self._script = script

    def __getitem__(self, where: slice) -> bytes:
        script = self._script
        since, last, words = script.now, script.now, []
        for word in range(CHECKED, CHECKED + LOAD_WORDS):
            choices = script.instants.choices(word, since)
            instant, value = choices[script.pick(choices)]
            words.append(value)
            last = max(last, instant)
        script.now = last
        return np.array(words, np.uint64).tobytes().ljust(where.stop - where.start, b"\0")


Copy = Callable[[Any, Any, int, int], "Frame | None"]


def results(history: History, seq: int, copy: Copy) -> Iterator[tuple[Content, int]]:
    """Run `copy` for frame `seq` in every way, and yield each frame that it returns, with the instant of its end."""
    slot = (seq - 1) % SLOTS
    instants = Instants(history, slot)
    base = layout.HEADER_BYTES // 8 + slot * SLOT_WORDS
    answers: list[int] = []
    while True:
        script = Script(instants, base, answers)
        found = copy(LoadedBytes(script), LoadedWords(script), seq, SLOTS)
        if found is not None:
            yield content_of(found), script.now
        while answers and answers[-1] + 1 == script.options[len(answers) - 1]:
            answers.pop()
        if not answers:
            return
        answers[-1] += 1


def deceived(history: History, copy: Copy) -> str | None:
    """Return how a reader was deceived, if one was: a frame that was not published whole, or two under one seq."""
    whole = dict(history.whole)
    for seq in range(1, max(one.seq for one in whole) + 1):
        got = set(results(history, seq, copy))
        for content, instant in got:
            if content not in whole:
                return f"frame {seq} was never published: {content}"
            if instant < whole[content]:
                return f"frame {seq} was read before it was whole"
        if len({content for content, _ in got}) > 1:
            return f"two frames {seq}"
    return None


def weaker_copy(*, again: bool, checksum: bool) -> Copy:
    """Return a `copy_frame` that looks at the seq once only, or not at the checksum, or both."""

    def copy(memory: Any, words: Any, seq: int, slots: int) -> Frame | None:
        offset = layout.HEADER_BYTES + (seq - 1) % slots * layout.SLOT_BYTES
        word = offset >> 3
        if words[word] != seq:
            return None
        body = memory[offset + layout.CHECKED_OFFSET : offset + layout.SLOT_BYTES]
        expected = words[word + layout.S_CRC] if checksum else 0
        if again and words[word] != seq:
            return None
        generation, length, index, capture_ns = layout.META.unpack_from(body)
        if not 1 <= length <= layout.FRAME_SAMPLES:
            return None
        if checksum and crc32(body[: layout.META.size + 4 * length], seq) != expected:
            return None
        return Frame(seq, generation, index, np.frombuffer(body, np.float32, length, layout.META.size), capture_ns)

    return copy


# -- the tests ---------------------------------------------------------------------------------------------------------


def test_the_model_has_the_order_of_the_source(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A frame is: seq = 0, metadata, payload, checksum, commit, seq, head, cursor; a copy: seq, copy, ..., seq."""
    recorded = Recorded(directory, None, monkeypatch)
    recorded.publish(1, salt=1)
    recorded.close()
    content, stores = recorded.frames[0]
    base = layout.HEADER_BYTES // 8
    assert [word - base if word >= base else -word for word, _ in stores] == [
        layout.S_SEQ, layout.S_GENERATION, layout.S_LENGTH, layout.S_SAMPLE_INDEX, layout.S_CAPTURE_NS, PAYLOAD,
        layout.S_CRC, layout.S_COMMIT, layout.S_SEQ, -layout.H_HEAD, -layout.H_CURSOR,
    ]  # fmt: skip
    assert stores[0][1] == 0
    assert content.samples == (11.0 + 1000.0, 12.0 + 1000.0)
    loads: list[object] = []

    class Noted:
        def __init__(self, memory: memoryview) -> None:
            self._memory = memory

        def __getitem__(self, where: Any) -> Any:
            loads.append("copy" if isinstance(where, slice) else where - base)
            return self._memory[where]

    image = memoryview(recorded.path.read_bytes())
    assert copy_frame(Noted(image), Noted(image.cast("Q")), 1, SLOTS) is not None  # type: ignore[arg-type]
    assert loads == [layout.S_SEQ, "copy", layout.S_CRC, layout.S_COMMIT, layout.S_SEQ]


@pytest.mark.parametrize("order", [as_it_is, payload_backwards], ids=lambda order: order.__name__)
def test_no_reader_is_ever_deceived(directory: Path, monkeypatch: pytest.MonkeyPatch, order: Mutation) -> None:
    """A writer killed after any store, a successor, a reader that loads at any instants: only whole frames, once."""
    count = frames = 0
    for history in histories(directory, monkeypatch, order, follow=3):
        assert deceived(history, copy_frame) is None
        count += 1
        frames += sum(any(results(history, one.seq, copy_frame)) for one, _ in history.whole)
    assert count >= 12
    assert frames > count  # readers do get something


@pytest.mark.parametrize("mutate", [as_it_is, no_zero], ids=lambda mutate: mutate.__name__)
@pytest.mark.parametrize("again", [True, False])
@pytest.mark.parametrize("checksum", [True, False])
def test_which_precaution_carries_what(
    directory: Path, monkeypatch: pytest.MonkeyPatch, mutate: Mutation, again: bool, checksum: bool
) -> None:
    """In the order of x86-64 either is enough: the checksum alone, or zero and a second look at the seq together.

    So none of the three can be shown to be needed as long as the other precautions are there, and each is once they
    are not.
    """
    copy = weaker_copy(again=again, checksum=checksum)
    wrong = [deceived(history, copy) for history in histories(directory, monkeypatch, mutate)]
    sound = checksum or (again and mutate is as_it_is)
    assert (not any(wrong)) is sound, wrong


def test_the_checksum_holds_where_loads_pass_one_another(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine that promises no order (aarch64) any mixture of old and new words may be copied: none is taken.

    One exception is a model's only: the frame that a dead writer had finished but for its seqs, under the seqs that
    its successor gives to another. To copy the one and see the other, loads a few nanoseconds apart would have to pass
    the start of a process.
    """
    weaker = weaker_copy(again=True, checksum=False)
    torn = 0
    for history in itertools.islice(histories(directory, monkeypatch), 0, None, 4):
        whole = {one for one, _ in history.whole}
        for seq in range(1, max(one.seq for one in whole) + 1):
            for copy in (copy_frame, weaker):
                with monkeypatch.context() as patch:
                    patch.setattr(Script, "now", property(lambda self: 0, lambda self, value: None), raising=False)
                    got = {content for content, _ in results(history, seq, copy)}
                if copy is copy_frame:
                    got.discard(history.unfinished)
                    assert got <= whole
                    assert len(got) <= 1
                else:
                    torn += len(got - whole)
    assert torn > 0  # the seqs alone would not have held


def test_a_seq_that_is_told_first_is_caught(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It deceives a reader that was stopped over a kill, and one without the checksum gets torn frames.

    The former begins with a frame that its writer never finished, and ends with its successor's commit.
    """
    told_first = list(histories(directory, monkeypatch, seq_first))
    assert any(deceived(history, copy_frame) for history in told_first)
    torn = [deceived(history, weaker_copy(again=True, checksum=False)) or "" for history in told_first]
    assert any("never published" in one for one in torn)


def test_a_cursor_that_is_told_first_is_caught(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It vouches for a frame that a kill leaves unfinished, so the ring is replaced, with all the audio in it."""
    with pytest.raises(AssertionError, match="frame 3, the last one published, fails its checks"):
        list(histories(directory, monkeypatch, cursor_first))


def test_a_successor_may_be_killed_too(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed after any store of taking over and of its first frame: the third goes on, and no seq has two contents.

    At rest after each kill, the real reader finds what is in reach, whole, in order, nothing bad.
    """
    for history in histories(directory, monkeypatch, follow=1):
        closed = [at for at, (word, _) in enumerate(history.stores) if word == layout.H_CLOSED]
        first_dead = closed[0]  # the first store of taking over; all kills before it are other histories
        for killed in range(first_dead, len(history.stores) + 1):
            left = after(history.image, history.stores[:killed])
            seen = _at_rest(directory / "copy", left, monkeypatch)
            whole = {one for one, instant in history.whole if instant <= killed}
            assert set(seen) <= whole
            third = Recorded(directory, left, monkeypatch)
            assert third.writer.replaced is None
            last = max(one.seq for one in whole)
            assert third.writer.statistics().seq == last
            third.publish(1, salt=3)
            image = third.close()
            assert third.frames[0][0].seq == last + 1
            assert _at_rest(directory / "copy", image, monkeypatch) == [third.frames[0][0]]


def _at_rest(path: Path, image: bytes, monkeypatch: pytest.MonkeyPatch) -> list[Content]:
    """Read a ring that nobody writes with the real reader."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(image)
    with monkeypatch.context() as patch:
        patch.setattr(layout, "MINIMUM_SLOTS", SLOTS)
        with RingReader.attach(path) as reader:
            found = [content_of(one) for one in iter(reader.read, None)]
            assert reader.statistics().bad == 0
    return found
