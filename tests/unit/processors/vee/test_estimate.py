"""Estimates: which method serves which gap, what it says, and that registers are met."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.vee.calendar import DAY_US, Calendar
from processors.vee.estimate import Estimates, estimate
from processors.vee.estimate_methods import weigh_line
from processors.vee.estimation import Method, MethodLimits
from processors.vee.interval_series import IntervalSeries, gaps

#: A Monday, as days since 1970-01-01 are counted.
MONDAY_US = 4 * DAY_US
HOUR_US = 3_600_000_000
LIMITS = MethodLimits()


def weeks(count: int, seed: int = 0) -> IntervalSeries:
    """Hours of a meter that uses more on working days, each hour its own, with a little chance."""
    hours = np.arange(24 * 7 * count)
    working = hours // 24 % 7 < 5
    chance = np.random.default_rng(seed).uniform(0.0, 0.01, len(hours))
    return IntervalSeries.of(MONDAY_US + HOUR_US, HOUR_US, (hours % 24 + 1) * np.where(working, 0.1, 0.3) + chance)


def cut(series: IntervalSeries, first: int, count: int) -> IntervalSeries:
    return series.without(np.arange(first, first + count))


def methods(found: Estimates) -> set[Method]:
    return {Method(code) for code in found.method.tolist()}


@pytest.mark.parametrize(("hours", "method"), [(1, Method.LINEAR), (2, Method.LINEAR), (3, Method.LIKE_DAYS)])
def test_a_line_serves_up_to_two_hours(hours: int, method: Method) -> None:
    found = estimate(cut(weeks(4), 24 * 15 + 5, hours), LIMITS)
    assert len(found.at) == hours
    assert methods(found) == {method}


def test_a_line_runs_between_its_neighbours() -> None:
    series = cut(IntervalSeries.of(HOUR_US, HOUR_US, np.array([1.0, 9.0, 9.0, 4.0])), 1, 2)
    assert estimate(series, LIMITS).kwh.tolist() == pytest.approx([2.0, 3.0])


def test_like_days_are_of_the_same_kind() -> None:
    series = weeks(6)
    tuesday, saturday = 24 * 22, 24 * 26
    for first in (tuesday, saturday):
        found = estimate(cut(series, first, 24), LIMITS)
        assert methods(found) == {Method.LIKE_DAYS}
        assert found.kwh == pytest.approx(series.kwh[first : first + 24], abs=0.01)


def test_a_line_counts_beside_like_days_as_far_as_the_meter_s_own_past_says() -> None:
    steady = weeks(6)
    drifting = replace(steady, kwh=2 + np.cumsum(np.random.default_rng(1).normal(0, 0.02, len(steady.kwh))))
    assert weigh_line(steady, 6, LIMITS) < 0.01
    assert weigh_line(drifting, 6, LIMITS) > 0.5
    # A day has no like days that a line could be held against.
    assert weigh_line(IntervalSeries.of(HOUR_US, HOUR_US, np.ones(24)), 6, LIMITS) == 0.0


def test_a_line_counts_near_its_ends_only() -> None:
    series, gap = weeks(6), range(24 * 22, 24 * 23)
    with_line = estimate(cut(series, gap[0], 24), replace(LIMITS, line_share=1.0)).kwh
    without = estimate(cut(series, gap[0], 24), replace(LIMITS, line_share=0.0)).kwh
    apart = np.abs(with_line - without)
    assert apart[0] > 0.1
    assert apart[12] < 0.1


def test_a_holiday_is_like_a_sunday() -> None:
    series = weeks(6)
    wednesday = 23
    calendar = Calendar(holidays=np.array([wednesday + 4], dtype=np.int64))
    first = 24 * wednesday
    found = estimate(replace(cut(series, first, 24), calendar=calendar), LIMITS)
    assert found.kwh[0] == pytest.approx(0.3, abs=0.02)


def test_fewer_like_days_than_wanted_leave_a_gap_to_the_next_method() -> None:
    limits = replace(LIMITS, least_days=3)
    assert methods(estimate(cut(weeks(3), 24 * 8, 6), limits)) == {Method.LIKE_DAYS}
    # One Monday before and one after are two.
    assert methods(estimate(cut(weeks(3), 24 * 7, 6), limits)) == {Method.PROFILE}


def test_no_day_with_an_outage_is_a_reference() -> None:
    series = weeks(6)
    outage = np.zeros(len(series.kwh), dtype=bool)
    before = 24 * 15 + 3
    kwh = series.kwh.copy()
    kwh[24 * 15 : 24 * 16] = 500.0
    outage[before] = True
    found = estimate(cut(replace(series, kwh=kwh, outage=outage), 24 * 22, 12), LIMITS)
    assert found.kwh.max() < 2.0


def test_a_known_outage_is_zero_and_what_lies_beside_it_is_not() -> None:
    series = cut(weeks(6), 24 * 22, 6)
    outage = np.zeros(len(series.kwh), dtype=bool)
    outage[24 * 22 + 2 : 24 * 22 + 4] = True
    found = estimate(replace(series, outage=outage), LIMITS)
    assert found.kwh[2:4].tolist() == [0.0, 0.0]
    assert found.confidence[2:4].tolist() == [1.0, 1.0]
    assert (found.kwh[[0, 1, 4, 5]] > 0).all()


def test_an_outage_is_no_end_of_a_line_unless_asked_for() -> None:
    series = cut(weeks(6), 24 * 22 + 1, 1)
    outage = np.zeros(len(series.kwh), dtype=bool)
    outage[24 * 22] = True
    series = replace(series, outage=outage)
    assert methods(estimate(series, LIMITS)) == {Method.LIKE_DAYS}
    assert methods(estimate(series, replace(LIMITS, beside_outage=True))) == {Method.LINEAR}


def test_the_proxy_day_is_the_one_of_nearest_temperature() -> None:
    series = weeks(3)
    warmth = np.repeat(np.array([10.0, 20, 30, 10, 20, 0, 0] * 3), 24)
    kwh = np.where(warmth == 30.0, 7.0, series.kwh)
    series = replace(series, kwh=kwh, temperature_c=warmth)
    limits = replace(LIMITS, methods=(Method.PROXY_DAY,))
    wednesday = 24 * 9
    found = estimate(cut(series, wednesday, 24), limits)
    assert found.kwh.tolist() == [7.0] * 24


def test_without_temperatures_there_is_no_proxy_day() -> None:
    found = estimate(cut(weeks(3), 24 * 9, 24), replace(LIMITS, methods=(Method.PROXY_DAY,)))
    assert not len(found.at)


def test_a_profile_is_brought_to_the_meter_s_own_level() -> None:
    series = IntervalSeries.of(HOUR_US, HOUR_US, np.full(48, 2.0))
    series = replace(series, profile=np.array([1.0] * 12 + [3.0] * 12))
    found = estimate(cut(series, 20, 8), replace(LIMITS, methods=(Method.PROFILE,)))
    level = 2.0 * 40 / (series.profile.sum() * 2 - 4 * 3.0 - 4 * 1.0)
    assert found.kwh == pytest.approx([3 * level] * 4 + [level] * 4)


def test_a_gap_beyond_every_limit_stays() -> None:
    limits = replace(LIMITS, most_h=dict.fromkeys(Method, 5.0))
    assert not len(estimate(cut(weeks(6), 24 * 22, 6), limits).at)
    assert len(estimate(cut(weeks(6), 24 * 22, 5), limits).at) == 5


def with_register(series: IntervalSeries) -> IntervalSeries:
    return replace(series, register_kwh=1_000.0 + np.cumsum(series.kwh))


def test_estimates_add_up_to_the_register() -> None:
    whole = with_register(weeks(6))
    gap = np.arange(24 * 22, 24 * 22 + 6)
    register = whole.register_kwh.copy()
    register[gap[:-1]] = np.nan
    register[gap[-1] :] += 5.0
    found = estimate(replace(whole.without(gap), register_kwh=register), LIMITS)
    assert found.scaled.all()
    assert found.kwh.sum() == pytest.approx(register[gap[-1]] - register[gap[0] - 1])


@pytest.mark.parametrize("change", [-2_000.0, -2.0])
def test_a_register_that_cannot_be_is_not_followed(change: float) -> None:
    whole = with_register(weeks(6))
    gap = np.arange(24 * 22, 24 * 22 + 2)
    register = whole.register_kwh.copy()
    register[gap[0]] = np.nan
    register[gap[1] :] += change
    found = estimate(replace(whole.without(gap), register_kwh=register), LIMITS)
    assert not found.scaled.any()


def test_energy_that_the_register_has_is_spread_where_nothing_else_is_known() -> None:
    series = IntervalSeries.of(HOUR_US, HOUR_US, np.array([0.0, np.nan, np.nan, 0.0]))
    series = replace(series, register_kwh=np.array([10.0, np.nan, np.nan, 13.0]))
    found = estimate(series, LIMITS)
    assert found.kwh.tolist() == [1.5, 1.5]


def test_what_a_method_is_to_be_trusted_is_how_it_does_elsewhere() -> None:
    steady, wild = weeks(6), weeks(6)
    wild = replace(wild, kwh=np.random.default_rng(3).uniform(0, 1, len(wild.kwh)))
    sure, unsure = (estimate(cut(series, 24 * 22, 6), LIMITS).confidence[0] for series in (steady, wild))
    assert sure > 0.95
    assert unsure < 0.7


def test_nothing_missing_is_nothing_to_estimate() -> None:
    assert not len(estimate(weeks(1), LIMITS).at)
    assert not len(estimate(IntervalSeries.of(0, HOUR_US, np.empty(0)), LIMITS).at)


@given(st.lists(st.booleans(), min_size=24 * 21, max_size=24 * 21), st.integers(0, 5))
def test_only_what_is_missing_is_estimated_and_never_below_zero(lost: list[bool], seed: int) -> None:
    series = weeks(3, seed)
    series = series.without(np.flatnonzero(lost))
    found = estimate(series, LIMITS)
    missing, _ = gaps(series)
    assert set(found.at.tolist()) <= set(missing.tolist())
    assert len(set(found.at.tolist())) == len(found.at)
    assert (found.kwh >= 0).all()
    assert ((found.confidence >= 0) | np.isnan(found.confidence)).all()


@given(st.integers(1, 24 * 20), st.integers(1, 60), st.floats(0.0, 50.0))
def test_whatever_the_gap_the_register_is_met(first: int, count: int, extra: float) -> None:
    whole = with_register(weeks(3))
    last = min(first + count, len(whole.kwh) - 1)
    register = whole.register_kwh.copy()
    register[first : last - 1] = np.nan
    register[last - 1 :] += extra
    found = estimate(replace(whole.without(np.arange(first, last)), register_kwh=register), LIMITS)
    assert len(found.at) == last - first
    assert found.kwh.sum() == pytest.approx(register[last - 1] - register[first - 1], abs=0.02)
