"""Prices beside their neighbours': a symbol that goes its own way, not a market that moves as a whole."""

import numpy as np
import pytest

from processors.market.neighbour_watch import MarketPrices, watch, whole_until
from processors.market.neighbours import CALM_INTERVALS, Beside, Neighbourhood, compare
from processors.state import NEVER_US
from schemas.alerts import Severity
from schemas.layout import Floats
from tests.builders import MINUTE_US, START_US

ZONES, STEPS = 5, 120
QUARTER_US = 15 * MINUTE_US


def usual(seed: int = 1, zones: int = ZONES) -> Floats:
    """Zones a few euros apart that move together."""
    rng = np.random.default_rng(seed)
    whole = 60 + rng.normal(0, 1, STEPS).cumsum()
    prices: Floats = np.round(whole[:, None] + 3.0 * np.arange(zones) + rng.normal(0, 0.5, (STEPS, zones)), 2)
    return prices


def judged(price: Floats) -> Beside:
    return compare(price, Neighbourhood.of(price.shape[1]))


def test_a_symbol_that_leaves_its_neighbours_is_told_once_while_it_lasts() -> None:
    price = usual()
    price[60:80, 3] += 45.0
    found = judged(price)
    assert list(zip(*np.nonzero(found.begins), strict=True)) == [(60, 3)]
    assert np.flatnonzero(found.apart[:, 3]).tolist() == list(range(60, 80))
    assert found.expected[60, 3] == pytest.approx(price[60, 3] - 45.0, abs=2.0)


def test_it_is_told_again_after_it_was_back_for_long_enough() -> None:
    price = usual()
    price[60:62, 3] += 45.0
    price[62 + CALM_INTERVALS - 1, 3] += 45.0
    assert judged(price).begins.sum() == 1
    price[90, 3] += 45.0
    assert np.flatnonzero(judged(price).begins[:, 3]).tolist() == [60, 90]


@pytest.mark.parametrize("level", [900.0, -400.0])
def test_a_market_that_moves_as_a_whole_is_nothing(level: float) -> None:
    price = usual()
    # Dear intervals are further apart, too: losses are a share of the price.
    price[70:74] = level * (1 + 0.01 * np.arange(ZONES))
    assert not judged(price).apart.any()


def test_negative_prices_have_neighbours_as_any_others() -> None:
    price = usual() - 90.0
    price[60, 0] -= 45.0
    assert list(zip(*np.nonzero(judged(price).begins), strict=True)) == [(60, 0)]


def test_a_symbol_that_is_often_apart_is_told_of_less_and_less() -> None:
    price = np.tile(usual(), (10, 1))
    price[50::20, 2] += 30.0
    begins = np.flatnonzero(judged(price).begins[:, 2])
    assert 0 < len(begins) < len(price[50::20]) / 2
    assert begins.max() < len(price) / 2


def test_two_symbols_are_no_neighbours_and_a_new_one_is_not_judged_yet() -> None:
    price = usual(zones=2)
    price[60, 1] = 500.0
    assert np.isnan(judged(price).score).all()
    price = usual()
    price[:110, 4] = np.nan
    price[111, 4] += 400.0
    found = judged(price)
    assert not found.apart.any()
    assert np.isnan(found.score[:, 4]).all()


def test_where_the_intervals_are_cut_does_not_show() -> None:
    price = usual()
    price[50:55, 1] += 40.0
    price[70, 2] = np.nan
    whole, state = judged(price), Neighbourhood.of(ZONES)
    parts = [compare(part, state) for part in np.array_split(price, [1, 17, 51, 52])]
    for name in ("expected", "score", "apart", "begins"):
        assert np.array_equal(np.concatenate([getattr(p, name) for p in parts]), getattr(whole, name), equal_nan=True)


def prices(matrix: Floats, length_us: int = QUARTER_US) -> MarketPrices:
    """The prices that are there, as they are stored."""
    interval, symbol = np.nonzero(~np.isnan(matrix))
    end_us = START_US + (interval + 1) * QUARTER_US
    names = [f"Z{zone}" for zone in range(matrix.shape[1])]
    return MarketPrices(
        "omie", names, "EUR", symbol, end_us, end_us - length_us, end_us, matrix[interval, symbol], end_us + MINUTE_US
    )


def test_an_interval_is_whole_when_all_have_spoken_or_nobody_is_waited_for_any_more() -> None:
    some, hour = prices(usual()[:4]), 60 * MINUTE_US
    ends = np.unique(some.time_us).tolist()
    newest = np.array([ends[3], ends[3], ends[1], ends[3], ends[2]])
    assert whole_until(some, newest, mark_us=ends[3], now_us=ends[3] + hour, lateness_us=MINUTE_US) == ends[2]
    assert whole_until(some, newest, mark_us=ends[0], now_us=ends[3] + hour, lateness_us=MINUTE_US) == ends[1]
    # A replay of the past finds event time far ahead: it is the clock that says that nothing more comes.
    assert whole_until(some, newest, mark_us=ends[3] + hour, now_us=ends[1], lateness_us=MINUTE_US) == ends[1]
    newest[2] = START_US
    assert whole_until(some, newest, mark_us=START_US, now_us=ends[3] + hour, lateness_us=MINUTE_US) is None


def test_alerts_say_which_price_and_what_the_others_would_have_it_be() -> None:
    matrix = usual()
    matrix[60:63, 3] += 45.0
    found = watch(prices(matrix), Neighbourhood.of(ZONES))
    (alert,) = found.alerts
    assert (alert.kind, alert.element, alert.severity) == ("neighbour_outlier", "market/omie/Z3", Severity.WARNING)
    assert alert.occurred_at.timestamp() * 1e6 == START_US + 61 * QUARTER_US
    assert (alert.measured, alert.unit) == (matrix[60, 3], "EUR")
    assert alert.expected == pytest.approx(matrix[60, 3] - 45.0, abs=2.0)
    assert 0.5 <= alert.score <= 1
    assert "where the other symbols would have it" in alert.message
    assert found.apart_us.tolist() == [*[NEVER_US] * 3, START_US + 63 * QUARTER_US, NEVER_US]


def test_intervals_of_one_time_and_several_lengths_are_compared_each_by_itself() -> None:
    matrix = usual()
    half = prices(matrix + 200.0, 2 * QUARTER_US)
    both = prices(matrix)
    order = np.argsort(np.concatenate([both.time_us, half.time_us]), kind="stable")
    columns = {
        name: np.concatenate([getattr(both, name), getattr(half, name)])[order]
        for name in ("symbol", "time_us", "start_us", "end_us", "price", "arrived_us")
    }
    assert watch(MarketPrices("omie", both.symbols, "EUR", **columns), Neighbourhood.of(ZONES)).alerts == []


def test_what_is_later_is_left_for_another_time() -> None:
    whole = prices(usual())
    part = whole.until(START_US + 10 * QUARTER_US)
    assert len(part.price) == 10 * ZONES
    assert part.time_us.max() == START_US + 10 * QUARTER_US
