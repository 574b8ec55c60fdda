"""What every store promises: each delivery takes effect wholly and once, and the first value stays."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from processors.alerts import raise_alerts
from schemas.alerts import Alert
from schemas.delivery import NO_WATERMARK_US, Delivery, Position, Progress, Rows, Stored
from schemas.errors import OffsetConflict, ServiceUnavailable
from schemas.explanation import Explanation
from schemas.layout import instant_of
from schemas.meter_class import ACTIVE, CLASSES, INACTIVE, UNREGISTERED
from schemas.readings import ReadingBatch
from schemas.registry import RegistryEntry
from schemas.rejected import Reason, Rejected
from sinks.sink import Store
from tests.builders import MINUTE_US, START_US, batch, rows
from tests.contracts import found
from tests.contracts.backings import StoreBacking, unique
from tests.judging import judged


async def nothing(_: Stored) -> None:
    """Step 4 went well."""


@dataclass
class Feed:
    """Deliveries of one topic to one store, with meters of the test's own under one transformer."""

    store: Store
    topic: str
    prefix: str
    group_id: int = 0
    life: str = "life-1"

    async def start(self, partition: int = 0, first_offset: int = 0) -> Position:
        return await self.store.position(self.topic, self.life, partition, first_offset)

    async def rows(self, of: ReadingBatch, offset: int = 0, partition: int = 0, **more: Any) -> Rows:
        meter_id, _ = await self.store.resolve(of.meter_number.to_pylist())
        return rows(of, meter_id.tolist(), offset=offset, partition=partition, **more)

    def delivery(self, of: Rows, *steps: tuple[int, int, int], **changes: Any) -> Delivery:
        """Steps are (partition, expected offset, next offset)."""
        progress = [
            Progress(partition, expected, following, START_US, int((of.partition == partition).sum()), 0)
            for partition, expected, following in steps or ((0, 0, 1),)
        ]
        return Delivery(
            **({"topic": self.topic, "topic_id": self.life, "rows": of, "alerts": [], "progress": progress} | changes)
        )

    async def write(self, of: ReadingBatch, expected: int = 0, **more: Any) -> Stored:
        delivery = self.delivery(await self.rows(of, offset=expected, **more), (0, expected, expected + 1))
        return await self.store.write(delivery, nothing)

    def meter(self, name: str = "A") -> str:
        return self.prefix + name


@pytest.fixture
async def feed(store: Store) -> Feed:
    made = Feed(store, unique("topic"), unique("m"))
    transformer = unique("t")
    await store.register([RegistryEntry(meter_number=made.meter(n), transformer=transformer) for n in "ABC"])
    _, groups = await store.resolve([made.meter()])
    made.group_id = int(groups[0])
    await made.start()
    return made


@pytest.mark.parametrize("cls", found.stores(), ids=lambda cls: cls.__name__)
def test_it_takes_what_the_protocol_says(cls: type) -> None:
    assert found.same_signatures(cls, Store)


async def test_a_partition_never_seen_starts_where_kafka_starts_and_stays_there(feed: Feed) -> None:
    assert await feed.start(partition=7, first_offset=40) == Position(40, NO_WATERMARK_US)
    assert await feed.start(partition=7, first_offset=90) == Position(40, NO_WATERMARK_US)


async def test_a_delivery_stores_rows_windows_and_offset(feed: Feed, backing: StoreBacking) -> None:
    times = [START_US, START_US + MINUTE_US]
    of = batch(
        feed.meter(), times, consumption_kwh=[0.25, 0.5], voltage=[230.0, None], phase="L1", sequence=[2**62, None]
    )
    stored = await feed.write(of)
    assert stored.fresh.tolist() == [True, True]
    assert not stored.conflicting.any()
    kept = backing.readings(feed.prefix)
    assert [row["consumption_kwh"] for _, row in sorted(kept.items())] == [0.25, 0.5]
    assert kept[feed.meter(), START_US] == {
        name: of.column(name)[0].as_py()
        for name in of.layout.schema.names
        if name not in ("meter_number", "reading_time")
    }
    assert backing.windows(feed.group_id)[900, START_US] == {
        "readings": 2, "meters": 1, "hour_meters": 1, "day_meters": 1, "normal": 2, "warnings": 0, "anomalies": 0,
        "missing": 0, "rejected": 0, "energy_uwh": 750_000_000, "export_uwh": 0, "reactive_uvarh": 0,
        "power_factor_count": 0, "power_factor_ppm": 0, "demand_peak_kw": None, "demand_peak_us": None,
        "voltage_count": 1, "voltage_outside": 0, "voltage_sum_mv": 230_000, "voltage_min": 230.0, "voltage_max": 230.0,
        "restating": 0,
    }  # fmt: skip
    assert await feed.start() == Position(1, START_US)
    assert backing.account(feed.topic, "life-1", 0) == {
        "next_offset": 1, "readings": 2, "stored": 2, "duplicates": 0, "rejected": 0, "lost": 0,
    }  # fmt: skip


