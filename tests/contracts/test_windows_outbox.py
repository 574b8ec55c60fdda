"""Closed windows: each is handed on once it has closed, and again with all its readings when one came late."""

from collections.abc import AsyncIterator, Callable

import psycopg
import pytest

from schemas.delivery import Delivery, Progress
from schemas.errors import ServiceUnavailable
from schemas.topics import METERS_RAW
from schemas.windows import WindowAggregate
from sinks.timescale import TimescaleStore
from sinks.windows_outbox import WindowOutbox
from tests.builders import MINUTE_US, START_US, batch, rows
from tests.contracts.test_any_store import nothing

pytestmark = pytest.mark.integration


Write = Callable[..., object]


@pytest.fixture
async def write(url: str) -> AsyncIterator[Write]:
    """Stores readings of one partition and moves its watermark."""
    store = TimescaleStore(url, lateness_s=60.0)
    at: dict[int, int] = {}

    async def one(times_us: list[int], watermark_us: int, partition: int = 0) -> None:
        await store.position(METERS_RAW.name, "life", partition, 0)
        of = batch("M1", times_us, consumption_kwh=[1.0] * len(times_us))
        meter_id, _ = await store.resolve(of.meter_number.to_pylist())
        expected = at.get(partition, 0)
        at[partition] = expected + 1
        progress = Progress(partition, expected, expected + 1, watermark_us, len(of), 0)
        found = rows(of, meter_id.tolist(), partition=partition, offset=expected)
        await store.write(Delivery(METERS_RAW.name, "life", found, [], [progress]), nothing)

    yield one
    await store.close()


def recounts_wait(url: str) -> bool:
    """Whether days wait to be counted again; one that makes no window due does not keep an outbox busy."""
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT EXISTS (SELECT FROM window_recounts)").fetchone() == (True,)


async def handed_on(url: str) -> list[WindowAggregate]:
    outbox, found = WindowOutbox(url, lateness_s=60.0), list[WindowAggregate]()

    async def send(windows: list[WindowAggregate]) -> None:
        found.extend(windows)

    while await outbox.hand_on(send) or recounts_wait(url):
        pass
    await outbox.close()
    return found


async def test_a_window_is_handed_on_once_its_lateness_is_over(url: str, write: Write) -> None:
    await write([START_US, START_US + 1], START_US + 2 * MINUTE_US - 1)
    assert await handed_on(url) == []
    await write([START_US + 2 * MINUTE_US], START_US + 2 * MINUTE_US)
    (window,) = await handed_on(url)
    assert (window.element, window.window_s, window.readings, window.energy_kwh) == (
        "transformer/unassigned",
        60,
        2,
        2.0,
    )
    assert window.window_start.timestamp() * 1e6 == START_US
    assert await handed_on(url) == []


async def test_a_window_that_gets_another_reading_is_handed_on_again_with_all_of_them(url: str, write: Write) -> None:
    await write([START_US], START_US + 5 * MINUTE_US)
    (first,) = await handed_on(url)
    await write([START_US + 1], START_US + 6 * MINUTE_US)
    (again,) = await handed_on(url)
    assert (first.readings, again.readings, again.energy_kwh) == (1, 2, 2.0)
    assert again.window_start == first.window_start


async def test_the_slowest_partition_with_news_holds_windows_open(url: str, write: Write) -> None:
    await write([START_US], START_US + 10 * MINUTE_US, partition=0)
    await write([START_US], START_US, partition=1)
    assert await handed_on(url) == []
    await write([], START_US + 10 * MINUTE_US, partition=1)
    assert [window.window_s for window in await handed_on(url)] == [60]


async def test_a_partition_that_was_silent_restates_what_was_handed_on_without_it(url: str, write: Write) -> None:
    await write([], START_US, partition=1)
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE stream_offsets SET updated_at = now() - interval '2 minutes'")
    await write([START_US], START_US + 5 * MINUTE_US, partition=0)
    (first,) = await handed_on(url)
    await write([START_US + 1], START_US + 5 * MINUTE_US, partition=1)
    (again,) = await handed_on(url)
    assert (first.readings, again.readings) == (1, 2)


async def test_what_could_not_be_sent_is_handed_on_later(url: str, write: Write) -> None:
    await write([START_US], START_US + 5 * MINUTE_US)
    outbox = WindowOutbox(url, lateness_s=60.0)

    async def fail(_: list[WindowAggregate]) -> None:
        raise ServiceUnavailable("kafka", "no ack")

    with pytest.raises(ServiceUnavailable):
        await outbox.hand_on(fail)
    await outbox.close()
    assert len(await handed_on(url)) == 1


async def test_folding_changes_nothing_that_can_be_read(url: str, write: Write) -> None:
    await write([START_US + minute * MINUTE_US for minute in range(20)], START_US + 60 * MINUTE_US)
    query = "SELECT * FROM window_aggregates ORDER BY window_s, window_start"
    with psycopg.connect(url) as connection:
        before = connection.execute(query).fetchall()
    told = await handed_on(url)
    assert len([window for window in told if window.window_s == 60]) == 20
    assert len(before) == 22
    with psycopg.connect(url) as connection:
        assert connection.execute(query).fetchall() == before
        assert connection.execute("SELECT count(*) FROM window_partials").fetchone() == (0,)


async def test_a_database_that_is_not_there_is_unavailable() -> None:
    outbox = WindowOutbox("postgresql://nobody@127.0.0.1:1/nothing", lateness_s=60.0)
    with pytest.raises(ServiceUnavailable):
        await outbox.hand_on(nothing)
    await outbox.close()
