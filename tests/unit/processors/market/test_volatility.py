"""Returns and volatility where prices cross zero."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.market.anomalies import UNUSUAL_Z, score, unusual
from processors.market.returns import asinh_returns, differences, scale_of
from processors.market.volatility import DECAY, ewma, realised
from schemas.layout import Floats
from tests.strategies import cuts

ONE = np.zeros(3, dtype=np.int64)


def test_the_first_price_of_a_series_has_no_change() -> None:
    found = differences(np.array([0, 0, 1, 1]), np.array([10.0, -5.0, 7.0, 7.0]))
    assert np.array_equal(found, [np.nan, -15.0, np.nan, 0.0], equal_nan=True)


def test_asinh_returns_are_defined_across_zero_and_add_up() -> None:
    price = np.array([50.0, -1_000.0, 17_500.0])
    found = asinh_returns(ONE, price, 60.0, 30.0)
    assert np.all(np.isfinite(found[1:]))
    assert found[1] < 0 < found[2]
    assert np.nansum(found) == pytest.approx(np.arcsinh(17_440 / 30) - np.arcsinh(-10 / 30))


def test_the_scale_is_the_median_absolute_deviation_of_a_normal_distribution() -> None:
    normal = np.random.default_rng(1).normal(40.0, 7.0, 100_000)
    assert scale_of(normal) == (pytest.approx(40, abs=0.1), pytest.approx(7, rel=0.02))


def test_prices_that_never_move_have_a_scale_of_one() -> None:
    assert scale_of(np.array([5.0, 5.0])) == (5.0, 1.0)
    assert scale_of(np.array([np.nan])) == (0.0, 1.0)


def test_realised_volatility_is_the_root_of_the_sum_of_squares() -> None:
    stretch, found = realised(np.array([np.nan, 3.0, 4.0, -2.0]), np.array([1, 1, 1, 7]))
    assert stretch.tolist() == [1, 7]
    assert found.tolist() == [5.0, 2.0]


def follow(price: list[float], cut: list[slice]) -> tuple[list[Floats], Floats]:
    last, variance = np.full(1, np.nan), np.full(1, np.nan)
    rows = np.zeros(len(price), dtype=np.intp)
    values = np.array(price, dtype=np.float64)
    return [ewma(rows[part], values[part], last, variance) for part in cut], variance


def test_ewma_follows_the_recursion() -> None:
    (before,), variance = follow([10, 13, np.nan, 9], [slice(None)])
    assert np.array_equal(before, [np.nan, np.nan, 3, 3], equal_nan=True)
    assert variance[0] == pytest.approx(DECAY * 9 + (1 - DECAY) * 16)


@given(st.lists(st.floats(-1_000, 17_500) | st.just(float("nan")), min_size=1, max_size=20), st.data())
def test_ewma_does_not_depend_on_cuts(price: list[float], data: st.DataObject) -> None:
    parts, variance = follow(price, list(data.draw(cuts(len(price)))))
    (whole,), expected = follow(price, [slice(None)])
    assert np.array_equal(np.concatenate(parts), whole, equal_nan=True)
    assert np.array_equal(variance, expected, equal_nan=True)


def test_a_change_at_the_bound_is_unusual_and_one_below_is_not() -> None:
    found = score(np.array([10 + UNUSUAL_Z, 10 + UNUSUAL_Z - 0.01, 10.0]), np.full(3, 10.0), np.full(3, 1.0), 0.01)
    assert unusual(found).tolist() == [True, False, False]
    assert found[2] == 0


def test_nothing_is_unusual_before_anything_is_known() -> None:
    found = score(np.array([10.0]), np.array([np.nan]), np.array([np.nan]), 0.01)
    assert np.isnan(found[0])
    assert not unusual(found)[0]