async def test_where_records_come_from_is_kept_where_it_changes(feed: Feed) -> None:
    assert (await feed.start()).source is None
    for expected, runs in enumerate([((0, ""),), ((1, "hes"), (2, "shop")), ()]):
        delivery = feed.delivery(await feed.rows(ReadingBatch.empty()), (0, expected, expected + 1))
        after = "shop" if expected else ""
        delivery.progress[0] = replace(delivery.progress[0], source=after, sources=runs)
        await feed.store.write(delivery, nothing)
        assert await feed.start() == delivery.progress[0].after == Position(expected + 1, START_US, after)


async def test_a_delivery_without_rows_moves_the_offset(feed: Feed) -> None:
    await feed.write(ReadingBatch.empty())
    assert (await feed.start()).next_offset == 1


async def test_the_same_reading_again_changes_nothing(feed: Feed, backing: StoreBacking) -> None:
    of = batch([feed.meter(n) for n in "ABC"], START_US, consumption_kwh=[1.0, 2.0, None], voltage=[230.0, None, 231.0])
    await feed.write(of)
    before = backing.readings(feed.prefix), backing.windows(feed.group_id)
    for expected in range(1, 25):  # often enough for every way that a store has of writing
        stored = await feed.write(of, expected)
        assert not stored.fresh.any()
        assert not stored.conflicting.any()
        assert stored.rejected == []
    assert (backing.readings(feed.prefix), backing.windows(feed.group_id)) == before
    account = backing.account(feed.topic, "life-1", 0)
    assert (account["stored"], account["duplicates"]) == (3, 72)


async def test_a_topic_that_was_made_again_repeats_offsets_and_still_nothing_counts_twice(
    feed: Feed, backing: StoreBacking
) -> None:
    of = batch([feed.meter("A"), feed.meter("B")], START_US, consumption_kwh=1.0)
    await feed.write(of)
    before = backing.windows(feed.group_id)
    again = replace(feed, life="life-2")
    await again.start()
    # The very same place: partition 0, offset 0, and the same arrival.
    stored = await again.write(of)
    assert stored.fresh.tolist() == [False, False]
    assert backing.windows(feed.group_id) == before
    assert backing.account(feed.topic, "life-2", 0)["duplicates"] == 2


async def test_the_first_value_stays_and_another_one_is_reported(feed: Feed, backing: StoreBacking) -> None:
    first = batch(feed.meter(), [START_US, START_US + 1, START_US + 2], consumption_kwh=1.0, voltage=230.0)
    other = batch(feed.meter(), [START_US, START_US + 1, START_US + 3], consumption_kwh=[1.0, 7.0, 1.0], voltage=230.0)
    await feed.write(first)
    before = backing.windows(feed.group_id)[900, START_US]["energy_uwh"]
    stored = await feed.write(other, 1)
    assert stored.fresh.tolist() == [False, False, True]
    assert stored.conflicting.tolist() == [False, True, False]
    (rejected,) = stored.rejected
    assert (rejected.reason, rejected.meter_number) == (Reason.CONFLICTING_DUPLICATE, feed.meter())
    assert b'"consumption_kwh":7' in rejected.original()
    assert backing.readings(feed.prefix)[feed.meter(), START_US + 1]["consumption_kwh"] == 1.0
    assert backing.windows(feed.group_id)[900, START_US]["energy_uwh"] == before + 10**9
    account = backing.account(feed.topic, "life-1", 0)
    assert (account["stored"], account["duplicates"], account["rejected"]) == (4, 1, 1)


