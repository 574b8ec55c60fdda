"""Readings by time: a place for every month, what was there before stays, and a repeat is a repeat wherever it lies."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from sinks import migrations
from sinks.migrations import migrate, status
from sinks.timescale import TimescaleStore
from tests.builders import HOUR_US, START_US, batch
from tests.contracts.backings import unique
from tests.contracts.test_any_store import Feed

pytestmark = pytest.mark.integration

Opener = Callable[[], Awaitable[Feed]]
DAY = timedelta(days=1)
OLD = (
    "INSERT INTO meter_readings (meter_id, reading_time, consumption_kwh, quality_flag, source_partition, "
    "source_offset, arrived_at) SELECT 1, t, 1.5, 'normal', 0, 0, t "
    "FROM generate_series(%s::timestamptz, %s::timestamptz, '6 h') AS t"
)
VIEWS = "SELECT viewname, definition FROM pg_views WHERE schemaname = current_schema() ORDER BY 1"
PARTITIONS = "SELECT name, starts_at, ends_at FROM readings_partitions ORDER BY starts_at"


def month(year: int, number: int) -> datetime:
    return datetime(year, number, 1, tzinfo=UTC)


@pytest.fixture
async def open_feed(empty: str) -> AsyncIterator[Callable[[], Awaitable[Feed]]]:
    """Opens stores on one database, as several workers do, each with a topic of its own."""
    migrate(empty)
    stores = list[TimescaleStore]()

    async def another() -> Feed:
        stores.append(TimescaleStore(empty, lateness_s=60.0))
        feed = Feed(stores[-1], unique("topic"), unique("m"))
        await feed.start()
        return feed

    yield another
    for store in stores:
        await store.close()


def views_of(connection: psycopg.Connection) -> dict[str, str]:
    """Name and text of each view, without names that PostgreSQL gives to columns that nobody named."""
    found = connection.execute(VIEWS).fetchall()
    return {name: text.replace("::text AS text", "::text") for name, text in found}


def migrate_before(connection: psycopg.Connection, number: str) -> None:
    for file in status(connection):
        if file.applies and not file.applied and file.name < number:
            migrations._apply(connection, file)


def test_a_filled_database_keeps_its_readings_and_its_views(empty: str) -> None:
    with psycopg.connect(empty, autocommit=True) as connection:
        migrate_before(connection, "014")
        connection.execute(OLD, (month(2025, 3), month(2025, 5)))
        rows = connection.execute("SELECT * FROM meter_readings ORDER BY reading_time").fetchall()
        views = views_of(connection)
        # Later ones say some of the views anew.
        migrate_before(connection, "022")
        now = views_of(connection)
        migrate(empty)
        assert connection.execute("SELECT * FROM meter_readings ORDER BY reading_time").fetchall() == rows
        assert {name: now[name] for name in views} == views
        assert connection.execute("SELECT count(*) FROM best_values").fetchone() == (len(rows),)
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute(OLD, (month(2025, 3), month(2025, 3)))


@pytest.mark.usefixtures("only_plain")
def test_what_was_there_before_is_one_partition_between_the_new_ones(empty: str) -> None:
    with psycopg.connect(empty, autocommit=True) as connection:
        migrate_before(connection, "014")
        connection.execute(OLD, (month(2025, 3) + DAY, month(2025, 5)))
        migrate(empty)
        wanted = [month(2025, 2), month(2025, 4) + DAY, month(2025, 6)]
        assert connection.execute("SELECT add_readings_partitions(%s)", (wanted,)).fetchone() == (2,)
        assert connection.execute(PARTITIONS).fetchall() == [
            ("meter_readings_2025_02", month(2025, 2), month(2025, 3)),
            ("meter_readings_before", month(2025, 3), month(2025, 6)),
            ("meter_readings_2025_06", month(2025, 6), month(2025, 7)),
        ]
        indexes = connection.execute(
            "SELECT count(DISTINCT indexrelid), count(DISTINCT indrelid) FROM pg_index i JOIN readings_partitions p "
            "ON p.oid = i.indrelid"
        ).fetchone()
        assert indexes == (12, 3)


@pytest.mark.usefixtures("only_plain")
def test_an_empty_database_begins_without_partitions(empty: str) -> None:
    migrate(empty)
    with psycopg.connect(empty) as connection:
        assert connection.execute(PARTITIONS).fetchall() == []


async def test_readings_of_any_time_find_a_place(open_feed: Opener, empty: str) -> None:
    feed = await open_feed()
    times = [START_US, START_US - 400 * 24 * HOUR_US, START_US + 24 * HOUR_US, START_US - 8_000 * 24 * HOUR_US]
    stored = await feed.write(batch(feed.meter(), times, consumption_kwh=1.0))
    assert stored.fresh.all()
    with psycopg.connect(empty) as connection:
        assert connection.execute("SELECT count(*) FROM meter_readings").fetchone() == (4,)


async def test_a_repeat_is_found_in_every_month(open_feed: Opener) -> None:
    feed = await open_feed()
    times = [START_US, START_US - 40 * 24 * HOUR_US]
    await feed.write(batch(feed.meter(), times, consumption_kwh=1.0))
    again = await feed.write(batch(feed.meter(), [*times, START_US + HOUR_US], consumption_kwh=[1.0, 2.0, 1.0]), 1)
    assert again.fresh.tolist() == [False, False, True]
    assert again.conflicting.tolist() == [False, True, False]


async def test_several_workers_may_need_a_new_month_at_once(open_feed: Opener) -> None:
    feeds = [await open_feed() for _ in range(4)]
    times = [START_US, START_US + 40 * 24 * HOUR_US]
    found = await asyncio.gather(*(feed.write(batch(feed.meter(), times, consumption_kwh=1.0)) for feed in feeds))
    assert all(stored.fresh.all() for stored in found)


@pytest.mark.timescale
@pytest.mark.usefixtures("only_timescale")
async def test_late_rows_go_into_compressed_chunks_and_repeats_are_still_found(open_feed: Opener, empty: str) -> None:
    feed = await open_feed()
    meter, times = feed.meter(), [START_US + turn * HOUR_US for turn in range(200)]
    await feed.write(batch(meter, times, consumption_kwh=1.0))
    with psycopg.connect(empty, autocommit=True) as connection:
        compressed = connection.execute("SELECT compress_chunk(c) FROM show_chunks('meter_readings') AS c").fetchall()
        assert compressed
        late = [times[0] + 1, times[1], times[2], times[-1] + 1]
        stored = await feed.write(batch(meter, late, consumption_kwh=[1.0, 1.0, 2.0, 1.0]), 1)
        assert stored.fresh.tolist() == [True, False, False, True]
        assert stored.conflicting.tolist() == [False, False, True, False]
        # New rows only: the direct way, into a compressed chunk.
        for turn in range(2, 27):
            new = batch([meter, feed.meter("other")], times[0] + turn, consumption_kwh=1.0)
            assert (await feed.write(new, turn)).fresh.all()
        assert connection.execute("SELECT count(*) FROM meter_readings").fetchone() == (252,)
