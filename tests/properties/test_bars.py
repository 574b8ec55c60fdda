"""Bars must not depend on order or on how a stream was cut, lose no volume, and equal a count by hand."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.market.bars import BarPartials, floor_to, merge, overlapping, summarise
from processors.market.exact import PER_UNIT, millionths
from schemas.layout import Floats, Ints
from tests.builders import HOUR_US, MINUTE_US, START_US
from tests.strategies import cuts

Ticks = tuple[Ints, Ints, Floats, Floats]
LENGTH_S = 300
EXACT = ("ticks", "first_us", "last_us", "open", "high", "low", "close", "volume_u", "notional_u")
prices = st.floats(-1_000, 17_500)
quantities = st.floats(0, 20_000) | st.just(float("nan"))


@st.composite
def ticks(draw: st.DrawFn, *, distinct: bool = False) -> Ticks:
    """Ticks of some series in the order of time; equal times unless they are to be distinct."""
    near = st.integers(START_US, START_US + HOUR_US // 4) | st.sampled_from([START_US, START_US + 5 * MINUTE_US])
    times = sorted(draw(st.lists(near, max_size=25, unique=distinct)))
    n = len(times)
    series = draw(st.lists(st.integers(0, 2), min_size=n, max_size=n))
    price = draw(st.lists(prices, min_size=n, max_size=n))
    quantity = draw(st.lists(quantities, min_size=n, max_size=n))
    return np.array(series, dtype=np.int64), np.array(times, dtype=np.int64), np.array(price), np.array(quantity)


def barred(given_: Ticks, rows: Any = slice(None)) -> BarPartials:
    series, time_us, price, quantity = (column[rows] for column in given_)
    start = floor_to(time_us, LENGTH_S)
    return summarise(series, start, start + LENGTH_S * 10**6, time_us, price, quantity)


def exact(bars: BarPartials) -> list[tuple[Any, ...]]:
    return list(zip(*(getattr(bars, name).tolist() for name in ("series", "start_us", *EXACT)), strict=True))


@given(ticks(), st.data())
def test_order_of_arrival_changes_nothing(given_: Ticks, data: st.DataObject) -> None:
    order = np.array(data.draw(st.permutations(range(len(given_[0])))), dtype=np.intp)
    whole, mixed = barred(given_), barred(given_, order)
    assert exact(mixed) == exact(whole)
    assert mixed.held.tolist() == whole.held.tolist()


@given(ticks(distinct=True), st.data())
def test_cutting_a_stream_and_merging_changes_nothing(given_: Ticks, data: st.DataObject) -> None:
    parts = [barred(given_, part) for part in data.draw(cuts(len(given_[0])))]
    together = BarPartials.concat([*parts, barred(given_, slice(0, 0))])
    assert not overlapping(together).any()
    merged, whole = merge(together), barred(given_)
    assert exact(merged) == exact(whole)
    assert merged.held == pytest.approx(whole.held, rel=1e-12, abs=1e-9)


@given(ticks(), st.data())
def test_what_does_not_hang_on_the_next_tick_merges_in_any_order(given_: Ticks, data: st.DataObject) -> None:
    order = np.array(data.draw(st.permutations(range(len(given_[0])))), dtype=np.intp)
    parts = [barred(given_, order[part]) for part in data.draw(cuts(len(order)))]
    merged, whole = merge(BarPartials.concat([*parts, barred(given_, order[:0])])), barred(given_)
    for name in ("series", "start_us", "ticks", "first_us", "last_us", "high", "low", "volume_u", "notional_u"):
        assert getattr(merged, name).tolist() == getattr(whole, name).tolist()


@given(ticks(distinct=True))
def test_partials_that_reach_into_each_other_are_found(given_: Ticks) -> None:
    odd, even = barred(given_, slice(1, None, 2)), barred(given_, slice(0, None, 2))
    both = BarPartials.concat([odd, even])
    for row in np.flatnonzero(~overlapping(both)).tolist():
        mine = (both.series == both.series[row]) & (both.start_us == both.start_us[row])
        ordered = np.argsort(both.first_us[mine])
        assert np.all(both.first_us[mine][ordered][1:] > both.last_us[mine][ordered][:-1])


@given(ticks())
def test_bars_hold_together(given_: Ticks) -> None:
    bars = barred(given_)
    assert bars.ticks.sum() == len(given_[0])
    assert bars.volume_u.sum() == millionths(given_[3]).sum()
    for inner in (bars.open, bars.close, bars.twap):
        assert np.all(bars.low - 1e-6 <= inner)
        assert np.all(inner <= bars.high + 1e-6)
    known = bars.volume_u > PER_UNIT
    assert np.all(bars.vwap[known] >= bars.low[known] - 1e-2)
    assert np.all(bars.vwap[known] <= bars.high[known] + 1e-2)
    assert np.all(np.isnan(bars.vwap[bars.volume_u == 0]))