@pytest.mark.parametrize(
    "change",
    [{"voltage": None}, {"voltage": 231.0}, {"phase": "L2"}, {"phase": None}, {"sequence": [6]}, {"export_kwh": 0.0}],
    ids=str,
)
async def test_any_other_value_is_a_conflict_null_included(feed: Feed, change: dict[str, Any]) -> None:
    values: dict[str, Any] = {"consumption_kwh": 1.0, "voltage": 230.0, "phase": "L1", "sequence": [5]}
    await feed.write(batch(feed.meter(), [START_US], **values))
    changed = {name: value if isinstance(value, list) else [value] for name, value in (values | change).items()}
    stored = await feed.write(batch(feed.meter(), [START_US], **changed), 1)
    assert stored.conflicting.tolist() == [True]


async def test_repeats_within_one_delivery_are_judged_as_if_they_had_come_one_by_one(
    feed: Feed, backing: StoreBacking
) -> None:
    uses = [1.0, 1.0, 2.0, 1.0, 2.0, 3.0]
    of = batch(feed.meter(), [START_US] * 5 + [START_US + 1], consumption_kwh=uses, phase=["L1"] * 6)
    for expected in (0, 1):  # all new, then all there
        stored = await feed.write(of, expected)
        assert stored.fresh.tolist() == [expected == 0, False, False, False, False, expected == 0]
        assert stored.conflicting.tolist() == [False, False, True, False, True, False]
    assert [row["consumption_kwh"] for row in backing.readings(feed.prefix).values()] == [1.0, 3.0]
    assert backing.windows(feed.group_id)[900, START_US]["energy_uwh"] == 4 * 10**9
    account = backing.account(feed.topic, "life-1", 0)
    assert (account["readings"], account["stored"], account["duplicates"], account["rejected"]) == (12, 2, 6, 4)


async def test_one_reading_in_two_partitions_of_one_delivery_is_stored_once(feed: Feed, backing: StoreBacking) -> None:
    await feed.start(1)
    of = batch(feed.meter(), [START_US, START_US, START_US + 1], consumption_kwh=[1.0, 1.0, 2.0])
    delivery = feed.delivery(replace(await feed.rows(of), partition=np.array([0, 1, 1])), (0, 0, 1), (1, 0, 1))
    stored = await feed.store.write(delivery, nothing)
    assert stored.fresh.tolist() == [True, False, True]
    assert backing.windows(feed.group_id)[900, START_US]["energy_uwh"] == 3 * 10**9


async def test_the_first_of_two_that_differ_in_one_delivery_is_the_one_that_stays(
    feed: Feed, backing: StoreBacking
) -> None:
    await feed.start(1)
    of = batch(feed.meter(), [START_US] * 2, consumption_kwh=[1.0, 2.0], phase=[None, "a longer layout"])
    delivery = feed.delivery(replace(await feed.rows(of), partition=np.array([0, 1])), (0, 0, 1), (1, 0, 1))
    stored = await feed.store.write(delivery, nothing)
    assert (stored.fresh.tolist(), stored.conflicting.tolist()) == ([True, False], [False, True])
    assert backing.readings(feed.prefix)[feed.meter(), START_US]["consumption_kwh"] == 1.0


async def test_a_delivery_from_an_offset_that_another_worker_has_passed_is_refused(
    feed: Feed, connect: Callable[[], Store], backing: StoreBacking
) -> None:
    other = replace(feed, store=connect())
    await other.write(batch(feed.meter(), START_US, consumption_kwh=1.0))
    with pytest.raises(OffsetConflict) as conflict:
        await feed.write(batch(feed.meter(), START_US + 1, consumption_kwh=1.0))
    assert (conflict.value.expected, conflict.value.stored) == (0, 1)
    assert list(backing.readings(feed.prefix)) == [(feed.meter(), START_US)]


async def test_a_delivery_of_a_partition_nobody_knows_is_refused(feed: Feed) -> None:
    of = await feed.rows(batch(feed.meter(), START_US), partition=9)
    with pytest.raises(OffsetConflict):
        await feed.store.write(feed.delivery(of, (9, 0, 1)), nothing)


