"""Slips of unit or currency: one event, told once it has lasted; what prices do by themselves is none."""

import numpy as np
import pytest

from processors.market.series import SeriesState
from processors.market.slips import TOLD_AFTER
from tests.unit.processors.market.test_follow import followed, kinds, ticks

USUAL = (50 + 3 * np.sin(np.arange(40))).tolist()


def prices(factor: float, length: int, then: int = 10) -> list[float]:
    """A usual stretch, one at a multiple, and the usual again."""
    whole = np.tile(USUAL, 3)[: 40 + length + then]
    return [*whole[:40].tolist(), *(whole[40 : 40 + length] * factor).tolist(), *whole[40 + length :].tolist()]


def said(price: list[float]) -> list[str]:
    return kinds(ticks(list(range(len(price))), price))


@pytest.mark.parametrize("factor", [100.0, 1_000.0, 0.01, 0.001])
def test_a_power_of_ten_that_stays_is_one_slip_and_not_a_thousand_spikes(factor: float) -> None:
    # Cents are within the limits of the market only for cheap energy.
    found = [kind for kind in said([one / 20 for one in prices(factor, 30)]) if kind != "extreme_price"]
    assert found == ["price_spike", "unit_slip"]


def test_it_is_told_with_the_tick_that_makes_it_certain_and_says_what_the_price_was() -> None:
    price = prices(0.01, 30)
    found = followed(ticks(list(range(len(price))), price))
    assert np.flatnonzero(found.slipped).tolist() == [40 + TOLD_AFTER - 1]
    assert found.slip_base[40 + TOLD_AFTER - 1] == price[39]


def test_the_way_back_is_no_spike() -> None:
    price = prices(0.01, 30)
    assert not followed(ticks(list(range(len(price))), price)).jump[70]


@pytest.mark.parametrize("length", [1, TOLD_AFTER - 1])
def test_what_does_not_last_is_a_spike(length: int) -> None:
    assert "unit_slip" not in said(prices(100.0, length))


@pytest.mark.parametrize("factor", [10.0, 3.0, 30.0, 300.0, -100.0])
def test_other_multiples_are_prices(factor: float) -> None:
    assert "unit_slip" not in said(prices(factor, 30))


def test_from_almost_nothing_to_a_little_is_no_slip() -> None:
    assert "unit_slip" not in said([*USUAL, 0.02, *([2.0] * 20)])


def test_nothing_depends_on_where_the_stream_is_cut() -> None:
    price = prices(0.01, 30)
    whole, state = followed(ticks(list(range(len(price))), price)), SeriesState()
    parts = [followed(ticks([at], [one]), state).slipped[0] for at, one in enumerate(price)]
    assert parts == whole.slipped.tolist()
