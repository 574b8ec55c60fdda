"""How fast markets generate: they must never be what bounds a load test."""

import time

import pytest

from simulators.market.feed import Feed
from simulators.market.listing import Listing, choose
from simulators.profile import TickRates
from simulators.schedule import Events
from stream.markets import load_markets

START_S = 5_900 * 86_400
LEAST_PER_S = 1_000_000


@pytest.mark.parametrize(
    ("rates", "hours"), [(TickRates(), 48), (TickRates(quote_s=5, trade_s=10), 8)], ids=["usual", "busy"]
)
def test_a_core_generates_a_million_ticks_per_second(rates: TickRates, hours: int) -> None:
    feed = Feed(Listing.of(choose(load_markets(), [], None), 7), rates, Events.none())
    feed.stretch(START_S, START_S + 3_600, START_S)
    began = time.process_time()
    ticks = sum(len(sent) for sent in feed.run(START_S, START_S + hours * 3_600, 400_000))
    rate = ticks / (time.process_time() - began)
    print(f"{ticks:,} ticks, {rate:,.0f} ticks/s per core")  # noqa: T201 - the figure is what a benchmark is for
    assert rate > LEAST_PER_S
