"""Prices that leave their neighbours, as they are stored: told once, whoever looks and however often."""

from collections.abc import AsyncIterator

import numpy as np
import psycopg
import pytest

from schemas.alerts import Alert
from schemas.errors import ServiceUnavailable
from schemas.topics import MARKET_RAW
from sinks.neighbours_outbox import NeighboursOutbox
from tests.builders import MINUTE_US, START_US
from tests.contracts.test_neighbours import STEPS, ZONES, day, usual
from tests.contracts.test_timescale_ticks import Writer

pytestmark = pytest.mark.integration
QUARTER_US = 15 * MINUTE_US


@pytest.fixture
async def writer(url: str) -> AsyncIterator[Writer]:
    made = Writer(url, MARKET_RAW.name)
    yield made
    await made.store.close()


def strayed(seed: int = 2) -> np.ndarray:
    """A day on which the fourth zone goes its own way from the 61st quarter to the 64th."""
    prices = usual(seed)
    prices[60:64, 3] += 85.0
    return prices


async def told(url: str, fails: bool = False) -> list[tuple[str, int]]:
    """What one more process tells: element and quarter of the day that began at START."""
    outbox, found = NeighboursOutbox(url, lateness_s=60.0), list[Alert]()

    async def send(alerts: list[Alert]) -> None:
        found.extend(alerts)
        if fails:
            raise ServiceUnavailable("kafka", "scripted")

    try:
        while await outbox.hand_on(send):
            pass
    except ServiceUnavailable:
        assert fails
    await outbox.close()
    return [(one.element, round(one.occurred_at.timestamp() * 1e6 - START_US) // QUARTER_US) for one in found]


def kept(url: str) -> list[tuple[str, str]]:
    with psycopg.connect(url) as connection:
        return connection.execute(
            "SELECT kind, element FROM alert_signs WHERE kind = 'neighbour_outlier' ORDER BY occurred_at"
        ).fetchall()


async def test_a_zone_that_goes_its_own_way_is_told_once(writer: Writer, url: str) -> None:
    await writer.write(day(0, strayed()))
    assert await told(url) == [("market/omie/Z3", 60)]
    assert await told(url) == []
    assert kept(url) == [("neighbour_outlier", "market/omie/Z3")]


async def test_where_the_day_is_cut_and_who_looks_do_not_show(writer: Writer, url: str) -> None:
    prices, found = strayed(), list[tuple[str, int]]()
    for first in range(0, STEPS, 31):
        await writer.write(day(0, prices[first : first + 31], first=first))
        found += await told(url)
    assert found == [("market/omie/Z3", 60)]


async def test_what_was_not_published_is_told_again(writer: Writer, url: str) -> None:
    await writer.write(day(0, strayed()))
    assert await told(url, fails=True) == [("market/omie/Z3", 60)]
    assert kept(url) == []
    assert await told(url) == [("market/omie/Z3", 60)]


async def test_an_interval_waits_for_all_that_speak(writer: Writer, url: str) -> None:
    prices = strayed()
    await writer.write(day(0, prices[:60]))
    assert await told(url) == []
    # Four of five zones have said what they say of the next one, and event time has not passed it yet.
    last = day(0, prices[60:61], first=60)
    await writer.write(last.slice(0, ZONES - 1))
    assert await told(url) == []
    await writer.write(last.slice(ZONES - 1, 1))
    assert await told(url) == [("market/omie/Z3", 60)]


async def test_the_highest_revision_counts_and_what_comes_after_the_judgement_is_not_judged(
    writer: Writer, url: str
) -> None:
    prices, right = strayed(), usual(2)
    await writer.write(day(0, prices))
    await writer.write(day(0, right[60:64], first=60, revision=1))
    assert await told(url) == []
    await writer.write(day(0, prices[60:64], first=60, revision=2))
    assert await told(url) == []


async def test_two_zones_and_a_market_that_moves_as_a_whole_tell_nothing(writer: Writer, url: str) -> None:
    await writer.write(day(0, strayed()[:, 2:4]))
    assert await told(url) == []
    await writer.write(day(1, usual(3)))
    assert await told(url) == []
