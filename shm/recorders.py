"""The numbers of a counters page, from the side of the process that changes them: one store each, three a histogram."""

from __future__ import annotations

from typing import Final

from sottovoce.shm.histogram import BUCKETS, bucket_of

# A histogram is these two words and its buckets.
SUM, MAX, FIRST_BUCKET = range(3)
HISTOGRAM_WORDS: Final = FIRST_BUCKET + BUCKETS


class Counter:
    """A number that one thread changes and anybody reads; 64 bits, signed."""

    __slots__ = ("_value", "_word", "_words")

    def __init__(self, words: memoryview, word: int) -> None:
        """Not for general use: call `CountersPage.counter`."""
        self._words = words
        self._word = word
        self._value = 0

    @property
    def value(self) -> int:
        """The number as it stands."""
        return self._value

    def add(self, n: int = 1) -> None:
        """Add `n`."""
        self._value = value = self._value + n
        self._words[self._word] = value

    def set(self, value: int) -> None:
        """Make it `value`."""
        self._value = value
        self._words[self._word] = value

    def rewrite(self, words: memoryview) -> None:
        """Go on in a page that was mended; for `CountersPage.mend`."""
        self._words = words
        words[self._word] = self._value


class HistogramRecorder:
    """A distribution that one thread adds to and anybody reads."""

    __slots__ = ("_buckets", "_max", "_sum", "_word", "_words")

    def __init__(self, words: memoryview, word: int) -> None:
        """Not for general use: call `CountersPage.histogram`."""
        self._words = words
        self._word = word
        self._sum = 0
        self._max = 0
        self._buckets = [0] * BUCKETS

    def observe(self, value: int) -> None:
        """Count `value`, an integer of any unit; what is below 0 counts as 0."""
        words = self._words
        word = self._word
        bucket = bucket_of(value)
        self._buckets[bucket] = count = self._buckets[bucket] + 1
        words[word + FIRST_BUCKET + bucket] = count
        if bucket:
            self._sum = total = self._sum + value
            words[word + SUM] = total
            if value > self._max:
                self._max = value
                words[word + MAX] = value

    def rewrite(self, words: memoryview) -> None:
        """Go on in a page that was mended; for `CountersPage.mend`."""
        self._words = words
        for number, count in enumerate((self._sum, self._max, *self._buckets)):
            words[self._word + number] = count
