"""Delivery with everything that can go wrong, one thing at a time: the end is the same as if nothing had."""

import asyncio
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from schemas import arrow_codec
from schemas.delivery import Delivery, Position, Stored
from schemas.errors import DatabaseBehind, MeterstreamError, RowsRefused, ServiceUnavailable
from schemas.rejected import Reason
from sinks.memory import AfterCommit, MemoryLatest, MemoryStore
from sinks.sink import BeforeCommit
from stream.worker.intake import Record
from tests.bad_input import UNREADABLE_PAYLOADS, UNSOUND_READINGS
from tests.builders import (
    ARRIVED_US,
    ARROW,
    HOUR_US,
    MINUTE_US,
    START_US,
    TOPIC,
    TOPIC_ID,
    batch,
    payload,
    reading,
    record,
)
from tests.flow.engine import Engine, Outbox

HERE = (TOPIC, TOPIC_ID, 0)
DATABASE, KAFKA, REDIS = (ServiceUnavailable(name, "scripted") for name in ("database", "kafka", "redis"))


def log(hours: int = 30) -> list[Record]:
    """A meter with one anomaly at its end, and some things on the way that cannot be taken."""
    found = []
    for hour in range(hours):
        use = 50.0 if hour == hours - 1 else 1.0
        found.append(payload(reading("M1", START_US + hour * HOUR_US, consumption_kwh=use, voltage=230.0)))
    found[3:3] = [b"{", payload(reading("M2", START_US, voltage=999.0))]
    return [record(at, value, source="shop" if 10 <= at < 20 else None) for at, value in enumerate(found)]


async def undisturbed() -> dict[str, Any]:
    engine = Engine()
    for item in log():
        await engine.take(item)
    return engine.told()


async def test_a_delivery_ends_in_the_database_in_kafka_and_in_redis() -> None:
    engine = Engine()
    for item in log():
        await engine.take(item)
    await engine.newest.flush()
    assert len(engine.store.readings) == engine.outbox.clean == 30
    assert engine.store.positions[HERE] == Position(32, START_US + 29 * HOUR_US, "")
    assert [item.reason for item in engine.outbox.rejected] == [Reason.NOT_JSON, Reason.VOLTAGE_OUT_OF_RANGE]
    assert [item.source for item in engine.outbox.rejected] == ["meters.raw[0]@3", "meters.raw[0]@4"]
    (alert,) = engine.outbox.alerts
    assert engine.store.alerts == {alert.alert_id}
    assert engine.latest.values == {"M1": START_US + 29 * HOUR_US}
    assert engine.store.accounts[HERE] == Counter(readings=32, stored=30, rejected=2)
    assert engine.store.sources[HERE] == [(0, ""), (10, "shop"), (20, "")]


@pytest.mark.parametrize(
    "failures",
    [
        [DATABASE],
        [None, DATABASE, DATABASE, DATABASE],
        [AfterCommit(DATABASE)],
        [None] * 31 + [AfterCommit(DATABASE)],
        [DATABASE, AfterCommit(DATABASE), None, DATABASE, AfterCommit(DATABASE)],
    ],
    ids=["before", "three times", "after", "after the last", "by turns"],
)
async def test_a_database_that_fails_before_or_after_it_commits_changes_nothing_in_the_end(
    failures: list[MeterstreamError | AfterCommit | None],
) -> None:
    engine = Engine(MemoryStore(failures))
    for item in log():
        await engine.take(item)
    assert engine.told() == await undisturbed()


