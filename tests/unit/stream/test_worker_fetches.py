"""Whole fetches as messages, and how their records are cut into portions."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka import AIOKafkaConsumer
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer
from faust.types import TP

from schemas.topics import ARROW, CONTENT_TYPE, METERS_RAW
from stream.worker.fetches import Fetch, FetchConsumer
from stream.worker.intake import Record
from stream.worker.worker import portions

RAW, CHANGELOG = TP(METERS_RAW.name, 3), TP("meterstream-meter-state-changelog", 3)


def found(offset: int, value: bytes | None = b"{}", headers: tuple[tuple[str, bytes], ...] = ()) -> Any:
    return SimpleNamespace(
        topic=RAW.topic, partition=RAW.partition, offset=offset, key=None, value=value, headers=headers,
        timestamp=1_700_000_000_123, timestamp_type=0,
    )  # fmt: skip


def test_a_fetch_stands_where_its_last_record_does() -> None:
    fetch = Fetch([found(5), found(6, None), found(9, b"x", ((CONTENT_TYPE, ARROW.encode()),))])
    assert (fetch.topic, fetch.partition, fetch.offset) == (RAW.topic, RAW.partition, 9)
    assert fetch.value == (
        Record(5, b"{}", None, 1_700_000_000_123_000),
        Record(6, b"", None, 1_700_000_000_123_000),
        Record(9, b"x", ARROW, 1_700_000_000_123_000),
    )


async def test_only_our_topics_come_as_fetches(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = {RAW: [found(1), found(2)], CHANGELOG: [found(1), found(2)], TP(METERS_RAW.name, 4): []}

    async def wait(_: Consumer, timeout: float) -> tuple[Any, Any]:  # noqa: ASYNC109 - Faust's signature
        return (answer, {RAW}) if timeout else (None, None)

    monkeypatch.setattr(Consumer, "_wait_next_records", wait)
    consumer = FetchConsumer.__new__(FetchConsumer)
    records, active = await consumer._wait_next_records(1.0)
    assert [len(items) for items in records.values()] == [1, 2, 0]
    assert active == {RAW}
    assert await consumer._wait_next_records(0.0) == ({}, None)


def test_no_fetch_waits_long_for_idle_partitions(monkeypatch: pytest.MonkeyPatch) -> None:
    made = SimpleNamespace(_fetch_max_wait_ms=1_500)
    monkeypatch.setattr(AIOKafkaConsumerThread, "_create_worker_consumer", lambda *_: made)
    consumer = FetchConsumer.__new__(FetchConsumer)
    monkeypatch.setattr(AIOKafkaConsumerThread, "__init__", lambda *_, **__: None)
    consumer.loop = consumer._beacon = None  # type: ignore[assignment]
    assert consumer._new_consumer_thread()._create_worker_consumer(cast("Any", None)) is made
    assert made._fetch_max_wait_ms <= 100
    assert "_fetch_max_wait_ms" in AIOKafkaConsumer.start.__code__.co_names  # that aiokafka still reads it then


def test_many_small_records_are_one_portion_and_few_large_ones_are_several() -> None:
    small = [(offset % 3, Record(offset, b"x" * 160, None, 0)) for offset in range(1_000)]
    assert [sum(map(len, portion.values())) for _, portion in portions(small, 400, 1)] == [400, 400, 200]
    large = [(0, Record(offset, b"x" * 32_000, ARROW, 0)) for offset in range(5)]
    assert [len(portion[0]) for _, portion in portions(large, 400, 1)] == [2, 2, 1]
    assert list(portions([], 400, 2)) == []


@pytest.mark.parametrize("shares", [1, 2, 3])
def test_portions_keep_order_and_lose_nothing(shares: int) -> None:
    records = [(offset % 2, Record(offset, b"x" * offset, None, 0)) for offset in range(500)]
    seen = [
        (partition, record.offset)
        for _, portion in portions(records, 37, shares)
        for partition, items in portion.items()
        for record in items
    ]
    for partition in (0, 1):
        assert [at for of, at in seen if of == partition] == list(range(partition, 500, 2))


def test_a_portion_is_of_one_share_of_the_partitions() -> None:
    records = [(offset % 5, Record(offset, b"x" * 160, None, 0)) for offset in range(1_000)]
    found = [(share, {partition % 2 for partition in portion}) for share, portion in portions(records, 100, 2)]
    assert all(partitions == {share} for share, partitions in found)
    assert [share for share, _ in found].count(1) == 4
