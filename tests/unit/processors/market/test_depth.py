"""One-sided books: measured by each side's own best, against what is usual for the series, told once while it lasts."""

import numpy as np
import pytest

from processors.market.depth import sidedness
from processors.market.events import raise_events
from processors.market.follow import Following, follow
from processors.market.series import SeriesState, keys_of
from processors.market.terms import terms
from schemas.alerts import Alert
from schemas.ticks import TickBatch
from stream.markets import load_markets
from tests.builders import MINUTE_US, START_US

MARKETS = load_markets()


def quotes(bid_depth: list[float], ask_depth: list[float], best: float = 10.0) -> TickBatch:
    n = len(bid_depth)
    return TickBatch.from_columns(
        market=["epex_intraday"] * n,
        symbol=["DE"] * n,
        kind=["quote"] * n,
        tick_time=START_US + MINUTE_US * np.arange(n),
        bid=[49.0] * n,
        ask=[50.0] * n,
        bid_quantity=[best] * n,
        ask_quantity=[best] * n,
        bid_depth=bid_depth,
        ask_depth=ask_depth,
    )


def alerts(batch: TickBatch) -> list[Alert]:
    state, facts = SeriesState(), terms(batch, MARKETS)
    found = follow(batch, facts, state.rows(keys_of(batch)), state, Following())
    told = raise_events(batch, facts, found, batch.time_us, np.ones(len(batch), dtype=bool))
    return [alert for alert in told if alert.kind == "one_sided_depth"]


USUAL = [60.0 + 20 * (k % 3) for k in range(60)]


def test_sides_are_measured_by_their_own_best() -> None:
    assert sidedness(quotes([80.0, 160.0], [80.0, 80.0])).tolist() == pytest.approx([0.0, np.log(2)])
    assert np.isnan(sidedness(quotes([80.0], [0.0]))).tolist() == [True]
    assert np.isnan(sidedness(TickBatch.from_columns(market=["pjm"], symbol=["A"], tick_time=[0]))).tolist() == [True]


def test_a_side_that_is_filled_is_told_once_while_it_lasts() -> None:
    (alert,) = alerts(quotes([*USUAL, *[1_200.0] * 5, *USUAL[:5]], [80.0] * 70))
    assert alert.occurred_at.timestamp() * 1e6 == START_US + 60 * MINUTE_US
    assert alert.measured == pytest.approx(15.0)
    assert "bid side is 15 times as deep" in alert.message


def test_either_side_counts() -> None:
    assert len(alerts(quotes([80.0] * 61, [*USUAL, 1_600.0]))) == 1


def test_a_book_that_grows_on_both_sides_is_nothing() -> None:
    assert alerts(quotes([*USUAL, *[1_200.0] * 5], [*[80.0] * 60, *[1_200.0] * 5])) == []


def test_a_series_that_is_not_known_yet_is_not_judged() -> None:
    assert alerts(quotes([80.0] * 10 + [1_600.0], [80.0] * 11)) == []
