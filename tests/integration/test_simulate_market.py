"""`meterstream simulate market` against real servers: all arrives where the bridge would put it, with the truth."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from confluent_kafka.admin import AdminClient

from processors.partition import partition_of
from schemas.codec import decode
from schemas.ticks import TickBatch
from simulators.labels import Label, read_labels
from stream.stack.endpoints import Endpoints
from stream.stack.stack import LocalStack
from stream.topics import bootstrap_servers
from tests.integration.test_simulate import everything, outcome

pytestmark = pytest.mark.integration

MARKETS = ["--markets", "aemo_nem,omie,eu_ets", "--start", "2026-03-04T08:00:00Z", "--profile", "showcase"]


def simulate(directory: Path, *words: str, **settings: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "stream.cli", "simulate", "market", *MARKETS, "--json", *words]
    environment = {**os.environ, "METERSTREAM_LOCAL_DIR": str(directory), **settings}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ticks_in_kafka(stack: Endpoints) -> tuple[TickBatch, list[int], int]:
    """All ticks of `market.raw`, the partition of each, and how many faults there were."""
    records = everything(stack, "market.raw")
    kinds = [record[3]["content-type"].decode() for record in records]
    decoded = decode([record[2] for record in records], kinds, TickBatch)
    return decoded.batch, [records[source][0] for source in decoded.source.tolist()], len(decoded.faults)


def test_kafka_gets_ticks_and_labels(own_stack: LocalStack, tmp_path: Path) -> None:
    stack = own_stack.endpoints()
    assert stack is not None
    file = tmp_path / "labels.parquet"
    words = ("--duration", "4h", "--speedup", "max", "--mode", "kafka", "--publishers", "2", "--labels", str(file))
    report = outcome(simulate(own_stack.directory, *words, "--hash"))
    batch, partitions, faults = ticks_in_kafka(stack)
    assert (len(batch), faults) == (report["ticks"], 0)
    assert report["ticks"] == report["acked"] > 4_000
    key = pc.binary_join_element_wise(batch.column("market"), batch.column("symbol"), "/")
    assert partition_of(pa.array(key), 8).tolist() == partitions
    labels = [Label.model_validate(orjson.loads(record[2])) for record in everything(stack, "simulator.labels")]
    by_id = sorted(labels, key=lambda label: label.label_id)
    assert by_id == sorted(read_labels(file), key=lambda label: label.label_id)
    assert len(labels) == report["labels"] > 10
    rehearsed = outcome(simulate(own_stack.directory, *words[:2], "--hash", "--dry-run"))
    assert (rehearsed["hash"], rehearsed["generated"]) == (report["hash"], report["ticks"])


@pytest.mark.parametrize("mode", ["mqtt-single", "mqtt-symbol"])
def test_all_ticks_go_through_the_bridge(own_stack: LocalStack, mode: str) -> None:
    stack = own_stack.endpoints()
    assert stack is not None
    environment = {**os.environ, "METERSTREAM_LOCAL_DIR": str(own_stack.directory)}
    bridge = subprocess.Popen(
        [sys.executable, "-m", "stream.cli", "run", "bridge"], env=environment, stderr=subprocess.DEVNULL
    )
    try:
        time.sleep(6)
        before = len(ticks_in_kafka(stack)[0]) if "market.raw" in topics(stack) else 0
        report = outcome(simulate(own_stack.directory, "--duration", "2h", "--speedup", "2400", "--mode", mode))
        assert report["ticks"] == report["acked"] > 2_000
        until = time.monotonic() + 30
        while time.monotonic() < until and len(ticks_in_kafka(stack)[0]) < before + report["ticks"]:
            time.sleep(0.5)
        batch, partitions, faults = ticks_in_kafka(stack)
        assert (len(batch) - before, faults) == (report["ticks"], 0)
        key = pc.binary_join_element_wise(batch.column("market"), batch.column("symbol"), "/")
        assert partition_of(pa.array(key), 8).tolist() == partitions
    finally:
        bridge.terminate()
        bridge.wait(30)


def topics(stack: Endpoints) -> set[str]:
    return set(AdminClient({"bootstrap.servers": bootstrap_servers(stack.kafka_url)}).list_topics(timeout=10).topics)


def test_an_interrupt_ends_in_order_with_the_labels_of_what_was_sent(local_stack: LocalStack, tmp_path: Path) -> None:
    file = tmp_path / "labels.parquet"
    words = ("--duration", "24h", "--speedup", "2400", "--no-kafka", "--labels", str(file))
    process = simulate(local_stack.directory, *words)
    time.sleep(14)
    process.send_signal(signal.SIGINT)
    report = outcome(process, code=130)
    assert report["stopped"]
    assert 0 < report["ticks"] == report["acked"]
    assert len(read_labels(file)) == report["labels"] < 40


def test_a_kafka_that_is_away_is_waited_for_and_nothing_is_left_out(own_stack: LocalStack) -> None:
    words = ("--duration", "4h", "--speedup", "1200", "--mode", "kafka", "--hash")
    endpoints = own_stack.wait_healthy()
    urls = {"METERSTREAM_KAFKA_URL": endpoints.kafka_url, "METERSTREAM_MQTT_URL": endpoints.mqtt_url}
    own_stack.hold("kafka")
    process = simulate(own_stack.directory, *words, **urls)
    time.sleep(12)
    assert process.poll() is None, process.communicate()[1]
    own_stack.release("kafka")
    own_stack.wait_healthy()
    report = outcome(process)
    rehearsed = outcome(simulate(own_stack.directory, *words[:2], "--hash", "--dry-run"))
    assert report["acked"] == report["ticks"] == rehearsed["generated"]
    assert report["hash"] == rehearsed["hash"]
