"""Counters of a process that any other process may look at, while it runs and after it has died.

They are always on, so an update must cost next to nothing: it is one store into shared memory (three for a
histogram), without a lock and without a system call. The page carries the names of what it holds, so who looks needs
to know nothing beforehand. A view may be taken between two stores; each number in it is whole, as all are aligned
words, but a sum may be one observation ahead of its count.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self
from zlib import crc32

from sottovoce.shm import process
from sottovoce.shm.closing import Closing
from sottovoce.shm.exceptions import CountersInvalid
from sottovoce.shm.histogram import Histogram
from sottovoce.shm.mapping import Mapping, allocate, create, open_existing
from sottovoce.shm.recorders import FIRST_BUCKET, HISTOGRAM_WORDS, MAX, SUM, Counter, HistogramRecorder

_VERSION: Final = 2
_MAGIC: Final = int.from_bytes(b"SVCNTR" + _VERSION.to_bytes(2, "little"), "little")
_H_MAGIC, _H_BOOT_HIGH, _H_BOOT_LOW, _H_PID, _H_START, _H_NAMES_BYTES, _H_DATA_OFFSET, _H_CRC = range(8)
_HEADER_BYTES: Final = 64


class CountersPage(Closing):
    """The counters of this process, in the file at `path`. One thread changes each counter."""

    path: Path

    def __init__(self, mapping: Mapping, path: Path, counters: Sequence[str], histograms: Sequence[str]) -> None:
        """Not for general use: call `create`."""
        self.path = path
        self._mapping = mapping
        self._description = bytes(mapping.bytes[: mapping.words[_H_DATA_OFFSET]])
        self._data = mapping.bytes[len(self._description) :].cast("q")
        self._counters = {name: Counter(self._data, word) for name, word in _places(counters, 0, 1)}
        self._histograms = {
            name: HistogramRecorder(self._data, word)
            for name, word in _places(histograms, len(counters), HISTOGRAM_WORDS)
        }

    @classmethod
    def create(cls, path: Path, *, counters: Sequence[str], histograms: Sequence[str]) -> Self:
        """Make a page with these names, all at 0, and put it at `path` in one step, in the place of an older one.

        Raises:
            ValueError: a name comes twice.
            ShmFull, ShmInsecure, ShmNotTmpfs: it cannot be placed there; see `mapping`.

        """
        if len(set(counters)) < len(counters) or len(set(histograms)) < len(histograms):
            raise ValueError(f"{path}: a counter or a histogram is named twice; name each once")
        names = json.dumps({"counters": list(counters), "histograms": list(histograms)}).encode()
        description = _describe(names)
        words = len(counters) + HISTOGRAM_WORDS * len(histograms)
        return cls(_make(path, description, len(description) + 8 * words), path, counters, histograms)

    def mend(self) -> str | None:
        """Put right what somebody else has done to the page since the last call, and return what that was.

        Counters are written again in any case. The file stays the same, so whoever has it mapped sees it mended, but
        where it was removed; then `CountersView.follow` finds the new one. 5 us where all is well.

        Raises:
            ShmFull: there is no room for another one.

        """
        wrong = []
        if self._mapping.resized():
            wrong.append(f"the page had {self._mapping.memory.size()} bytes instead of {self._mapping.size}")
            self._mapping.restore_size()
        offset = len(self._description)
        if self._mapping.bytes[:offset] != self._description:
            wrong.append("the page's description of itself was overwritten")
            self._mapping.bytes[:offset] = self._description
        if self._mapping.is_stale():
            wrong.append("the page had been removed or replaced")
            old, self._mapping = self._mapping, _make(self.path, self._description, self._mapping.size)
            self._data.release()
            self._data = self._mapping.bytes[offset:].cast("q")
            old.close()
        for counter in self._counters.values():
            counter.rewrite(self._data)
        if not wrong:
            return None
        for histogram in self._histograms.values():
            histogram.rewrite(self._data)
        return f"{self.path}: {', '.join(wrong)}"

    def counter(self, name: str) -> Counter:
        """Return the counter `name`, for a place that counts often; KeyError where there is none."""
        return self._counters[name]

    def histogram(self, name: str) -> HistogramRecorder:
        """Return the histogram `name`, for a place that observes often; KeyError where there is none."""
        return self._histograms[name]

    def add(self, name: str, n: int = 1) -> None:
        """Add `n` to the counter `name`."""
        self._counters[name].add(n)

    def set(self, name: str, value: int) -> None:
        """Make the counter `name` be `value`."""
        self._counters[name].set(value)

    def get(self, name: str) -> int:
        """Return the counter `name`."""
        return self._counters[name].value

    def observe(self, name: str, value: int) -> None:
        """Count `value`, an integer of any unit, in the histogram `name`."""
        self._histograms[name].observe(value)

    def close(self, *, unlink: bool = False) -> None:
        """Let the page go; remove its file too where `unlink` is set and it is still ours. May be called again."""
        if self._mapping.memory.closed:
            return
        if unlink and not self._mapping.is_stale():
            self.path.unlink()
        self._data.release()
        self._mapping.close()


class CountersView(Closing):
    """Somebody's counters, read only. They stay readable when that process has ended."""

    path: Path
    pid: int
    """Process id of the owner."""
    start: int
    """When that process started, in clock ticks since boot."""

    def __init__(self, mapping: Mapping, counters: Sequence[str], histograms: Sequence[str]) -> None:
        """Not for general use: call `attach`. The mapping has been validated."""
        self.path = mapping.path
        self.pid = mapping.words[_H_PID]
        self.start = mapping.words[_H_START]
        self._mapping = mapping
        self._data = mapping.bytes[mapping.words[_H_DATA_OFFSET] :].cast("q")
        self._counters = _places(counters, 0, 1)
        self._histograms = _places(histograms, len(counters), HISTOGRAM_WORDS)

    @classmethod
    def attach(cls, path: Path) -> Self:
        """Map the page at `path` for reading.

        Raises:
            CountersInvalid: there is none, or it is not a page of this version and this boot.
            ShmInsecure, ShmNotTmpfs: the file or its directory cannot be trusted; see `mapping`.

        """
        try:
            fd = open_existing(path, writable=False)
        except FileNotFoundError as error:
            raise CountersInvalid(f"{path}: no counters there; start the process they belong to") from error
        try:
            counters, histograms = _validate(path, os.pread(fd, os.fstat(fd).st_size, 0))
        except BaseException:
            os.close(fd)
            raise
        return cls(Mapping(path, fd, writable=False), counters, histograms)

    @property
    def alive(self) -> bool:
        """Whether the process that the page belongs to still runs."""
        return process.is_alive(self.pid, self.start)

    def counters(self) -> dict[str, int]:
        """Return every counter by its name.

        Raises:
            CountersInvalid: the file has been cut short.

        """
        self._require_whole()
        return {name: self._data[word] for name, word in self._counters}

    def histograms(self) -> dict[str, Histogram]:
        """Return every histogram by its name.

        Raises:
            CountersInvalid: the file has been cut short.

        """
        self._require_whole()
        return {name: self._histogram(word) for name, word in self._histograms}

    def stale(self) -> bool:
        """Whether the path now leads to another file, or to none: close this view and attach again."""
        return self._mapping.is_stale()

    def follow(self) -> None:
        """Look at the file that the path leads to by now, if it is another one of the same process.

        Raises:
            CountersInvalid: there is none, or it is of another process; this view stays as it is.
            ShmInsecure, ShmNotTmpfs: as `attach`.

        """
        if not self.stale():
            return
        other = type(self).attach(self.path)
        if (other.pid, other.start) != (self.pid, self.start):
            other.close()
            raise CountersInvalid(f"{self.path}: belongs to process {other.pid} now, not to {self.pid}; attach again")
        self.close()
        self._mapping, self._data = other._mapping, other._data

    def _require_whole(self) -> None:
        """Raise rather than end in SIGBUS."""
        if self._mapping.resized():
            raise CountersInvalid(
                f"{self.path}: cut short to {self._mapping.memory.size()} bytes; restart the process it belongs to"
            )

    def close(self) -> None:
        """Unmap the page. May be called again."""
        self._data.release()
        self._mapping.close()

    def _histogram(self, word: int) -> Histogram:
        buckets = tuple(self._data[word + FIRST_BUCKET : word + HISTOGRAM_WORDS])
        return Histogram(sum(buckets), self._data[word + SUM], self._data[word + MAX], buckets)