class Watching(MemoryStore):
    """Notes where the partition stands whenever a delivery begins."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[int] = []

    async def write(self, delivery: Delivery, before_commit: BeforeCommit) -> Stored:
        self.seen.append(self.positions[HERE].next_offset)
        return await super().write(delivery, before_commit)


@pytest.mark.parametrize("at", [0, 3, 31], ids=["the first", "a reject", "the alert"])
async def test_when_kafka_does_not_take_what_we_publish_nothing_is_committed(at: int) -> None:
    store = Watching()
    engine = Engine(store, Outbox(iter([None] * at + [KAFKA, KAFKA])))
    for item in log():
        await engine.take(item)
    assert store.seen[at : at + 3] == [at, at, at]
    assert engine.told() == await undisturbed()


async def test_what_is_published_again_has_the_same_ids() -> None:
    engine = Engine(outbox=Outbox(iter([KAFKA, None])))
    await engine.take(*log())
    assert len(engine.outbox.alerts) == 2
    assert len({alert.alert_id for alert in engine.outbox.alerts}) == 1
    assert len(engine.outbox.rejected) == 4
    assert len({item.reject_id for item in engine.outbox.rejected}) == 2


async def test_redis_that_is_away_holds_nothing_up_and_gets_the_newest_later() -> None:
    engine = Engine(latest=MemoryLatest([REDIS, REDIS]))
    for item in log()[:10]:
        await engine.take(item)
        await engine.newest.flush()
    assert len(engine.store.readings) == 8
    assert engine.latest.values == {"M1": START_US + 7 * HOUR_US}
    assert engine.deliverer.outages == {}


async def test_newest_values_that_died_with_the_process_are_written_by_its_successor() -> None:
    engine = Engine()
    for item in log()[:10]:
        await engine.take(item)
    successor = engine.restart()
    assert successor.latest.values == {}
    await successor.take(*log()[:10])
    await successor.newest.flush()
    assert successor.latest.values == {"M1": START_US + 7 * HOUR_US}
    assert successor.store.accounts[HERE] == Counter(readings=10, stored=8, rejected=2)


async def test_an_outage_is_told_while_it_lasts() -> None:
    engine = Engine(MemoryStore([DATABASE] * 10_000), latest=MemoryLatest([REDIS]))
    taking = asyncio.create_task(engine.take(log()[0]))
    await asyncio.sleep(0.02)
    assert "scripted" in engine.deliverer.outages["database"]
    taking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taking


async def test_a_worker_that_slept_through_a_rebalance_stores_only_what_the_other_has_not() -> None:
    sleeper = Engine()
    await sleeper.take(*log()[:4])
    other = sleeper.restart()
    other.committed[0] = 0
    await other.take(*log()[:20])
    before = dict(sleeper.store.accounts[HERE])
    await sleeper.take(*log()[4:25])
    assert sleeper.store.positions[HERE].next_offset == 25
    assert sleeper.store.accounts[HERE]["readings"] == before["readings"] + 5
    await sleeper.take(*log()[25:])
    assert sleeper.told() == await undisturbed()


async def test_a_worker_whose_records_all_were_delivered_by_another_does_nothing() -> None:
    sleeper = Engine()
    await sleeper.take(*log()[:4])
    await sleeper.restart().take(*log())
    expected = sleeper.told()
    await sleeper.take(*log()[4:20])
    assert sleeper.told() == expected


async def test_a_database_that_has_forgotten_stops_the_worker() -> None:
    engine = Engine()
    await engine.take(*log()[:10])
    engine.store.positions[HERE] = replace(engine.store.positions[HERE], next_offset=5)
    with pytest.raises(DatabaseBehind):
        await engine.take(*log()[10:])


async def test_a_failure_that_waiting_cannot_mend_is_raised() -> None:
    class Broken(MeterstreamError):
        pass

    with pytest.raises(Broken):
        await Engine(MemoryStore([Broken("for good")])).take(*log())


async def test_a_row_that_the_database_never_takes_is_rejected_and_the_rest_goes_on() -> None:
    engine = Engine()
    engine.store.refuses = {"BAD"}
    await engine.take(record(0, payload(reading("A"), reading("BAD"), reading("B"))))
    assert sorted(key[0] for key in engine.store.readings) == ["A", "B"]
    assert [(item.reason, item.meter_number) for item in engine.outbox.rejected] == [(Reason.STORE_REFUSED, "BAD")]
    assert engine.store.accounts[HERE] == Counter(readings=3, stored=2, rejected=1)
    assert issubclass(RowsRefused, MeterstreamError)


async def test_partitions_are_delivered_together_and_fail_together() -> None:
    engine = Engine(outbox=Outbox(iter([KAFKA])))
    await engine.process({p: [record(0, payload(reading(f"M{p}", consumption_kwh=1.0)))] for p in range(3)})
    assert {key[2]: position.next_offset for key, position in engine.store.positions.items()} == {0: 1, 1: 1, 2: 1}
    assert len(engine.store.readings) == 3


async def test_every_kind_of_bad_input_is_rejected_with_its_reason_and_holds_nobody_up() -> None:
    engine, expected, offset = Engine(), list[Reason](), 0
    good = payload(reading("GOOD", consumption_kwh=1.0))
    unsound = {name: (payload(item), None, reason) for name, (item, reason) in UNSOUND_READINGS.items() if item != []}
    for data, kind, reason in [*UNREADABLE_PAYLOADS.values(), *unsound.values()]:
        await engine.take(record(offset, data, kind), record(offset + 1, good))
        expected.append(reason)
        offset += 2
    assert [item.reason for item in engine.outbox.rejected] == expected
    assert list(engine.store.readings) == [("GOOD", START_US)]
    account = engine.store.accounts[HERE]
    assert account["readings"] == offset == account["stored"] + account["duplicates"] + account["rejected"]


async def test_rejected_readings_keep_their_values() -> None:
    engine = Engine()
    bad = batch("M1", [START_US, START_US + MINUTE_US], voltage=[199.0, 230.0], consumption_kwh=0.1)
    await engine.take(record(5, arrow_codec.write(bad), ARROW))
    (item,) = engine.outbox.rejected
    assert item.original() == (
        b'{"meter_number":"M1","reading_time":"2024-01-01T00:00:00.000000Z","consumption_kwh":0.1,"voltage":199}'
    )
    assert (item.meter_number, item.source) == ("M1", "meters.raw[0]@5")
    assert item.rejected_at.timestamp() * 1e6 == ARRIVED_US
