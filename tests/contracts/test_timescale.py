"""The store on PostgreSQL when the database goes away in the middle, or will not take a row."""

from collections.abc import AsyncIterator

import psycopg
import pytest

from schemas.delivery import Stored
from schemas.errors import RowsRefused, ServiceUnavailable
from sinks.timescale import TimescaleStore
from tests.builders import START_US, batch
from tests.contracts.backings import PostgresBacking, unique
from tests.contracts.test_any_store import Feed, nothing

pytestmark = pytest.mark.integration


@pytest.fixture
async def feed(database_url: str) -> AsyncIterator[Feed]:
    made = Feed(TimescaleStore("", lateness_s=60.0), unique("topic"), unique("m"))
    made.store = TimescaleStore(f"{database_url}&application_name={made.topic}", lateness_s=60.0)
    await made.start()
    yield made
    await made.store.close()


def end_session(feed: Feed, database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        ended = connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = %s", (feed.topic,)
        ).fetchall()
    assert ended == [(True,)]


async def test_a_session_that_ends_in_the_middle_leaves_nothing_and_the_next_write_works(
    feed: Feed, database_url: str
) -> None:
    async def cut(_: Stored) -> None:
        end_session(feed, database_url)

    delivery = feed.delivery(await feed.rows(batch(feed.meter(), START_US, consumption_kwh=1.0)))
    with pytest.raises(ServiceUnavailable, match="database"):
        await feed.store.write(delivery, cut)
    backing = PostgresBacking(database_url)
    assert backing.readings(feed.prefix) == {}
    await feed.store.write(delivery, nothing)
    assert len(backing.readings(feed.prefix)) == 1


async def test_a_session_that_ended_between_two_writes_is_made_anew(feed: Feed, database_url: str) -> None:
    await feed.write(batch(feed.meter(), START_US))
    end_session(feed, database_url)
    with pytest.raises(ServiceUnavailable):
        await feed.start()
    await feed.write(batch(feed.meter(), START_US + 1), 1)
    assert (await feed.start()).next_offset == 2


async def test_a_database_that_is_not_there_is_unavailable() -> None:
    store = TimescaleStore("postgresql://nobody@127.0.0.1:1/nothing", lateness_s=60.0)
    with pytest.raises(ServiceUnavailable):
        await store.open()
    await store.close()


async def test_a_store_opened_before_the_tables_are_there_works_once_they_are(
    database_url: str,
) -> None:
    elsewhere = database_url.partition("?")[0] + "?options=-c%20search_path%3Dnowhere_yet"
    store = TimescaleStore(elsewhere, lateness_s=60.0)
    for _ in range(2):
        with pytest.raises(psycopg.ProgrammingError):
            await store.open()
    await store.close()


async def test_rows_that_the_table_will_never_take_are_named_and_nothing_is_stored(
    feed: Feed, database_url: str
) -> None:
    times = [START_US, START_US + 1, START_US + 2]
    good = await feed.rows(batch(feed.meter(), times, consumption_kwh=1.0))
    # Decoding lets no NUL through, but a store must not hang on one.
    bad = await feed.rows(batch(feed.meter(), times, phase=["L1", "a\0b", None]))
    with pytest.raises(RowsRefused) as refused:
        await feed.store.write(feed.delivery(bad), nothing)
    assert list(refused.value.positions) == [1]
    assert PostgresBacking(database_url).readings(feed.prefix) == {}
    await feed.store.write(feed.delivery(good), nothing)


async def test_duplicates_and_new_rows_may_alternate_for_ever(feed: Feed) -> None:
    # The store writes straight into the table, falls back to staging after a duplicate, and tries again later.
    for turn in range(60):
        times = [START_US + turn // 2, START_US + 1_000_000 + turn]
        stored = await feed.write(batch(feed.meter(), times, consumption_kwh=1.0), turn)
        assert stored.fresh.tolist() == [turn % 2 == 0, True]
