"""Bursts are collected within their bounds, and acknowledged only after Kafka has all that came of them."""

import threading
import time
from collections.abc import Callable
from typing import Any

import orjson
from prometheus_client import CollectorRegistry

from stream.bridge import batcher as module
from stream.bridge.batcher import Batcher, Burst
from stream.bridge.inflight import Batch, InFlight
from stream.bridge.kafka import Stopped
from stream.bridge.packets import Messages
from stream.bridge.records import Record
from stream.metrics import BridgeMetrics
from stream.settings import BridgeSettings


class ScriptedKafka:
    """Keeps records and answers when it is told to."""

    def __init__(self) -> None:
        self.sent: list[Record] = []
        self.answers: list[Callable[[], None]] = []
        self.stopped = False

    def send(self, record: Record, delivered: Callable[[], None]) -> None:
        if self.stopped:
            raise Stopped
        self.sent.append(record)
        self.answers.append(delivered)


class Rig:
    """A batcher between lists."""

    def __init__(self, **settings: Any) -> None:
        self.kafka = ScriptedKafka()
        self.registry = CollectorRegistry()
        self.in_flight = InFlight(1_000, 10**9)
        self.acknowledged: list[Batch] = []
        self.batcher = Batcher(
            BridgeSettings(**{"linger_ms": 20.0, **settings}),
            lambda: {"meters.raw": 4, "market.raw": 4},
            self.kafka,  # type: ignore[arg-type]
            self.in_flight,
            self.acknowledged.extend,
            BridgeMetrics(self.registry),
        )

    def put(self, *packet_ids: int, generation: int = 1, payload: bytes | None = None) -> None:
        count = len(packet_ids)
        payloads = [
            payload
            if payload is not None
            else orjson.dumps({"meter_number": f"M{number}", "reading_time": "2025-01-01T00:00:00Z"})
            for number in packet_ids
        ]
        size = sum(len(one) for one in payloads)
        messages = Messages(list(packet_ids), [b"meters/M/reading"] * count, payloads, [None] * count, size)
        self.in_flight.take(count, size)
        self.batcher.put(Burst(generation, time.time(), messages))

    def run(self) -> None:
        self.batcher.finish()
        self.batcher.run()


def test_bursts_within_the_linger_become_one_batch() -> None:
    rig = Rig()
    rig.put(1, 2)
    rig.put(3)
    batch, messages = rig.batcher.collect() or (None, None)
    assert batch is not None
    assert messages is not None
    assert (batch.packet_ids, batch.messages, batch.size) == ([1, 2, 3], 3, messages.size)


def test_a_full_batch_does_not_wait() -> None:
    rig = Rig(linger_ms=60_000.0, max_batch_messages=2)
    rig.put(1, 2)
    rig.put(3)
    first = rig.batcher.collect()
    assert first is not None
    assert first[0].packet_ids == [1, 2]


def test_a_batch_is_bounded_by_bytes(monkeypatch: Any) -> None:
    monkeypatch.setattr(module, "MAX_BATCH_BYTES", 100)
    rig = Rig(linger_ms=60_000.0)
    rig.put(1, payload=b"x" * 99)
    rig.put(2, payload=b"x" * 2)
    rig.put(3)
    first = rig.batcher.collect()
    assert first is not None
    assert first[0].packet_ids == [1, 2]


def test_a_quiet_feed_does_not_wait_for_the_whole_linger() -> None:
    rig = Rig(linger_ms=2_000.0)
    rig.put(1)
    began = time.monotonic()
    assert rig.batcher.collect() is not None
    assert time.monotonic() - began < 1.0


def test_a_trickle_is_collected_until_the_linger_is_over() -> None:
    rig = Rig(linger_ms=150.0)
    rig.put(1)
    ended = threading.Event()

    def trickle() -> None:
        number = 1
        while not ended.wait(0.005):
            number += 1
            rig.put(number)

    feeder = threading.Thread(target=trickle)
    feeder.start()
    began = time.monotonic()
    collected = rig.batcher.collect()
    took_s = time.monotonic() - began
    ended.set()
    feeder.join()
    assert collected is not None
    assert collected[0].messages > 1
    assert took_s < 1.0


def test_messages_of_two_connections_never_share_a_batch() -> None:
    rig = Rig()
    rig.put(1, 2, generation=1)
    rig.put(1, generation=2)
    rig.batcher.finish()
    found = [rig.batcher.collect(), rig.batcher.collect(), rig.batcher.collect()]
    assert [(one[0].generation, one[0].packet_ids) if one else None for one in found] == [(1, [1, 2]), (2, [1]), None]


def test_messages_without_acknowledgement_are_counted_but_not_acknowledged() -> None:
    rig = Rig()
    rig.put(0, 5, 0)
    collected = rig.batcher.collect()
    assert collected is not None
    assert (collected[0].packet_ids, collected[0].messages) == ([5], 3)


def test_nothing_is_acknowledged_before_kafka_has_every_record_of_the_batch() -> None:
    rig = Rig()
    rig.put(*range(1, 40))
    rig.put(99, payload=b"bad")
    rig.run()
    assert len(rig.kafka.sent) == 5  # four partitions and one reject

    for answer in rig.kafka.answers[:-1]:
        answer()
    assert rig.acknowledged == []
    rig.kafka.answers[-1]()
    assert [batch.packet_ids for batch in rig.acknowledged] == [[*range(1, 40), 99]]
    assert rig.in_flight.messages == 0


def test_batches_are_acknowledged_in_the_order_received_whatever_kafka_does() -> None:
    rig = Rig(max_batch_messages=1)
    for packet_id in (1, 2, 3):
        rig.put(packet_id)
    rig.run()
    for position in (2, 0, 1):
        rig.kafka.answers[position]()
    assert [batch.packet_ids for batch in rig.acknowledged] == [[1], [2], [3]]


def test_an_empty_array_is_acknowledged_without_a_record() -> None:
    rig = Rig()
    rig.put(1, payload=b"[]")
    rig.run()
    assert rig.kafka.sent == []
    assert [batch.packet_ids for batch in rig.acknowledged] == [[1]]


def test_a_stop_while_kafka_is_away_ends_the_batcher_and_acknowledges_nothing() -> None:
    rig = Rig()
    rig.put(1)
    rig.kafka.stopped = True
    rig.run()
    assert rig.acknowledged == []
    assert rig.in_flight.messages == 1


def test_what_went_through_is_counted() -> None:
    rig = Rig()
    rig.put(1, 2)
    rig.put(3, payload=b"bad")
    rig.run()
    value = rig.registry.get_sample_value
    assert value("meterstream_bridge_messages_total", {"feed": "meters"}) == 3
    assert value("meterstream_bridge_rows_total", {"feed": "meters"}) == 2
    assert value("meterstream_bridge_rejected_total", {"reason": "not_json"}) == 1
