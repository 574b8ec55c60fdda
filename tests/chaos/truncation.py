"""Kafka drops records that were never stored: what is left must be stored, and what is not must be counted and told."""

import json
import time
from collections.abc import Iterator
from datetime import datetime
from itertools import chain

import psycopg
import pyarrow as pa
from confluent_kafka import Message, TopicPartition
from confluent_kafka.admin import AdminClient

from stream.topic_reader import TopicReader
from stream.topics import bootstrap_servers
from tests.chaos.field import Field
from tests.chaos.load import Row

_RAW = "meters.raw"
#: Every reading of a load has these; poison may have anything.
_NEEDED = ("meter_number", "reading_time", "consumption_kwh", "voltage")


def truncate(on: Field) -> None:
    """Take the worker away, let the load go to Kafka, drop a part of it, and bring the worker back."""
    on.pause(0.5, 3.0)
    on.crew.stop("worker-1")
    on.feeder.join(120)
    _wait_for_bridge(on)
    direct = on.servers.direct
    with psycopg.connect(direct.database_url, autocommit=True) as connection:
        stored = dict(
            connection.execute("SELECT partition, next_offset FROM stream_offsets WHERE topic = %s", (_RAW,)).fetchall()
        )
    cuts: dict[int, int] = {}
    with TopicReader(direct.kafka_url, _RAW) as reader:
        bounds = reader.bounds()
        for partition, span in bounds.items():
            first = stored.get(partition, 0)
            if span.end - first > 4 and (on.random.random() < 0.6 or not cuts):
                cuts[partition] = on.random.randrange(first + 1, span.end)
        messages = chain.from_iterable(reader.read(bounds))
        kept = [
            message
            for message in sorted(messages, key=lambda item: (item.partition(), item.offset()))
            if not stored.get(message.partition(), 0) <= message.offset() < cuts.get(message.partition(), 0)
        ]
    on.arrived = [row for message in kept for row in _rows(message)]
    on.lost_records = sum(cut - stored.get(partition, 0) for partition, cut in cuts.items())
    admin = AdminClient({"bootstrap.servers": bootstrap_servers(direct.kafka_url)})
    asked = [TopicPartition(_RAW, partition, cut) for partition, cut in cuts.items()]
    for answer in admin.delete_records(asked).values():
        answer.result(30)
    on.did.append(f"{on.lost_records} records dropped before they were stored")
    on.crew.start("worker-1")


def _wait_for_bridge(on: Field) -> None:
    deadline = time.monotonic() + 60
    while True:
        process = on.crew.processes().get("bridge-1")
        health = (process.health() if process else None) or {}
        if health.get("ready") and health.get("in_flight_messages") == 0:
            return
        assert time.monotonic() < deadline, f"the bridge does not come to rest: {health}"
        time.sleep(0.2)


def _rows(message: Message) -> Iterator[Row]:
    """Read a record as anybody could; what is no reading is passed over."""
    value = message.value() or b""
    if dict(message.headers() or []).get("content-type", b"").startswith(b"application/vnd.apache.arrow"):
        try:
            found = pa.ipc.open_stream(value).read_all().to_pylist()
        except (pa.ArrowInvalid, OSError):
            return
    else:
        try:
            document = json.loads(value)
        except (ValueError, RecursionError):
            return
        found = document if isinstance(document, list) else [document]
    for item in found:
        if isinstance(item, dict) and all(item.get(name) is not None for name in _NEEDED):
            moment = item.get("reading_time")
            if isinstance(moment, str):
                try:
                    moment = datetime.fromisoformat(moment)
                except ValueError:
                    continue
            if isinstance(moment, datetime):
                yield Row(item["meter_number"], moment, item["consumption_kwh"], item["voltage"], item.get("demand_kw"))
