"""Missing data: told once an hour has closed, again when some of it comes late, and found by one query."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from schemas.delivery import Delivery, Progress
from schemas.errors import ServiceUnavailable
from schemas.missing import MissingData
from schemas.registry import RegistryEntry
from schemas.topics import METERS_RAW
from sinks.missing_outbox import MissingOutbox
from sinks.timescale import TimescaleStore
from tests.builders import batch, rows
from tests.contracts.test_any_store import nothing

pytestmark = pytest.mark.integration

NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
HOUR = timedelta(hours=1)
Send = Callable[..., object]


def micros(moment: datetime) -> int:
    return round(moment.timestamp() * 1e6)


def quarters(first: int, count: int) -> list[datetime]:
    """Ends of quarter hours from noon on."""
    return [NOON + (first + k) * QUARTER for k in range(1, count + 1)]


@pytest.fixture
async def send(url: str) -> AsyncIterator[Send]:
    """Stores readings of a meter; the watermark is their newest time, or the one that is given."""
    store, at = TimescaleStore(url, lateness_s=60.0), 0
    newest = NOON

    async def one(meter: str, times: list[datetime]) -> None:
        nonlocal at, newest
        newest = max(newest, *times)
        await store.position(METERS_RAW.name, "life", 0, 0)
        of = batch(meter, [micros(moment) for moment in times], consumption_kwh=[1.0] * len(times))
        meter_id, _ = await store.resolve(of.meter_number.to_pylist())
        progress = Progress(0, at, at + 1, micros(newest), len(of), 0)
        found = rows(of, meter_id.tolist(), partition=0, offset=at)
        at += 1
        await store.write(Delivery(METERS_RAW.name, "life", found, [], [progress]), nothing)

    await store.register([RegistryEntry(meter_number="M1", transformer="T1")])
    yield one
    await store.close()


async def told(outbox: MissingOutbox) -> list[tuple[str, datetime, int, int]]:
    found = list[MissingData]()

    async def keep(items: list[MissingData]) -> None:
        found.extend(items)

    while await outbox.hand_on(keep):
        pass
    return [(item.meter_number, item.hour, item.expected, item.received) for item in found]


@pytest.fixture
async def outbox(url: str) -> AsyncIterator[MissingOutbox]:
    made = MissingOutbox(url, grace_s=900.0)
    yield made
    await made.close()


async def test_an_hour_that_lacks_readings_is_told_once(outbox: MissingOutbox, send: Send) -> None:
    await send("M1", quarters(0, 4) + quarters(6, 6))
    assert await told(outbox) == [("M1", NOON + HOUR, 4, 2)]
    assert (outbox.intervals, outbox.meters) == (2, 1)
    assert await told(outbox) == []


async def test_an_hour_is_not_looked_at_before_its_grace_is_over(outbox: MissingOutbox, send: Send) -> None:
    await send("M1", quarters(0, 5))
    assert await told(outbox) == []
    await send("M1", quarters(5, 3))
    assert await told(outbox) == []
    await send("M1", quarters(9, 1))
    assert await told(outbox) == []


async def test_what_came_late_restates_its_hour(url: str, outbox: MissingOutbox, send: Send) -> None:
    await send("M1", quarters(0, 4) + quarters(6, 6))
    assert await told(outbox) == [("M1", NOON + HOUR, 4, 2)]
    for late, received in ((4, 3), (5, 4)):
        await send("M1", quarters(late, 1))
        again = MissingOutbox(url, grace_s=900.0)
        assert await told(again) == [("M1", NOON + HOUR, 4, received)]
        await again.close()


async def test_a_meter_without_any_reading_in_an_hour_is_missing_all_of_it(
    url: str, outbox: MissingOutbox, send: Send
) -> None:
    await send("M1", quarters(0, 8))
    await send("M2", quarters(0, 16))
    assert await told(outbox) == [("M1", NOON + 2 * HOUR, 4, 0)]
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "SELECT meter_number, transformer, missing FROM missing_intervals WHERE hour >= %s", (NOON,)
        ).fetchall()
        silent = connection.execute(
            "SELECT meter_number, transformer, newest FROM meter_silence WHERE silent_for > interval '24 hours' "
            "ORDER BY newest"
        ).fetchall()
    assert found == [("M1", "T1", 4)]
    assert silent == [("M1", "T1", NOON + 8 * QUARTER), ("M2", None, NOON + 16 * QUARTER)]


async def test_a_meter_out_of_service_is_not_expected(url: str, outbox: MissingOutbox, send: Send) -> None:
    await send("M1", quarters(0, 4))
    await send("M2", quarters(0, 16))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("UPDATE smart_meters SET status = 'removed' WHERE meter_number = 'M1'")
    assert await told(outbox) == []


async def test_what_lies_more_than_a_month_back_is_not_looked_at(outbox: MissingOutbox, send: Send) -> None:
    await send("M1", quarters(0, 4) + quarters(6, 6))
    await send("M2", quarters(4 * 24 * 40, 8))
    assert await told(outbox) == []
    await send("M2", quarters(4 * 24 * 40 + 12, 8))
    assert await told(outbox) == [("M2", NOON + 40 * 24 * HOUR + 2 * HOUR, 4, 0)]


async def test_what_was_loaded_before_anybody_looked_is_counted_from_its_first_reading_on(
    outbox: MissingOutbox, send: Send
) -> None:
    await send("M1", quarters(0, 4) + quarters(6, 100))
    assert await told(outbox) == [("M1", NOON + HOUR, 4, 2)]


async def test_a_meter_that_is_loaded_behind_the_others_is_counted_too(
    url: str, outbox: MissingOutbox, send: Send
) -> None:
    await send("M1", quarters(0, 100))
    assert await told(outbox) == []
    await send("M2", quarters(0, 4) + quarters(6, 82))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "UPDATE meter_readings SET quality_flag = 'missing' WHERE reading_time = %s AND meter_id = "
            "(SELECT meter_id FROM smart_meters WHERE meter_number = 'M2')",
            (NOON + QUARTER,),
        )
    again = MissingOutbox(url, grace_s=900.0)
    assert await told(again) == [("M2", NOON + HOUR, 4, 2)] + [("M2", NOON + k * HOUR, 4, 0) for k in (22, 23)]
    await again.close()
    with psycopg.connect(url) as connection:
        due = connection.execute(
            "SELECT meter_number, since < %s, until FROM estimates_due JOIN smart_meters USING (meter_id)",
            (NOON + QUARTER,),
        ).fetchall()
    assert due == [("M2", True, NOON + 24 * HOUR)]


async def test_what_could_not_be_sent_is_told_later(outbox: MissingOutbox, url: str, send: Send) -> None:
    await send("M1", quarters(0, 4) + quarters(6, 6))

    async def refuse(_: list[MissingData]) -> None:
        raise ServiceUnavailable("kafka", "scripted")

    with pytest.raises(ServiceUnavailable):
        await outbox.hand_on(refuse)
    again = MissingOutbox(url, grace_s=900.0)
    assert await told(again) == [("M1", NOON + HOUR, 4, 2)]
    await again.close()
