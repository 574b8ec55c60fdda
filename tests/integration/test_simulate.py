"""`meterstream simulate meters` against real servers: all arrives, the truth is on its topics, Ctrl-C ends in order."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import paho.mqtt.client as paho
import pytest
from confluent_kafka import Consumer, TopicPartition
from paho.mqtt.enums import CallbackAPIVersion

from processors.partition import partition_of
from schemas.codec import decode
from schemas.readings import ReadingBatch
from schemas.registry import RegistryEntry
from simulators.labels import Label, read_labels
from simulators.mqtt import Address
from stream.stack.endpoints import Endpoints
from stream.stack.stack import LocalStack
from stream.topics import bootstrap_servers

pytestmark = pytest.mark.integration

FLEET = ["--meters", "300", "--start", "2026-03-04T00:00:00Z", "--profile", "showcase"]


def simulate(directory: Path, *words: str, **settings: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "stream.cli", "simulate", "meters", *FLEET, "--json", *words]
    environment = {**os.environ, "METERSTREAM_LOCAL_DIR": str(directory), **settings}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def outcome(process: "subprocess.Popen[str]", code: int = 0) -> dict[str, Any]:
    out, err = process.communicate(timeout=100)
    assert process.returncode == code, err
    found: dict[str, Any] = json.loads(out)
    return found


def everything(stack: Endpoints, topic: str) -> list[tuple[int, bytes | None, bytes, dict[str, bytes]]]:
    """Read a topic from its beginning to its present end: partition, key, value, headers."""
    consumer = Consumer({"bootstrap.servers": bootstrap_servers(stack.kafka_url), "group.id": "t", "log_level": 0})
    found = []
    try:
        for number in consumer.list_topics(topic, timeout=10).topics[topic].partitions:
            low, high = consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=10)
            consumer.assign([TopicPartition(topic, number, low)])
            while low < high:
                message = consumer.poll(10)
                assert message is not None
                assert message.error() is None
                low = message.offset() + 1
                headers = dict(message.headers() or [])
                found.append((number, message.key(), message.value(), headers))
    finally:
        consumer.close()
    return found


class Listener:
    """Counts the readings and the garbage that arrive under a topic filter."""

    def __init__(self, stack: Endpoints, topics: str) -> None:
        address = Address.from_url(stack.mqtt_url)
        self.readings = Counter[tuple[str, str]]()
        self.garbage = 0
        self._ready = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = self._count
        self._client.connect(address.host, address.port)
        self._client.subscribe(topics, 1)
        self._client.loop_start()
        assert self._ready.wait(10)

    def _count(self, _client: Any, _data: Any, message: paho.MQTTMessage) -> None:
        found = decode([message.payload], [None], ReadingBatch)
        self.garbage += bool(found.faults)
        names, times = found.batch.meter_number.to_pylist(), found.batch.time_us.tolist()
        self.readings.update(zip(names, map(str, times), strict=True))

    def wait_for(self, readings: int, garbage: int) -> None:
        until = time.monotonic() + 20
        while time.monotonic() < until and (self.readings.total(), self.garbage) != (readings, garbage):
            time.sleep(0.05)
        self._client.loop_stop()
        self._client.disconnect()
        assert (self.readings.total(), self.garbage) == (readings, garbage)


@pytest.mark.parametrize(
    ("mode", "publishers", "topics"),
    [("mqtt-single", 2, "meters/+/reading"), ("mqtt-concentrator", 1, "concentrators/+/readings")],
)
def test_all_that_is_generated_arrives_over_mqtt(
    local_stack: LocalStack, stack: Endpoints, mode: str, publishers: int, topics: str
) -> None:
    listener = Listener(stack, topics)
    words = ("--duration", "3h", "--speedup", "max", "--mode", mode, "--publishers", str(publishers), "--no-kafka")
    report = outcome(simulate(local_stack.directory, *words))
    assert report["readings"] == report["acked"] > 3_000
    listener.wait_for(report["readings"], report["garbage_messages"])


def test_kafka_gets_readings_registry_and_labels(own_stack: LocalStack, tmp_path: Path) -> None:
    stack = own_stack.endpoints()
    assert stack is not None
    file = tmp_path / "labels.parquet"
    words = ("--duration", "3h", "--speedup", "max", "--mode", "kafka", "--transformer-meters", "--labels", str(file))
    report = outcome(simulate(own_stack.directory, *words))
    records = everything(stack, "meters.raw")
    decoded = decode(
        [record[2] for record in records], [record[3]["content-type"].decode() for record in records], ReadingBatch
    )
    assert len(decoded.batch) == report["readings"] == report["acked"]
    assert len(decoded.faults) == report["garbage_messages"] > 0
    partitions = [records[source][0] for source in decoded.source.tolist()]
    count = max(partitions) + 1
    assert partition_of(decoded.batch.meter_number, count).tolist() == partitions
    registry = [RegistryEntry.model_validate_json(record[2]) for record in everything(stack, "meters.registry")]
    assert len(registry) == report["registered"] == 300 + len({entry.transformer for entry in registry})
    labels = [Label.model_validate(orjson.loads(record[2])) for record in everything(stack, "simulator.labels")]
    assert sorted(labels, key=lambda label: label.label_id) == sorted(
        read_labels(file), key=lambda label: label.label_id
    )
    assert len(labels) == report["labels"] > 100


def test_the_schedule_is_kept(local_stack: LocalStack) -> None:
    words = ("--duration", "2h", "--speedup", "1200", "--no-kafka", "--profile", "clean")
    report = outcome(simulate(local_stack.directory, *words))
    # Two hours at this speed are six seconds; the first readings come with the first quarter hour.
    assert 5.9 < report["seconds"] < 12
    assert report["slip_p50_ms"] < 500


def test_an_interrupt_ends_in_order_with_the_labels_of_what_was_sent(local_stack: LocalStack, tmp_path: Path) -> None:
    file = tmp_path / "labels.parquet"
    words = ("--duration", "24h", "--speedup", "2400", "--no-kafka", "--publishers", "2", "--labels", str(file))
    process = simulate(local_stack.directory, *words)
    time.sleep(14)
    process.send_signal(signal.SIGINT)
    report = outcome(process, code=130)
    assert report["stopped"]
    assert report["readings"] == report["acked"] < 300 * 96
    labels = read_labels(file)
    assert len(labels) == report["labels"] < 170


def test_two_runs_of_one_seed_send_the_same(local_stack: LocalStack) -> None:
    common = ("--duration", "2h", "--speedup", "max", "--no-kafka", "--hash")
    one = outcome(simulate(local_stack.directory, *common, "--publishers", "1"))
    three = outcome(simulate(local_stack.directory, *common, "--publishers", "3"))
    rehearsed = outcome(simulate(local_stack.directory, *common, "--dry-run"))
    other = outcome(simulate(local_stack.directory, *common, "--dry-run", "--seed", "8"))
    assert one["hash"] == three["hash"] == rehearsed["hash"] != other["hash"]


def test_without_a_stack_it_says_what_to_do(tmp_path: Path) -> None:
    process = simulate(tmp_path, "--no-kafka")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "meterstream stack up" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("mode", ["mqtt-concentrator", "kafka"])
def test_a_broker_that_is_away_is_waited_for_and_nothing_is_left_out(
    own_stack: LocalStack, tmp_path: Path, mode: str
) -> None:
    server = "kafka" if mode == "kafka" else "mqtt"
    words = ("--duration", "6h", "--speedup", "1800", "--mode", mode, "--hash", "--labels", str(tmp_path / "l.parquet"))
    # The local stack names its servers only while all of them are up.
    endpoints = own_stack.wait_healthy()
    urls = {"METERSTREAM_KAFKA_URL": endpoints.kafka_url, "METERSTREAM_MQTT_URL": endpoints.mqtt_url}
    own_stack.hold(server)
    process = simulate(own_stack.directory, *words, **urls)
    time.sleep(12)
    assert process.poll() is None, process.communicate()[1]
    own_stack.release(server)
    own_stack.wait_healthy()
    report = outcome(process)
    rehearsed = outcome(simulate(own_stack.directory, *words[:6], "--hash", "--dry-run"))
    assert report["acked"] == report["readings"] == rehearsed["generated"]
    assert report["hash"] == rehearsed["hash"]
