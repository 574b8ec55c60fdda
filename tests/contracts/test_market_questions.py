"""Questions about prices get of the database the answers that they get of the same ticks in a file."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from schemas.errors import ConfigurationError
from schemas.layout import instant_of
from schemas.ticks import TickBatch
from simulators.feeds.feed import Feed
from stream.market.price_source import Name, PublishedFigures, Series, Span, StoredFigures
from stream.markets import load_markets
from tests.builders import MINUTE_US, START_US
from tests.contracts.backings import unique
from tests.contracts.test_timescale_ticks import Writer

pytestmark = pytest.mark.integration
MARKETS = load_markets()
ALL = Span(None, None)


@pytest.fixture
async def writer(database_url: str) -> AsyncIterator[Writer]:
    made = Writer(database_url, unique("questions"))
    yield made
    await made.store.close()


def ticks(symbol: str) -> TickBatch:
    """Prices of 300 intervals, some of them missing, every third revised; then demand, and trades."""
    rng = np.random.default_rng(3)
    start = START_US + 5 * MINUTE_US * np.arange(300)
    price = rng.normal(60, 80, 300).round(2)
    price[rng.random(300) < 0.05] = np.nan

    def of(kind: str, times: np.ndarray, market: str = "aemo_nem", **columns: np.ndarray) -> TickBatch:
        n = len(times)
        names = {"market": [market] * n, "symbol": [symbol] * n, "kind": [kind] * n}
        return TickBatch.from_columns(tick_time=times, **names, **columns)

    return TickBatch.concat(
        [
            of("settlement", start, price=price),
            of("settlement", start[::3], price=price[::3] + 5, revision=np.ones(100, dtype=np.int64)),
            of("demand", start, quantity=rng.uniform(5_000, 9_000, 300)),
            of("quote", start[:9] + 7, bid=np.full(9, 40.0), ask=np.linspace(41, 49, 9), market="epex_intraday"),
        ]
    )


def same(first: Series, second: Series) -> None:
    for name in ("start_us", "end_us", "price", "quantity"):
        assert np.array_equal(getattr(first, name), getattr(second, name), equal_nan=True), name


async def test_the_database_and_a_file_hold_the_same_series(writer: Writer, database_url: str) -> None:
    symbol = unique("Q").strip("-")
    batch = ticks(symbol)
    await writer.write(batch)
    stored = StoredFigures(database_url, MARKETS)
    published = PublishedFigures([Path("any")], Feed("any", "", lambda *_: iter([batch])), MARKETS)
    day = Span(instant_of(START_US + 20 * MINUTE_US), instant_of(START_US + 600 * MINUTE_US))
    names = [Name("aemo_nem", symbol), Name("aemo_nem", symbol, "demand"), Name("epex_intraday", symbol, "quote")]
    for name in names:
        whole = stored.read(name, ALL)
        same(whole, published.read(name, ALL))
        if name.kind != "quote":
            part = stored.read(name, day)
            same(part, published.read(name, day))
            assert 0 < len(part) < len(whole)
    assert np.all(whole.length_s[:-1] == 300)
    assert whole.length_s[-1] == 0


async def test_what_is_not_there_is_said(writer: Writer, database_url: str) -> None:
    await writer.write(ticks("NSW9"))
    stored = StoredFigures(database_url, MARKETS)
    with pytest.raises(ConfigurationError, match="nothing is known of aemo_nem/NSW8"):
        stored.read(Name("aemo_nem", "NSW8"), ALL)
    with pytest.raises(ConfigurationError, match="since 2031-01-01T00:00Z"):
        stored.read(Name("aemo_nem", "NSW9"), Span(datetime(2031, 1, 1, tzinfo=UTC), None))
