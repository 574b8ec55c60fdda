"""Clearing conserves volume, makes nobody worse off, leaves no trade undone, and hears no order twice."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.market.clearing import Orders, Rule, clear
from processors.market.interpolated import Curve, cross
from processors.market.renewables import shifted

#: Few distinct values, so that ties are common.
prices = st.sampled_from([-500.0, -1.0, 0.0, 10.0, 20.0, 30.5, 3_000.0]) | st.floats(-500, 3_000)
quantities = st.sampled_from([0.1, 1.0, 5.0, 10.0]) | st.floats(0.1, 1_000)


@st.composite
def orders(draw: st.DrawFn, *, indivisible: bool = False) -> Orders:
    found = draw(st.lists(st.tuples(prices, quantities, st.booleans()), max_size=12))
    price, quantity, whole = (np.array(column) for column in zip(*found, strict=True)) if found else ([], [], [])
    whole = np.asarray(whole, dtype=bool)
    return Orders(np.asarray(price, dtype=float), np.asarray(quantity, dtype=float), whole if indivisible else None)


rules = st.sampled_from(list(Rule))


@given(orders(), orders(), rules)
def test_what_is_bought_is_sold_and_nobody_loses(bids: Orders, asks: Orders, rule: Rule) -> None:
    found = clear(bids, asks, rule)
    assert found.bought.sum() == pytest.approx(found.volume, rel=1e-9, abs=1e-9)
    assert found.sold.sum() == pytest.approx(found.volume, rel=1e-9, abs=1e-9)
    assert np.all((found.bought >= 0) & (found.bought <= bids.quantity + 1e-6))
    assert np.all((found.sold >= 0) & (found.sold <= asks.quantity + 1e-6))
    assert np.all(bids.price[found.bought > 0] >= found.price)
    assert np.all(asks.price[found.sold > 0] <= found.price)
    assert found.consumer_surplus >= 0
    assert found.producer_surplus >= 0


@given(orders(), orders(), rules)
def test_no_two_that_would_still_trade_are_left_over(bids: Orders, asks: Orders, rule: Rule) -> None:
    found = clear(bids, asks, rule)
    left_bids = bids.price[found.bought < bids.quantity - 2e-6]
    left_asks = asks.price[found.sold < asks.quantity - 2e-6]
    if len(left_bids) and len(left_asks):
        assert left_bids.max() <= left_asks.min()
    if found.volume:
        assert found.price_low <= found.price <= found.price_high


@given(orders(), orders(), st.randoms(use_true_random=False))
def test_the_order_of_orders_does_not_matter(bids: Orders, asks: Orders, chance: object) -> None:
    order = list(range(len(bids)))
    chance.shuffle(order)  # type: ignore[attr-defined]
    mixed = Orders(bids.price[order], bids.quantity[order])
    one, other = clear(bids, asks), clear(mixed, asks)
    assert other.volume == one.volume
    assert other.bought == pytest.approx(one.bought[order], rel=1e-6, abs=1e-6)


@given(orders(indivisible=True), orders(indivisible=True), rules)
def test_indivisible_orders_are_served_wholly_or_not_at_all(bids: Orders, asks: Orders, rule: Rule) -> None:
    found = clear(bids, asks, rule)
    assert found.bought.sum() == pytest.approx(found.sold.sum(), rel=1e-9, abs=1e-9)
    for side, served in ((bids, found.bought), (asks, found.sold)):
        assert np.all((served == 0) | (np.abs(served - side.quantity) < 1e-6) | ~side.indivisible)
    assert found.consumer_surplus >= 0
    assert found.producer_surplus >= 0


@given(orders(), orders(), st.data())
def test_more_renewables_never_raise_the_price(bids: Orders, asks: Orders, data: st.DataObject) -> None:
    green = np.array(data.draw(st.lists(st.booleans(), min_size=len(asks), max_size=len(asks))), dtype=bool)
    before, after = shifted(bids, asks, green, data.draw(st.floats(0, 200)), Rule.LOWEST)
    assert after.volume >= before.volume - 1e-5
    if before.volume and after.volume:
        assert after.price_low <= before.price_low
        assert after.price_high <= before.price_high


@st.composite
def curves(draw: st.DrawFn, *, rising: bool) -> Curve:
    price = sorted(draw(st.lists(st.integers(-500, 3_000), min_size=1, max_size=8, unique=True)))
    size = st.lists(st.floats(0, 1_000), min_size=len(price), max_size=len(price))
    return Curve(np.array(price, dtype=float), np.array(sorted(draw(size), reverse=not rising)))


@given(curves(rising=False), curves(rising=True))
def test_curves_cross_where_both_sides_agree(demand: Curve, supply: Curve) -> None:
    found = cross(demand, supply)
    assert found.consumer_surplus >= 0
    assert found.producer_surplus >= 0
    if not found.volume:
        return
    at = np.array([found.price])
    wanted, offered = demand.at(at)[0], supply.at(at)[0]
    assert found.volume == pytest.approx(min(wanted, offered))
    lowest, highest = min(demand.price[0], supply.price[0]), max(demand.price[-1], supply.price[-1])
    if lowest < found.price < highest:
        assert wanted == pytest.approx(offered, rel=1e-6, abs=1e-6)
