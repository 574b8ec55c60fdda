"""Validation of ticks by their market's definition: at each bound, beyond it, and null."""

from typing import Any

import numpy as np
import pytest

from processors.market.check import FAILURES, TickLimits, check
from processors.market.terms import terms
from schemas.ticks import TickBatch
from stream.markets import load_markets
from tests.builders import DAY_US, MINUTE_US, START_US

MARKETS = load_markets()
#: An edge of every market's intervals.
EDGE_US = START_US


def tick(**columns: Any) -> TickBatch:
    sound: dict[str, Any] = {"market": "aemo_nem", "symbol": "NSW1", "tick_time": EDGE_US, "kind": "settlement"}
    return TickBatch.from_columns(**{name: [value] for name, value in (sound | columns).items()})


def reason(arrived_us: int = EDGE_US, **columns: Any) -> str | None:
    batch = tick(**columns)
    code = int(check(batch, terms(batch, MARKETS), np.array([arrived_us]), TickLimits())[0])
    return None if code == 0 else str(FAILURES[code - 1][0])


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"price": 20_300.0}, None),
        ({"price": 20_300.01}, "price_out_of_limits"),
        ({"price": -1_000.0}, None),
        ({"price": -1_000.01}, "price_out_of_limits"),
        ({"market": "caiso", "symbol": "SP15", "price": 2_000.01}, None),
        ({"currency": "AUD"}, None),
        ({"currency": "EUR"}, "wrong_currency"),
        ({"market": "atlantis"}, "unknown_market"),
        ({"kind": None}, None),
        ({"kind": "rumour"}, "unknown_kind"),
        ({"tick_time": EDGE_US + 5 * MINUTE_US}, None),
        ({"tick_time": EDGE_US + MINUTE_US}, "off_interval"),
        ({"tick_time": EDGE_US + 1, "kind": "trade"}, None),
        ({"tick_time": EDGE_US + MINUTE_US, "interval_s": 60}, None),
        ({"interval_s": 7}, "off_interval"),
        ({"interval_s": 0}, "off_interval"),
        ({"price": 50.0, "energy_price": 40.0, "congestion_price": 9.0, "loss_price": 1.02}, None),
        ({"price": 50.0, "energy_price": 40.0, "congestion_price": 9.0, "loss_price": 1.03}, "components_differ"),
        ({"price": 50.0, "energy_price": 40.0, "congestion_price": 9.0}, None),
        ({"quantity": 1e9}, None),
        ({"quantity": 2e9}, "out_of_range"),
        ({"bid_depth": 0.0}, None),
        ({"bid_depth": -0.1}, "out_of_range"),
        ({"tick_time": 631_152_000_000_000}, "time_too_old"),
        ({}, None),
    ],
)
def test_what_cannot_be_true_has_its_reason(columns: dict[str, Any], expected: str | None) -> None:
    assert reason(**columns) == expected


def test_a_trade_is_not_of_tomorrow_but_an_auction_is() -> None:
    ahead = EDGE_US + DAY_US + 1
    assert reason(tick_time=ahead, kind="trade") == "time_in_future"
    assert reason(tick_time=EDGE_US + DAY_US, kind="trade") is None
    assert reason(tick_time=EDGE_US + 2 * DAY_US) is None
    assert reason(tick_time=EDGE_US + 371 * DAY_US) == "time_in_future"


def test_an_interval_is_found_by_the_markets_label() -> None:
    end, start = tick(), tick(market="nordpool", symbol="SYS")
    assert terms(end, MARKETS).start_us.tolist() == [EDGE_US - 5 * MINUTE_US]
    assert terms(end, MARKETS).end_us.tolist() == [EDGE_US]
    assert terms(start, MARKETS).start_us.tolist() == [EDGE_US]
    moment = terms(tick(kind="quote"), MARKETS)
    assert (moment.start_us[0], moment.end_us[0]) == (EDGE_US, EDGE_US)


def test_a_stated_interval_takes_the_place_of_the_markets() -> None:
    found = terms(tick(market="omie", symbol="ES", interval_s=3_600), MARKETS)
    assert found.end_us[0] - found.start_us[0] == 60 * MINUTE_US


def test_no_ticks_have_no_terms() -> None:
    none = TickBatch.empty()
    assert len(check(none, terms(none, MARKETS), np.empty(0, dtype=np.int64), TickLimits())) == 0
