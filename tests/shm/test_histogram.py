import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sottovoce.shm import Histogram
from sottovoce.shm.histogram import BUCKETS, bucket_of


def _histogram(values: list[int]) -> Histogram:
    buckets = [0] * BUCKETS
    for value in values:
        buckets[bucket_of(value)] += 1
    return Histogram(len(values), sum(values), max(values, default=0), tuple(buckets))


@given(st.integers(0, (1 << 62) - 1))
def test_a_bucket_holds_a_power_of_two(value: int) -> None:
    """Bucket i holds the values from 2**(i-1) to below 2**i, and bucket 0 holds 0."""
    bucket = bucket_of(value)
    assert (1 << bucket) >> 1 <= value < 1 << bucket


@given(st.lists(st.integers(0, 1 << 40), min_size=1, max_size=200), st.floats(0, 1))
def test_a_quantile_is_within_the_bucket_of_the_true_one(values: list[int], q: float) -> None:
    """A quantile lies in the bucket that holds the true one, so it is off by less than a factor of two."""
    found = _histogram(values).quantile(q)
    true = int(np.quantile(values, q, method="inverted_cdf"))
    bucket = bucket_of(true)
    assert (1 << bucket) >> 1 <= found <= 1 << bucket
    assert found <= max(values)


@given(st.lists(st.integers(0, 1 << 20), min_size=1), st.floats(0, 1), st.floats(0, 1))
def test_quantiles_are_in_order(values: list[int], one: float, other: float) -> None:
    """A larger share never has a smaller quantile."""
    histogram = _histogram(values)
    assert histogram.quantile(min(one, other)) <= histogram.quantile(max(one, other))


def test_quantiles_are_interpolated() -> None:
    """Within a bucket the quantile moves with the share, as for values spread evenly."""
    histogram = _histogram(list(range(1024, 2048)))
    assert histogram.quantile(0.25) == pytest.approx(np.quantile(range(1024, 2048), 0.25), rel=0.01)
    assert histogram.quantile(0.75) == pytest.approx(np.quantile(range(1024, 2048), 0.75), rel=0.01)
    assert histogram.mean == 1535.5


def test_nothing_has_the_quantile_zero() -> None:
    """Without values mean and quantiles are 0, so a display needs no special case."""
    assert _histogram([]).quantile(0.99) == _histogram([]).mean == 0.0


@pytest.mark.parametrize("q", [-0.1, 1.1, float("nan")])
def test_a_share_that_cannot_be_is_refused(q: float) -> None:
    """A share that is not within 0 to 1 is a ValueError."""
    with pytest.raises(ValueError, match="give 0 <= q <= 1"):
        _histogram([1]).quantile(q)