async def test_of_two_workers_with_the_same_records_one_delivers_and_one_is_told(
    feed: Feed, connect: Callable[[], Store], backing: StoreBacking
) -> None:
    others = [replace(feed, store=connect()) for _ in range(3)]
    of = batch(feed.meter(), [START_US, START_US + 1], consumption_kwh=1.0)
    results = await asyncio.gather(*(other.write(of) for other in others), return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["OffsetConflict", "OffsetConflict", "Stored"]
    assert backing.windows(feed.group_id)[900, START_US]["readings"] == 2


async def test_partitions_of_different_workers_meet_in_the_same_window(
    feed: Feed, connect: Callable[[], Store], backing: StoreBacking
) -> None:
    other = replace(feed, store=connect())
    for partition in (1, 2):
        await feed.start(partition)

    async def write(via: Feed, partition: int, name: str) -> None:
        of = await via.rows(batch(via.meter(name), START_US, consumption_kwh=1.0), partition=partition)
        await via.store.write(via.delivery(of, (partition, 0, 1)), nothing)

    await asyncio.gather(write(feed, 1, "A"), write(other, 2, "B"))
    assert backing.windows(feed.group_id)[60, START_US]["energy_uwh"] == 2 * 10**9


class Trouble(Exception):
    """Something else than what a store raises."""


@pytest.mark.parametrize("error", [ServiceUnavailable("kafka", "no ack"), Trouble("bug")], ids=["outage", "bug"])
async def test_a_failure_before_the_commit_leaves_nothing_and_the_next_write_works(
    feed: Feed, backing: StoreBacking, error: Exception
) -> None:
    async def fail(_: Stored) -> None:
        raise error

    delivery = feed.delivery(await feed.rows(batch(feed.meter(), START_US, consumption_kwh=1.0)))
    with pytest.raises(type(error)):
        await feed.store.write(delivery, fail)
    assert backing.readings(feed.prefix) == {}
    assert backing.windows(feed.group_id) == {}
    assert (await feed.start()).next_offset == 0
    await feed.store.write(delivery, nothing)
    assert len(backing.readings(feed.prefix)) == 1


async def test_a_write_that_is_cancelled_leaves_nothing_and_the_next_one_works(
    feed: Feed, backing: StoreBacking
) -> None:
    reached = asyncio.Event()

    async def hang(_: Stored) -> None:
        reached.set()
        await asyncio.sleep(60)

    delivery = feed.delivery(await feed.rows(batch(feed.meter(), START_US, consumption_kwh=1.0)))
    task = asyncio.create_task(feed.store.write(delivery, hang))
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert backing.readings(feed.prefix) == {}
    await feed.store.write(delivery, nothing)
    assert len(backing.readings(feed.prefix)) == 1


async def test_the_verdict_is_known_before_the_commit_and_nothing_is_visible_yet(
    feed: Feed, backing: StoreBacking
) -> None:
    seen: list[tuple[list[bool], int]] = []

    async def look(stored: Stored) -> None:
        seen.append((stored.fresh.tolist(), len(backing.readings(feed.prefix))))

    await feed.store.write(feed.delivery(await feed.rows(batch(feed.meter(), START_US))), look)
    assert seen == [([True], 0)]


def some_alerts() -> list[Alert]:
    life, judgement = judged([1.0] * 100 + [50.0])
    return [
        alert.model_copy(update={"alert_id": unique("alert")})
        for alert in raise_alerts(life, judgement, life.time_us, judgement.in_order)
    ]


async def test_alerts_are_kept_once(feed: Feed, backing: StoreBacking) -> None:
    alerts = some_alerts()
    empty = await feed.rows(ReadingBatch.empty())
    for expected in (0, 1):
        await feed.store.write(feed.delivery(empty, (0, expected, expected + 1), alerts=alerts), nothing)
    assert {alert.alert_id for alert in alerts} <= backing.alerts()


async def test_alerts_that_no_row_has_shown_are_kept_once(feed: Feed, backing: StoreBacking) -> None:
    alerts = some_alerts()
    for _ in range(2):
        await feed.store.keep_alerts(alerts)
    assert {alert.alert_id for alert in alerts} <= backing.alerts()


async def test_rejects_are_kept_once_and_the_first_stays(store: Store, backing: StoreBacking) -> None:
    mark = unique("bad").encode()
    items = [
        Rejected.of(mark + data, Reason.NOT_JSON, "why", source="mqtt:x", rejected_at=instant_of(START_US))
        for data in (b"plain", b"\xff\0", "ü\\\"'".encode(), b"x" * 9_000, b"plain")
    ]
    await store.keep_rejected(items)
    await store.keep_rejected(items)
    await store.keep_rejected([])
    assert {item.reject_id: str(item.reason) for item in items}.items() <= backing.rejected().items()
    assert len({item.reject_id for item in items}) == 4


async def test_meters_keep_their_numbers_whoever_asks(store: Store, connect: Callable[[], Store]) -> None:
    prefix = unique("m")
    names = [prefix + name for name in ("b", "a", "b", "ü", 'q"uote', "back\\slash", "x" * 30)]
    first, groups = await store.resolve(names)
    second, _ = await connect().resolve(list(reversed(names)))
    assert first.tolist() == second.tolist()[::-1]
    assert len(set(first.tolist())) == 6
    assert (first > 0).all()
    assert groups.tolist() == [0] * 7
    nobody, _ = await store.resolve([])
    assert nobody.tolist() == []


async def test_many_workers_may_meet_the_same_new_meters_at_once(connect: Callable[[], Store]) -> None:
    prefix = unique("m")
    names = [f"{prefix}{k}" for k in range(200)]
    answers = await asyncio.gather(*(connect().resolve(names[::way]) for way in (1, -1, 1, -1)))
    assert len({tuple(sorted(meter_ids.tolist())) for meter_ids, _ in answers}) == 1


async def test_class_and_status_are_what_the_registry_says(store: Store) -> None:
    prefix = unique("m")
    entries = [("a", "residential", "active"), ("b", "lighthouse", "removed"), ("c", None, "active")]
    await store.register(
        [
            RegistryEntry.model_validate({"meter_number": prefix + name, "class": kind, "status": status})
            for name, kind, status in entries
        ]
    )
    names = [prefix + name for name in "abcd"]
    await store.resolve(names)
    classes, statuses = await store.standing(names)
    assert classes.tolist() == [CLASSES.index("residential"), 0, 0, 0]
    assert statuses.tolist() == [ACTIVE, INACTIVE, ACTIVE, UNREGISTERED]


async def test_the_newest_entry_of_the_registry_counts(store: Store) -> None:
    meter, first, second = unique("m"), unique("t"), unique("t")
    await store.register([RegistryEntry(meter_number=meter, transformer=first, feeder="F1")])
    _, before = await store.resolve([meter])
    moves = [RegistryEntry(meter_number=meter, transformer=name) for name in (second, first, second)]
    await store.register(moves)
    _, after = await store.resolve([meter])
    await store.register([RegistryEntry(meter_number=meter)])
    _, nowhere = await store.resolve([meter])
    assert before[0] != after[0] != 0
    assert nowhere.tolist() == [0]


async def test_what_was_closed_never_before_open_can_be_closed_and_opened_again(connect: Callable[[], Store]) -> None:
    one = connect()
    await one.open()
    await one.close()
    await one.open()


async def test_why_a_reading_is_worth_watching_is_kept_with_it_once(feed: Feed, backing: StoreBacking) -> None:
    said = Explanation("high_consumption", 1.5, 0.25, "kWh", "spike 0.97, level_rise 0.71")
    of = await feed.rows(batch(feed.meter(), [START_US, START_US + MINUTE_US], consumption_kwh=[9.0, 1.0]))
    of.why[0] = said
    await feed.store.write(feed.delivery(of), nothing)
    key = (feed.meter(), START_US)
    assert backing.why(feed.prefix) == {key: said}
    # What contradicts a stored reading is not stored, and neither is what is said of it.
    again = await feed.rows(batch(feed.meter(), [START_US, START_US + MINUTE_US], consumption_kwh=[9.0, 8.0]), offset=1)
    again.why[1] = Explanation("level_shift", 1.0, 0.5, "kWh", "level_rise 0.90")
    await feed.store.write(feed.delivery(again, (0, 1, 2)), nothing)
    assert backing.why(feed.prefix) == {key: said}
