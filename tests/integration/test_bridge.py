"""The bridge between a real broker and a real Kafka: everything arrives, whatever is killed, stopped or malformed."""

import json
import os
import signal
import threading
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import orjson
import paho.mqtt.client as paho
import psutil
import pyarrow as pa
import pytest
from confluent_kafka import Consumer, TopicPartition
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from processors.partition import partition_of
from schemas import arrow_codec, topics
from schemas.codec import decode
from schemas.readings import ReadingBatch
from schemas.rejected import MAX_KEPT_BYTES, Rejected
from schemas.ticks import TickBatch
from stream.stack.endpoints import Endpoints
from stream.stack.stack import LocalStack
from stream.topics import bootstrap_servers, ensure_topics, partition_count
from tests.integration.processes import EngineProcess

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

WAIT_S = 60.0
Message = tuple[str, bytes] | tuple[str, bytes, str]


class Publisher:
    """A plain MQTT client, QoS 1."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        connected = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        self._client.on_connect = lambda *_: connected.set()
        self._client.connect(str(address.hostname), int(address.port or 0))
        self._client.loop_start()
        assert connected.wait(10)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def publish(self, messages: Iterable[Message], pause_s: float = 0.0) -> None:
        """Publish and wait until the broker has them all."""
        infos = []
        for topic, payload, *content_type in messages:
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            if content_type:
                properties.ContentType = content_type[0]
            infos.append(self._client.publish(topic, payload, qos=1, properties=properties))
            if pause_s:
                time.sleep(pause_s)
        for info in infos:
            info.wait_for_publish(WAIT_S)
            assert info.is_published()


class Tail:
    """What comes into a Kafka topic from now on."""

    def __init__(self, kafka_url: str, topic: str) -> None:
        self.records: list[Any] = []
        self._consumer = Consumer({"bootstrap.servers": bootstrap_servers(kafka_url), "group.id": "test"})
        count = partition_count(kafka_url, topic)
        ends = [
            TopicPartition(topic, number, self._consumer.get_watermark_offsets(TopicPartition(topic, number))[1])
            for number in range(count)
        ]
        self._consumer.assign(ends)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def read_until(self, enough: Callable[["Tail"], bool], timeout_s: float = WAIT_S) -> None:
        deadline = time.monotonic() + timeout_s
        while not enough(self):
            assert time.monotonic() < deadline, f"{len(self.records)} records, {self.rows(ReadingBatch).num_rows} rows"
            self.read(0.2)

    def read(self, for_s: float) -> None:
        """Read what comes within this time."""
        for message in self._consumer.consume(1_000, for_s):
            assert message.error() is None
            self.records.append(message)

    def rows(self, into: type[ReadingBatch] | type[TickBatch]) -> pa.RecordBatch:
        decoded = decode([one.value() for one in self.records], [topics.ARROW] * len(self.records), into)
        assert not decoded.faults
        return decoded.batch.records

    def identities(self, prefix: str) -> list[tuple[str, Any]]:
        """Return what came of the meters of one test: a broker may repeat what an earlier one saw acknowledged."""
        rows = self.rows(ReadingBatch)
        pairs = zip(rows["meter_number"].to_pylist(), rows["sequence"].to_pylist(), strict=True)
        return [pair for pair in pairs if pair[0].startswith(prefix)]

    def rejects(self) -> list[Rejected]:
        return [Rejected.model_validate_json(one.value()) for one in self.records]


def reading(meter: object, sequence: int = 0, **more: object) -> dict[str, object]:
    moment = f"2026-01-01T{sequence // 3600 % 24:02d}:{sequence // 60 % 60:02d}:{sequence % 60:02d}Z"
    return {"meter_number": meter, "reading_time": moment, "sequence": sequence, **more}


def singles(prefix: str, count: int) -> list[Message]:
    return [(f"meters/{prefix}-{n % 50}/reading", orjson.dumps(reading(f"{prefix}-{n % 50}", n))) for n in range(count)]


def sent(prefix: str, count: int) -> set[tuple[str, int]]:
    return {(f"{prefix}-{n % 50}", n) for n in range(count)}


def metric(local_dir: Path, name: str) -> float:
    """Return one metric of the only bridge that runs."""
    (note,) = (local_dir / "run").glob("bridge-[0-9]*.json")
    port = json.loads(note.read_text())["port"]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith((f"{name} ", f"{name}{{")))


@pytest.fixture(scope="module", autouse=True)
def ready_topics(stack: Endpoints) -> None:
    ensure_topics(stack.kafka_url, 8, 1)


@pytest.fixture
def bridge(local_stack: LocalStack, stack: Endpoints) -> Iterator[EngineProcess]:
    with EngineProcess("run bridge", local_stack.directory, METERSTREAM_BRIDGE__MAX_IN_FLIGHT="500") as process:
        process.wait_ready()
        yield process
    # A killed bridge cannot take its note away.
    for note in (local_stack.directory / "run").glob("bridge-[0-9]*.json"):
        note.unlink()


@pytest.fixture
def publisher(stack: Endpoints) -> Iterator[Publisher]:
    with Publisher(stack.mqtt_url) as made:
        yield made


def test_readings_arrive_in_their_partitions_with_equal_values(
    bridge: EngineProcess, stack: Endpoints, publisher: Publisher
) -> None:
    many = [reading(f"A-{n}", n, consumption_kwh=n / 8, voltage=230 + n / 1_000) for n in range(500)]
    arrow = decode([orjson.dumps([reading(f"B-{n}", n, demand_kw=n) for n in range(50)])], [None], ReadingBatch).batch
    with Tail(stack.kafka_url, "meters.raw") as tail:
        began_ms = time.time() * 1000
        publisher.publish(
            [
                ("meters/S-1/reading", orjson.dumps(reading("S-1", 7, consumption_kwh=0.125, phase="L1"))),
                ("meters/18446744073709551615/reading", orjson.dumps(reading(2**64 - 1, 8))),
                ("concentrators/c-1/readings", orjson.dumps(many)),
                ("concentrators/c-2/readings", arrow_codec.write(arrow), topics.ARROW),
            ]
        )
        tail.read_until(lambda seen: seen.rows(ReadingBatch).num_rows >= 552)
        rows = {(row["meter_number"], row["sequence"]): row for row in tail.rows(ReadingBatch).to_pylist()}
        assert len(rows) == tail.rows(ReadingBatch).num_rows == 552
        assert rows["S-1", 7]["consumption_kwh"] == 0.125
        assert rows["S-1", 7]["phase"] == "L1"
        assert rows["S-1", 7]["voltage"] is None
        assert ("18446744073709551615", 8) in rows
        for n in range(500):
            assert (rows[f"A-{n}", n]["consumption_kwh"], rows[f"A-{n}", n]["voltage"]) == (n / 8, 230 + n / 1_000)
        assert all(rows[f"B-{n}", n]["demand_kw"] == n for n in range(50))
        for record in tail.records:
            names = decode([record.value()], [topics.ARROW], ReadingBatch).batch.meter_number
            assert set(partition_of(names, 8).tolist()) == {record.partition()}
            assert record.headers() == [("content-type", topics.ARROW.encode())]
            assert began_ms - 1_000 <= record.timestamp()[1] <= time.time() * 1000 + 1_000


def test_ticks_arrive_in_the_partition_of_their_symbol(
    bridge: EngineProcess, stack: Endpoints, publisher: Publisher
) -> None:
    ticks = [
        {"market": "aemo_nem", "symbol": f"N{n}", "tick_time": "2026-01-01T00:05:00+10:00", "price": -n / 4}
        for n in range(30)
    ]
    with Tail(stack.kafka_url, "market.raw") as tail:
        publisher.publish([(f"market/aemo_nem/{tick['symbol']}/tick", orjson.dumps(tick)) for tick in ticks])
        tail.read_until(lambda seen: seen.rows(TickBatch).num_rows >= 30)
        assert {row["symbol"]: row["price"] for row in tail.rows(TickBatch).to_pylist()} == {
            tick["symbol"]: tick["price"] for tick in ticks
        }
        for record in tail.records:
            symbols = decode([record.value()], [topics.ARROW], TickBatch).batch.column("symbol").to_pylist()
            keys = pa.array([f"aemo_nem/{symbol}" for symbol in symbols])
            assert set(partition_of(keys, 8).tolist()) == {record.partition()}


ARROW_STREAM = arrow_codec.write(decode([orjson.dumps([reading("T")])], [None], ReadingBatch).batch)
BAD_MESSAGES: dict[str, Message] = {
    "not_json": ("meters/X/reading", b"{meter_number: X"),
    "not_json non-utf-8": ("meters/X/reading", b'{"meter_number": "\xff\xfe"}'),
    "wrong_shape": ("meters/X/reading", b'"just text"'),
    "bad_arrow truncated": ("concentrators/X/readings", ARROW_STREAM[: len(ARROW_STREAM) // 2], topics.ARROW),
    "wrong_type": ("meters/X/reading", orjson.dumps(reading("X", voltage="high"))),
    "not_finite nan": ("meters/X/reading", b'{"meter_number":"X","reading_time":"2026-01-01T00:00:00Z","voltage":NaN}'),
    "not_finite infinity": (
        "meters/X/reading",
        b'{"meter_number":"X","reading_time":"2026-01-01T00:00:00Z","demand_kw":-Infinity}',
    ),
    "missing_identity": ("meters/X/reading", b'{"reading_time":"2026-01-01T00:00:00Z"}'),
    "missing_time": ("meters/X/reading", b'{"meter_number":"X"}'),
    "bad_time without offset": ("meters/X/reading", b'{"meter_number":"X","reading_time":"2026-01-01T00:00:00"}'),
    "payload_too_large": ("meters/X/reading", b" " * 10_000_000),
    "unknown_topic": ("meters//reading", orjson.dumps(reading("X"))),
    "text_too_long": ("meters/X/reading", orjson.dumps(reading("X" * 1_000))),
    "unknown_content_type": ("meters/X/reading", b"<xml/>", "text/xml"),
}


def test_each_bad_message_becomes_one_reject_and_its_neighbours_go_through(
    bridge: EngineProcess, stack: Endpoints, publisher: Publisher
) -> None:
    messages: list[Message] = []
    for number, bad in enumerate(BAD_MESSAGES.values()):
        messages += [bad, ("meters/G/reading", orjson.dumps(reading("G", number)))]
    mixed = [reading("G", 100), {"meter_number": "mixed"}, reading("G", 101)]
    messages.append(("concentrators/c/readings", orjson.dumps(mixed)))
    with Tail(stack.kafka_url, "meters.raw") as good, Tail(stack.kafka_url, "meters.rejected") as bad_tail:
        publisher.publish(messages)
        good.read_until(lambda seen: seen.rows(ReadingBatch).num_rows >= len(BAD_MESSAGES) + 2)
        bad_tail.read_until(lambda seen: len(seen.records) >= len(BAD_MESSAGES) + 1)
        bad_tail.read(1.0)
        rejects = bad_tail.rejects()

        assert sorted(good.identities("G")) == [("G", n) for n in (*range(len(BAD_MESSAGES)), 100, 101)]
        assert len(rejects) == len(BAD_MESSAGES) + 1
        found = {(reject.reason.value, reject.source, reject.original(), reject.payload_bytes) for reject in rejects}
        expected = {
            (name.split()[0], f"mqtt:{topic}", payload[:MAX_KEPT_BYTES], len(payload))
            for name, (topic, payload, *_) in BAD_MESSAGES.items()
        }
        assert found - expected == {("missing_time", "mqtt:concentrators/c/readings", b'{"meter_number":"mixed"}', 24)}
        assert expected <= found
        assert all(
            record.key() == reject.reject_id.encode() for record, reject in zip(bad_tail.records, rejects, strict=True)
        )
    assert bridge.health()["in_flight_messages"] == 0


def test_a_killed_bridge_loses_nothing(bridge: EngineProcess, stack: Endpoints, publisher: Publisher) -> None:
    count = 12_000
    with Tail(stack.kafka_url, "meters.raw") as tail:
        publishing = threading.Thread(target=publisher.publish, args=(singles("K", count),))
        publishing.start()
        for share in (0.15, 0.4):
            tail.read_until(lambda seen, least=int(share * count): seen.rows(ReadingBatch).num_rows >= least)  # type: ignore[misc]
            bridge.kill()
            assert publishing.is_alive() or len(tail.identities("K")) < count
            bridge.start()
        publishing.join()
        tail.read_until(lambda seen: set(seen.identities("K")) == sent("K", count))


def test_the_broker_may_restart(
    bridge: EngineProcess, local_stack: LocalStack, stack: Endpoints, publisher: Publisher
) -> None:
    with Tail(stack.kafka_url, "meters.raw") as tail:
        publisher.publish(singles("R", 500))
        tail.read_until(lambda seen: set(seen.identities("R")) == sent("R", 500))
        local_stack.kill("mqtt")
        local_stack.wait_healthy()
        bridge.wait_ready()
        with Publisher(stack.mqtt_url) as again:
            again.publish(singles("R", 1_000))
        tail.read_until(lambda seen: set(seen.identities("R")) == sent("R", 1_000))


def test_while_kafka_stands_still_nothing_is_acknowledged_and_memory_stays(
    bridge: EngineProcess, local_stack: LocalStack, stack: Endpoints, publisher: Publisher
) -> None:
    kafka = local_stack.status().server("kafka").pid
    assert kafka is not None
    assert bridge._process is not None
    acknowledged = "meterstream_bridge_acknowledged_messages_total"
    padding = "x" * 20_000
    messages: list[Message] = [
        ("concentrators/c/readings", orjson.dumps([reading("P", n, note=padding)])) for n in range(3_000)
    ]
    with Tail(stack.kafka_url, "meters.raw") as tail:
        publisher.publish(messages[:100])
        tail.read_until(lambda seen: len(seen.identities("P")) >= 100)
        memory_before = psutil.Process(bridge._process.pid).memory_info().rss
        os.kill(kafka, signal.SIGSTOP)
        try:
            acknowledged_before = metric(local_stack.directory, acknowledged)
            publisher.publish(messages[100:])
            time.sleep(4)
            assert metric(local_stack.directory, acknowledged) == acknowledged_before == 100
            assert 0 < bridge.health()["in_flight_messages"] <= 500 + 100  # one burst may overshoot
            grown = psutil.Process(bridge._process.pid).memory_info().rss - memory_before
            assert grown < 64 * 1024 * 1024
        finally:
            os.kill(kafka, signal.SIGCONT)
        tail.read_until(lambda seen: len(set(seen.identities("P"))) == 3_000)
        assert metric(local_stack.directory, acknowledged) >= 3_000


def test_a_bridge_that_starts_without_kafka_waits_for_it(
    local_stack: LocalStack, stack: Endpoints, publisher: Publisher
) -> None:
    local_stack.hold("kafka")
    try:
        with EngineProcess("run bridge", local_stack.directory, METERSTREAM_KAFKA_URL=stack.kafka_url,
                           METERSTREAM_MQTT_URL=stack.mqtt_url) as bridge:  # fmt: skip
            wait_until(lambda: "kafka" in bridge.health().get("waiting_for", {}))
            publisher.publish(singles("W", 200))
            assert bridge.health()["ready"] is False
            local_stack.release("kafka")
            local_stack.wait_healthy()
            bridge.wait_ready()
            with Tail(stack.kafka_url, "meters.raw") as tail:
                tail._consumer.assign([TopicPartition("meters.raw", number, 0) for number in range(8)])
                tail.read_until(lambda seen: set(seen.identities("W")) == sent("W", 200))
    finally:
        local_stack.release("kafka")
        local_stack.wait_healthy()


def test_a_stop_is_clean_and_the_session_waits_for_the_next_bridge(
    bridge: EngineProcess, stack: Endpoints, publisher: Publisher, local_stack: LocalStack
) -> None:
    with Tail(stack.kafka_url, "meters.raw") as tail:
        publisher.publish(singles("Z", 300))
        wait_until(lambda: metric(local_stack.directory, "meterstream_bridge_acknowledged_messages_total") >= 300)
        assert bridge.stop() == 0
        assert not list((local_stack.directory / "run").glob("bridge-[0-9]*.json"))
        publisher.publish(singles("Y", 300))
        bridge.start()
        tail.read_until(lambda seen: set(seen.identities("Y")) == sent("Y", 300))
        assert set(tail.identities("Z")) == sent("Z", 300)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)
