"""Does a series grow? A slope by least squares, a robust one with a 95 % interval, and a verdict.

The samples of a soak are neither independent nor normal: a day has busy and quiet hours, allocators take memory in
steps, and one long decode is an outlier. So the verdict rests on the Theil-Sen slope (the median of the slopes between
all pairs; Sen, JASA 63, 1968), which a single step or a burst cannot move, and on Sen's interval, from the variance of
Kendall's S with ties, made wider for what is left of autocorrelation (Yue and Wang, Water Resources Management 18,
2004). Least squares is given beside it, since a step shows there.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

WARM_UP: Final = 0.2
"""Share of a run that is cut off: allocators, caches and the ring's pages fill up in it."""
_BINS: Final = 48  # half an hour of a day each: long enough that each holds speech and silence
_FEWEST: Final = 8  # with fewer values, even a strict rise is hardly more than chance (p = 0.05 needs 4 or 5)
_Z95: Final = 1.959964

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Tolerance:
    """What of a series may change without anybody minding; a rise must exceed all of it to count."""

    day: float = 0.0
    """Rise in 24 h."""
    run: float = 0.0
    """Rise within the run itself: what is less than this cannot be told from the grain of the series."""
    share: float = 0.0
    """Rise in 24 h, as a share of the series' median."""
    least_h: float = 0.0
    """Hours without which nothing can be said: what follows the load needs several busy and quiet stretches."""


@dataclass(frozen=True, slots=True)
class Trend:
    """A series' figures. `first` to `max` are of the whole run, the slopes (per hour) of what follows the warm-up."""

    first: float
    last: float
    min: float
    max: float
    median: float
    ols_per_h: float
    sen_per_h: float
    low_per_h: float
    high_per_h: float
    """The 95 % interval of `sen_per_h`."""
    span_h: float
    """What the slopes were measured over."""
    verdict: Literal["flat", "grows", "too short"]

    @property
    def day(self) -> float:
        """The robust slope, over 24 h."""
        return 24 * self.sen_per_h

    def as_dict(self) -> dict[str, Any]:
        """Return the figures for JSON, rounded."""
        rounded = {key: rounds(value) for key, value in asdict(self).items()}
        return rounded | {"in_24h": rounds(self.day)}


def trend(
    hours: Sequence[float] | Floats, values: Sequence[float] | Floats, tolerance: Tolerance, *, warm_up: float = WARM_UP
) -> Trend:
    """Judge one series.

    It grows if the whole 95 % interval of the robust slope lies above 0, and the rise exceeds `tolerance`.

    Args:
        hours: when each value was taken, rising.
        values: as many; NaN where there is none.
        tolerance: what rise is of no account.
        warm_up: share of the time that is left out at the beginning.
    """
    x, y = np.asarray(hours, float), np.asarray(values, float)
    x, y = x[np.isfinite(y)], y[np.isfinite(y)]
    if len(x) == 0:
        nan = math.nan
        return Trend(nan, nan, nan, nan, nan, nan, nan, nan, nan, span_h=0.0, verdict="too short")
    late = x >= x[0] + warm_up * (x[-1] - x[0])
    bx, by = binned(x[late], y[late])
    middle = float(np.median(y[late]))
    sen, low, high = theil_sen(bx, by)
    span = float(bx[-1] - bx[0])
    rise, day = sen * span, 24 * sen
    grows = low > 0 and day > max(tolerance.day, tolerance.share * abs(middle)) and rise > tolerance.run
    verdict: Literal["flat", "grows", "too short"] = "grows" if grows else "flat"
    if len(bx) < _FEWEST or span < tolerance.least_h:
        verdict = "too short"
    return Trend(
        first=float(y[0]), last=float(y[-1]), min=float(y.min()), max=float(y.max()), median=middle,
        ols_per_h=least_squares(x[late], y[late]), sen_per_h=sen, low_per_h=low, high_per_h=high, span_h=span,
        verdict=verdict,
    )  # fmt: skip


def binned(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Return the means of at most 48 equal stretches of `x`; those without a value are left out.

    Means, not medians: of a queue that is mostly empty the median is 0 whatever the bursts do.
    """
    if len(x) <= _BINS:
        return x, y
    places = np.minimum((x - x[0]) / (x[-1] - x[0]) * _BINS, _BINS - 1).astype(int)
    filled = np.unique(places)
    return np.array([x[places == k].mean() for k in filled]), np.array([y[places == k].mean() for k in filled])


def least_squares(x: Floats, y: Floats) -> float:
    """Return the slope of the line with the least squares; 0 where there is none."""
    spread = x - x.mean()
    square = float(spread @ spread)
    return float(spread @ (y - y.mean())) / square if square > 0 else 0.0


def theil_sen(x: Floats, y: Floats) -> tuple[float, float, float]:
    """Return the median of all slopes between two points, and the ends of its 95 % interval."""
    n = len(x)
    i, j = np.triu_indices(n, 1)
    apart = x[j] > x[i]
    slopes = np.sort((y[j] - y[i])[apart] / (x[j] - x[i])[apart])
    if len(slopes) == 0:
        return 0.0, 0.0, 0.0
    slope = float(np.median(slopes))
    ties = sum(t * (t - 1) * (2 * t + 5) for t in Counter(y.tolist()).values())
    variance = (n * (n - 1) * (2 * n + 5) - ties) / 18
    width = _Z95 * math.sqrt(max(0.0, variance) * _inflation(y - slope * x))
    low = slopes[max(0, math.floor((len(slopes) - width) / 2))]
    high = slopes[min(len(slopes) - 1, math.ceil((len(slopes) + width) / 2))]
    return slope, float(low), float(high)


def _inflation(rest: Floats) -> float:
    """By what to multiply a variance where neighbours resemble each other: (1 + r) / (1 - r), r of lag 1."""
    rest = rest - rest.mean()
    square = float(rest @ rest)
    if square <= 0:
        return 1.0
    r = min(0.9, max(0.0, float(rest[1:] @ rest[:-1]) / square))
    return (1 + r) / (1 - r)


def rates(hours: Sequence[float], totals: Sequence[float]) -> list[float]:
    """Return by how much an hour a running total grew up to each value.

    NaN for the first, where the total fell (a process was replaced), and where too little time has gone by since the
    last rate, a two-hundredth of the whole: while the day waits for the stages, its clock stands still and they work.
    """
    found = [math.nan] * len(hours)
    least = (hours[-1] - hours[0]) / 200 if len(hours) else 0.0
    last = 0
    for i in range(1, len(hours)):
        apart, grown = hours[i] - hours[last], totals[i] - totals[last]
        if (apart > 0 and apart >= least) or not grown >= 0:
            found[i] = grown / apart if grown >= 0 and apart > 0 else math.nan
            last = i
    return found


def rounds(value: float | str) -> float | str | None:
    """Return a number with five significant digits (None for NaN, which JSON has not), anything else as it is."""
    if isinstance(value, str):
        return value
    return None if math.isnan(value) else float(f"{value:.5g}")
