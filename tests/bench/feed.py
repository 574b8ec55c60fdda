"""The job's readings into Kafka: single JSON, JSON arrays, or Arrow streams; each meter in its own partition."""

from collections.abc import Iterator
from enum import StrEnum

import numpy as np
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from processors.partition import partition_of
from schemas import arrow_codec, json_writer
from schemas.readings import ReadingBatch
from schemas.topics import ARROW, CONTENT_TYPE, JSON, TOPICS
from stream.topics import bootstrap_servers, ensure_topics
from tests.bench.spec import Load

PARTITIONS = 8
#: Readings per record where there are many: what a concentrator sends.
PER_RECORD = 500


class Shape(StrEnum):
    """What a record holds."""

    ARROW = "arrow"
    ARRAY = "json array"
    SINGLE = "single json"


def recreate(kafka_url: str) -> None:
    """Delete every topic of an earlier run and make the engine's anew, empty."""
    admin = AdminClient({"bootstrap.servers": bootstrap_servers(kafka_url), "log_level": 0})
    names = [name for name in admin.list_topics(timeout=10).topics if not name.startswith("__")]
    for name, gone in (admin.delete_topics(names, operation_timeout=30) if names else {}).items():
        try:
            gone.result()
        except KafkaException as failure:
            raise RuntimeError(f"topic {name} cannot be deleted: {failure.args[0].str()}") from failure
    ensure_topics(kafka_url, PARTITIONS, 1, TOPICS)


def add_topic(kafka_url: str, name: str, partitions: int = PARTITIONS) -> None:
    """Make one more topic."""
    admin = AdminClient({"bootstrap.servers": bootstrap_servers(kafka_url), "log_level": 0})
    admin.create_topics([NewTopic(name, num_partitions=partitions, replication_factor=1)])[name].result()


def length(kafka_url: str, name: str) -> int:
    """Return how many records a topic has ever had, 0 where there is no such topic."""
    consumer = Consumer({"bootstrap.servers": bootstrap_servers(kafka_url), "group.id": "bench-length", "log_level": 0})
    try:
        found = consumer.list_topics(name, timeout=10).topics[name].partitions
        return sum(consumer.get_watermark_offsets(TopicPartition(name, number), timeout=10)[1] for number in found)
    finally:
        consumer.close()


def records(load: Load, shape: Shape, per_record: int = PER_RECORD) -> Iterator[tuple[int, str, bytes, int]]:
    """Yield partition, key, value and readings of every record, in the order that they are sent."""
    names = load.names
    keys = names.to_pylist()
    partition = partition_of(names, PARTITIONS)
    members = [np.flatnonzero(partition == number) for number in range(PARTITIONS)]
    for tick in load.ticks():
        for number, rows in enumerate(members):
            for start in range(0, len(rows), per_record):
                chosen = rows[start : start + per_record]
                batch = tick.batch(names, chosen)
                if shape is Shape.SINGLE:
                    yield from (
                        (number, keys[row], line, 1)
                        for row, line in zip(chosen.tolist(), json_writer.write_rows(batch), strict=True)
                    )
                else:
                    yield number, f"concentrator-{number}", encoded(batch, shape), len(chosen)


def encoded(batch: ReadingBatch, shape: Shape) -> bytes:
    """Return many readings as one record."""
    return arrow_codec.write(batch) if shape is Shape.ARROW else json_writer.write_array(batch)


def content_type(shape: Shape) -> str:
    """Return what the header of a record says."""
    return ARROW if shape is Shape.ARROW else JSON


def produce(kafka_url: str, topic: str, load: Load, shape: Shape) -> int:
    """Fill a topic and wait until Kafka has all of it; return the bytes that it holds."""
    producer = Producer(
        {
            "bootstrap.servers": bootstrap_servers(kafka_url),
            # A batch sent again (the topic is new) must not come behind the next one.
            "enable.idempotence": True,
            "linger.ms": 20,
            "queue.buffering.max.messages": 1_000_000,
        }
    )
    headers: dict[str, str | bytes | None] = {CONTENT_TYPE: content_type(shape)}
    size = 0
    for partition, key, value, _ in records(load, shape):
        while True:
            try:
                producer.produce(topic, value, key=key, partition=partition, headers=headers)
                break
            except BufferError:
                producer.poll(0.1)
        size += len(value)
        producer.poll(0)
    if producer.flush(60):
        raise RuntimeError(f"Kafka did not take all of {topic}")
    return size