def _describe(names: bytes) -> bytes:
    """Return what a page of this process begins with: whose it is and what its numbers are called."""
    description = bytearray(-(-(_HEADER_BYTES + len(names)) // 64) * 64)
    description[_HEADER_BYTES : _HEADER_BYTES + len(names)] = names
    words = memoryview(description).cast("Q")
    words[_H_MAGIC] = _MAGIC
    words[_H_BOOT_HIGH], words[_H_BOOT_LOW] = process.boot_id()
    words[_H_PID] = os.getpid()
    words[_H_START] = process.start_time(os.getpid()) or 0
    words[_H_NAMES_BYTES] = len(names)
    words[_H_DATA_OFFSET] = len(description)
    words[_H_CRC] = crc32(description)
    return bytes(description)


def _make(path: Path, description: bytes, size: int) -> Mapping:
    """Make a page of `size` bytes that begins with `description`, all else 0, and put it at `path` in one step."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with contextlib.suppress(FileNotFoundError):
        draft.unlink()  # left by a process that died here and had our id
    fd = create(draft)
    try:
        allocate(path, fd, size)
    except BaseException:
        os.close(fd)
        draft.unlink()
        raise
    mapping = Mapping(draft, fd, writable=True)
    mapping.bytes[: len(description)] = description
    draft.replace(path)  # nobody sees it before it is whole
    mapping.path = path
    return mapping


def _places(names: Sequence[str], before: int, words: int) -> list[tuple[str, int]]:
    """Return each name with the index of its first word, of `words` each, after `before` words."""
    return [(name, before + number * words) for number, name in enumerate(names)]


def _validate(path: Path, content: bytes) -> tuple[list[str], list[str]]:
    """Check a page and return the names of its counters and of its histograms."""
    hint = "restart the process it belongs to"
    if len(content) < _HEADER_BYTES or len(content) % 8:
        raise CountersInvalid(f"{path}: {len(content)} bytes are not a counters page; {hint}")
    words = memoryview(content).cast("Q")
    if words[_H_MAGIC] != _MAGIC:
        raise CountersInvalid(f"{path}: not a counters page of version {_VERSION}; {hint}")
    if (words[_H_BOOT_HIGH], words[_H_BOOT_LOW]) != process.boot_id():
        raise CountersInvalid(f"{path}: left behind by another boot of this machine; {hint}")
    offset = words[_H_DATA_OFFSET]
    described = bytearray(content[: min(offset, len(content))])
    described[8 * _H_CRC : 8 * (_H_CRC + 1)] = bytes(8)
    if len(described) < _HEADER_BYTES or crc32(described) != words[_H_CRC]:
        raise CountersInvalid(f"{path}: its header or its table of names is damaged; {hint}")
    try:
        names = json.loads(content[_HEADER_BYTES : _HEADER_BYTES + words[_H_NAMES_BYTES]])
        counters, histograms = list(names["counters"]), list(names["histograms"])
    except (ValueError, KeyError, TypeError) as error:
        raise CountersInvalid(f"{path}: its table of names is damaged ({error}); {hint}") from error
    if len(content) != offset + 8 * (len(counters) + HISTOGRAM_WORDS * len(histograms)):
        raise CountersInvalid(f"{path}: {len(content)} bytes do not fit its table of names; {hint}")
    return counters, histograms
