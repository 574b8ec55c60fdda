"""Clearing by hand, and on the real curves of an hour."""

from pathlib import Path

import numpy as np
import pytest

from processors.market.clearing import Orders, Rule, clear
from processors.market.interpolated import Curve, cross
from processors.market.renewables import cheapest, rolling_response, shifted
from simulators.feeds.ladders import Ladder
from simulators.feeds.omie import read_curves
from simulators.replay.recording import Findings
from stream.markets import load_markets


def side(*orders: tuple[float, ...]) -> Orders:
    """Orders as (price, quantity) or (price, quantity, indivisible)."""
    whole = np.array([bool(len(order) > 2 and order[2]) for order in orders], dtype=bool)
    price, quantity = (np.array([order[k] for order in orders], dtype=float) for k in (0, 1))
    return Orders(price, quantity, whole)


def test_the_curves_cross_within_an_ask() -> None:
    found = clear(side((100, 50)), side((10, 30), (20, 40)))
    assert (found.price, found.volume) == (20, 50)
    assert found.sold.tolist() == [30, 20]
    assert (found.consumer_surplus, found.producer_surplus) == (80 * 50, 10 * 30)


def test_the_curves_cross_within_a_bid() -> None:
    found = clear(side((100, 50), (15, 50)), side((10, 60), (20, 40)))
    assert (found.price, found.volume, found.bought.tolist()) == (15, 60, [50, 10])


def test_of_a_range_of_prices_the_rule_takes_one() -> None:
    bids, asks = side((100, 50), (15, 10)), side((10, 50), (40, 10))
    assert (clear(bids, asks).price_low, clear(bids, asks).price_high) == (15, 40)
    assert clear(bids, asks, Rule.MIDPOINT).price == 27.5
    assert clear(bids, asks, Rule.LOWEST).price == 15


def test_orders_of_one_price_share_what_is_served() -> None:
    found = clear(side((100, 30)), side((20, 10), (20, 50)))
    assert found.sold.tolist() == [5, 25]


def test_a_bid_and_an_ask_of_one_price_trade() -> None:
    found = clear(side((20, 10)), side((20, 10)))
    assert (found.price, found.volume) == (20, 10)


def test_where_the_curves_do_not_cross_nothing_trades() -> None:
    for found in (clear(side((10, 5)), side((20, 5))), clear(side(), side((20, 5))), clear(side(), side())):
        assert np.isnan(found.price)
        assert (found.volume, found.consumer_surplus, found.producer_surplus) == (0, 0, 0)


def test_negative_prices_clear_like_any_other() -> None:
    found = clear(side((-50, 10)), side((-100, 30)))
    assert (found.price, found.volume) == (-100, 10)


def test_an_indivisible_ask_at_the_margin_is_left_out_and_the_next_takes_over() -> None:
    found = clear(side((100, 50)), side((10, 30), (20, 40, True), (30, 40)))
    assert found.sold.tolist() == [30, 0, 20]
    assert found.price == 30


def test_an_indivisible_bid_that_cannot_be_served_wholly_is_not_served() -> None:
    found = clear(side((100, 50, True)), side((10, 30)))
    assert found.volume == 0


def test_impossible_orders_are_refused() -> None:
    with pytest.raises(ValueError, match="quantities must be positive"):
        clear(side((10, 0)), side((20, 5)))


def test_piecewise_curves_cross_between_their_points() -> None:
    demand, supply = (
        Curve(np.array([0.0, 100]), np.array([100.0, 0])),
        Curve(np.array([0.0, 100]), np.array([0.0, 100])),
    )
    found = cross(demand, supply)
    assert (found.price, found.volume) == (50, 50)
    assert (found.consumer_surplus, found.producer_surplus) == (1_250, 1_250)


def test_demand_beyond_all_supply_is_rationed_at_the_highest_price() -> None:
    found = cross(Curve(np.array([0.0, 10]), np.array([100.0, 100])), Curve(np.array([0.0, 10]), np.array([10.0, 40])))
    assert (found.price, found.volume, found.consumer_surplus) == (10, 40, 0)


def test_supply_beyond_all_demand_goes_at_the_lowest_price() -> None:
    found = cross(Curve(np.array([-5.0, 10]), np.array([30.0, 10])), Curve(np.array([-5.0, 10]), np.array([90.0, 99])))
    assert (found.price, found.volume) == (-5, 30)


def test_a_stretch_of_prices_that_clear_gives_its_middle() -> None:
    flat = Curve(np.array([0.0, 10, 20, 30]), np.array([9.0, 5, 5, 1]))
    assert cross(flat, Curve(np.array([0.0, 10, 20, 30]), np.array([1.0, 5, 5, 9]))).price == 15


