"""Prices far from their neighbours: those of a symbol that goes its own way, not of a market that moves as a whole."""

from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import psycopg
import pytest

from schemas.ticks import TickBatch
from tests.builders import MINUTE_US, START_US
from tests.contracts.backings import unique
from tests.contracts.test_timescale_ticks import Writer

pytestmark = pytest.mark.integration
ZONES, STEPS = 5, 96
DAY_S = 86_400


@pytest.fixture
async def writer(database_url: str) -> AsyncIterator[Writer]:
    made = Writer(database_url, unique("ticks"))
    yield made
    await made.store.close()


def day(market_day: int, prices: np.ndarray, first: int = 0, revision: int = 0) -> TickBatch:
    """Quarters of one Iberian day of the test's own, from the first one on; prices by quarter and zone."""
    count, start = prices.size, START_US + market_day * DAY_S * 10**6 + first * 15 * MINUTE_US
    return TickBatch.from_columns(
        market=["omie"] * count,
        symbol=np.tile([f"Z{zone}" for zone in range(prices.shape[1])], len(prices)).tolist(),
        kind=["settlement"] * count,
        tick_time=start + 15 * MINUTE_US * np.repeat(np.arange(len(prices)), prices.shape[1]),
        price=prices.ravel(),
        revision=[revision] * count,
    )


def outliers(url: str, market_day: int) -> list[tuple[Any, ...]]:
    start = START_US / 1e6 + market_day * DAY_S
    with psycopg.connect(url) as connection:
        return connection.execute(
            "SELECT symbol, ((extract(epoch FROM starts_at) - %s) / 900)::int, price, times "
            "FROM neighbour_outliers('omie', to_timestamp(%s), to_timestamp(%s))",
            (start, start, start + DAY_S),
        ).fetchall()


def usual(seed: int) -> np.ndarray:
    """Zones a few euros apart that move together, with a spike of all of them and a night below zero."""
    rng = np.random.default_rng(seed)
    whole = 60 + rng.normal(0, 1, STEPS).cumsum()
    whole[40:44], whole[80:90] = 900.0, -20.0
    prices: np.ndarray = np.round(whole[:, None] + 3.0 * np.arange(ZONES) + rng.normal(0, 0.5, (STEPS, ZONES)), 2)
    return prices


async def test_a_market_that_moves_as_a_whole_has_no_outlier(writer: Writer, database_url: str) -> None:
    await writer.write(day(40, usual(1)))
    assert outliers(database_url, 40) == []


async def test_a_zone_that_goes_its_own_way_is_told_until_its_price_is_revised(
    writer: Writer, database_url: str
) -> None:
    prices = usual(2)
    prices[20:24, 3] += 45.0
    await writer.write(day(50, prices))
    found = outliers(database_url, 50)
    assert [row[:2] for row in found] == [("Z3", step) for step in range(20, 24)]
    assert all(row[3] > 8 for row in found)
    prices[20:24, 3] -= 45.0
    await writer.write(day(50, prices[20:24], first=20, revision=1))
    assert outliers(database_url, 50) == []


async def test_two_symbols_are_no_neighbours(writer: Writer, database_url: str) -> None:
    prices = usual(3)[:, :2]
    prices[10, 1] = 500.0
    await writer.write(day(60, prices))
    assert outliers(database_url, 60) == []
