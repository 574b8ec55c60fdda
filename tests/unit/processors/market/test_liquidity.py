"""Spread, depth, duration and correlation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.market.correlation import CoMoments, aligned
from processors.market.duration import duration_curve, hours_above
from processors.market.liquidity import imbalance, mid, spread

NAN = float("nan")


def test_a_crossed_quote_has_a_negative_spread_and_a_missing_side_none() -> None:
    bid, ask = np.array([49.0, 50.0, 51.0, NAN]), np.array([51.0, 50.0, 50.0, 50.0])
    assert np.array_equal(spread(bid, ask), [2, 0, -1, NAN], equal_nan=True)
    assert np.array_equal(mid(bid, ask), [50, 50, 50.5, NAN], equal_nan=True)


def test_imbalance_runs_from_all_asks_to_all_bids() -> None:
    found = imbalance(np.array([0.0, 10, 30, 0]), np.array([10.0, 10, 10, 0]))
    assert np.array_equal(found, [-1, 0, 0.5, NAN], equal_nan=True)


def test_a_duration_curve_falls_and_counts_equal_prices_once() -> None:
    curve = duration_curve(np.array([50.0, -10, 50, 300, NAN]), np.full(5, 1_800.0))
    assert curve.price.tolist() == [300, 50, -10]
    assert curve.hours.tolist() == [0.5, 1.5, 2.0]
    assert (curve.price_at(0.25), curve.price_at(0.5), curve.price_at(1.0)) == (300, 50, -10)


def test_a_curve_of_nothing_has_no_price() -> None:
    assert np.isnan(duration_curve(np.array([NAN]), np.array([300.0])).price_at(0.5))


def test_hours_above_leave_the_level_itself_out() -> None:
    assert hours_above(np.array([99.0, 100, 101, NAN]), np.full(4, 900.0), 100.0) == 0.25


pairs = st.lists(st.tuples(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3)), min_size=3, max_size=30)


@given(pairs, st.integers(0, 30))
def test_moments_of_two_halves_are_those_of_the_whole(found: list[tuple[float, float]], cut: int) -> None:
    x, y = np.array(found).T
    whole = CoMoments.of(x, y)
    halves = CoMoments.of(x[:cut], y[:cut]).plus(CoMoments.of(x[cut:], y[cut:]))
    assert halves.count == whole.count
    for name in ("mean_x", "mean_y", "square_x", "square_y", "product"):
        assert getattr(halves, name) == pytest.approx(getattr(whole, name), rel=1e-9, abs=1e-6)


def test_correlation_is_pearsons() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=500)
    y = x + rng.normal(size=500)
    assert CoMoments.of(x, y).correlation == pytest.approx(np.corrcoef(x, y)[0, 1], rel=1e-12)


def test_a_side_that_never_moves_has_no_correlation() -> None:
    assert np.isnan(CoMoments.of(np.ones(5), np.arange(5.0)).correlation)


def test_markets_are_compared_at_the_times_that_both_have() -> None:
    x, y = aligned(np.array([1, 2, 4]), np.array([10.0, 20, 40]), np.array([2, 3, 4]), np.array([200.0, 300, 400]))
    assert (x.tolist(), y.tolist()) == ([20, 40], [200, 400])
