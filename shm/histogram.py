"""A distribution in 64 numbers."""

from __future__ import annotations

from dataclasses import dataclass

BUCKETS = 64


def bucket_of(value: int) -> int:
    """Return the bucket of `value`: its length in bits, so bucket i > 0 holds 2**(i-1) <= value < 2**i."""
    return min(value.bit_length(), BUCKETS - 1) if value > 0 else 0


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts by powers of two: any range, no settings, and a quantile that is never off by more than a factor of 2."""

    count: int
    """How many values were observed."""
    sum: int
    """Their sum, in their own unit."""
    max: int
    """The largest of them; 0 where there is none, or none above 0."""
    buckets: tuple[int, ...]
    """Bucket 0 counts values <= 0, bucket i those of i bits: 2**(i-1) <= value < 2**i."""

    @property
    def mean(self) -> float:
        """Their mean, exact; 0.0 where there is none."""
        return self.sum / self.count if self.count else 0.0

    def quantile(self, q: float) -> float:
        """Return the value that a share `q` of the values does not exceed, by interpolation within its bucket.

        It is 0.0 where there are no values.

        Raises:
            ValueError: `q` is not within 0 to 1.

        """
        if not 0.0 <= q <= 1.0:
            raise ValueError(f"a quantile of {q} cannot be; give 0 <= q <= 1")
        rank = q * self.count
        below = 0
        for index, number in enumerate(self.buckets):
            if number and below + number >= rank:
                if index == 0:
                    return 0.0
                low = 1 << (index - 1)
                return min(low + low * max(0.0, rank - below) / number, float(self.max))
            below += number
        return float(self.max)
