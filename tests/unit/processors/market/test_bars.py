"""Bars by hand."""

import numpy as np
import pytest

from processors.market.bars import BarPartials, floor_to, summarise
from tests.builders import MINUTE_US, START_US


def bars(*ticks: tuple[float, float, float], length_s: int = 300) -> BarPartials:
    minute, price, quantity = (np.array(column, dtype=np.float64) for column in zip(*ticks, strict=True))
    time_us = START_US + (minute * MINUTE_US).astype(np.int64)
    start = floor_to(time_us, length_s)
    return summarise(np.zeros(len(ticks), dtype=np.int64), start, start + length_s * 10**6, time_us, price, quantity)


def test_a_bar_has_open_high_low_close_and_volume() -> None:
    bar = bars((0, 50, 1), (1, -20, 2), (2, 90, 3), (4, 60, 4))
    assert (bar.open[0], bar.high[0], bar.low[0], bar.close[0]) == (50, 90, -20, 60)
    assert (bar.ticks[0], bar.volume[0]) == (4, 10)


def test_vwap_weighs_by_quantity_and_twap_by_the_time_that_a_price_held() -> None:
    bar = bars((0, 50, 1), (1, -20, 2), (2, 90, 3), (4, 60, 4))
    assert bar.vwap[0] == pytest.approx((50 - 40 + 270 + 240) / 10)
    assert bar.twap[0] == pytest.approx((50 * 1 - 20 * 1 + 90 * 2 + 60 * 1) / 5)


def test_twap_of_interval_prices_is_their_mean() -> None:
    bar = bars((0, 10, 1), (5, 20, 1), (10, 60, 1), length_s=900)
    assert bar.twap[0] == pytest.approx(30)


def test_before_the_first_tick_of_a_bar_nothing_is_assumed() -> None:
    assert bars((4, 70, 1)).twap[0] == 70


def test_a_tick_at_the_boundary_belongs_to_the_bar_that_begins() -> None:
    found = bars((4.999, 1, 1), (5, 2, 1))
    assert found.close.tolist() == [1, 2]
    assert found.start_us.tolist() == [START_US, START_US + 5 * MINUTE_US]


def test_ticks_of_one_instant_count_in_the_order_of_their_prices() -> None:
    bar = bars((1, 30, 1), (1, 10, 1), (1, 20, 1))
    assert (bar.open[0], bar.close[0]) == (10, 30)


def test_without_a_quantity_there_is_no_vwap() -> None:
    bar = bars((0, 50, np.nan))
    assert np.isnan(bar.vwap[0])
    assert bar.volume[0] == 0


def test_no_ticks_make_no_bars() -> None:
    none = np.empty(0, dtype=np.int64)
    assert len(summarise(none, none, none, none, np.empty(0), np.empty(0))) == 0