def test_curves_that_run_the_wrong_way_are_refused() -> None:
    up = Curve(np.array([0.0, 10]), np.array([1.0, 2]))
    with pytest.raises(ValueError, match="demand may never rise"):
        cross(up, up)


def test_taking_renewables_away_raises_the_price() -> None:
    before, after = shifted(side((100, 50)), side((0, 30), (20, 40), (60, 40)), np.array([True, False, False]), -100)
    assert (before.price, after.price) == (20, 60)
    with pytest.raises(ValueError, match="more than there is"):
        shifted(side((100, 50)), side((0, 30)), np.array([True]), -101)


def test_the_cheapest_asks_are_cut_where_their_quantity_ends() -> None:
    asks, renewable = cheapest(side((20, 40), (0, 30), (60, 40)), 50)
    assert asks.quantity[renewable].tolist() == [30, 20]
    assert asks.price[renewable].tolist() == [0, 20]
    assert sorted(asks.quantity[~renewable].tolist()) == [20, 40]
    whole, taken = cheapest(side((20, 40, True), (0, 30)), 50)
    assert whole.quantity[taken].sum() == 70
    everything, all_of_it = cheapest(side((20, 40)), 1_000)
    assert (everything.quantity.tolist(), all_of_it.tolist()) == ([40], [True])


def test_windows_are_fitted_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(6)
    share, price = rng.uniform(0, 1, 50), rng.normal(50, 20, 50)
    whole = rolling_response(share, price, 7)
    monkeypatch.setattr("processors.market.renewables._AT_ONCE", 20)
    again = rolling_response(share, price, 7)
    for name in ("slope", "slope_error", "intercept"):
        assert getattr(again, name)[6:].tolist() == getattr(whole, name)[6:].tolist()
        assert np.isnan(getattr(again, name)[:6]).all()


def test_the_rolling_response_is_least_squares_with_its_error() -> None:
    rng = np.random.default_rng(5)
    share = rng.uniform(0, 1, 60)
    price = 80 - 50 * share + rng.normal(0, 3, 60)
    found = rolling_response(share, price, 24)
    assert np.isnan(found.slope[22])
    for row in (23, 59):
        x, y = share[row - 23 : row + 1], price[row - 23 : row + 1]
        coefficients, covariance = np.polyfit(x, y, 1, cov=True)
        assert found.slope[row] == pytest.approx(coefficients[0], rel=1e-9)
        assert found.intercept[row] == pytest.approx(coefficients[1], rel=1e-9)
        assert found.slope_error[row] == pytest.approx(np.sqrt(covariance[0, 0]), rel=1e-9)


def test_a_share_that_does_not_vary_has_no_response() -> None:
    assert np.all(np.isnan(rolling_response(np.ones(5), np.arange(5.0), 3).slope))
    assert np.all(np.isnan(rolling_response(np.ones(2), np.ones(2), 3).slope))
    with pytest.raises(ValueError, match="at least 3"):
        rolling_response(np.ones(5), np.ones(5), 2)


@pytest.fixture(scope="module")
def hour(shared_data: Path) -> Ladder:
    """Hour 1 of 2009-01-02 as the Iberian exchange published it."""
    findings = Findings()
    path = shared_data / "omie" / "OfferAndDemandCurve_1_20090102.TXT"
    (found,) = read_curves(path, load_markets(), findings)
    assert findings.count == 0
    return found


def test_the_real_iberian_hour_clears_at_the_published_match(hour: Ladder) -> None:
    """The asks that the exchange matched clear against all bids at its price and volume, to its tick of 0.01 EUR."""
    found = clear(hour.bids, hour.matched_asks, Rule.LOWEST)
    assert found.price == pytest.approx(hour.matched_asks.price.max(), abs=0.005)
    assert found.price == pytest.approx(53.69, abs=0.005)
    assert found.volume == pytest.approx(hour.matched_bids.quantity.sum(), abs=0.1)


def test_all_offered_asks_clear_lower_because_complex_orders_are_among_them(hour: Ladder) -> None:
    """Asks below the price that the exchange did not match: withdrawn by their minimum income, unseen in the curve."""
    found = clear(hour.bids, hour.asks, Rule.LOWEST)
    assert (round(found.price, 2), round(found.volume, 1)) == (49.94, 25_347.1)
    below = hour.asks.price <= hour.matched_asks.price.max()
    assert hour.asks.quantity[below].sum() - hour.matched_asks.quantity.sum() == pytest.approx(2_554.0, abs=0.1)
