"""What a worker makes sure of before it starts."""

import uuid
from collections.abc import Iterator

import psycopg
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from schemas.errors import DatabaseBehind
from sinks.migrations import migrate
from stream.stack.endpoints import Endpoints
from stream.topics import bootstrap_servers
from stream.worker.preflight import note_beginnings, rewind_to_database

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]


def test_records_that_kafka_drops_before_their_partition_was_ever_taken_from_are_missed(stack: Endpoints) -> None:
    """A partition without a note would begin at what Kafka still has, and nobody would know."""
    servers = {"bootstrap.servers": bootstrap_servers(stack.kafka_url)}
    admin, topic = AdminClient(servers), f"beginnings-{uuid.uuid4().hex[:8]}"
    admin.create_topics([NewTopic(topic, num_partitions=2, replication_factor=1)])[topic].result(30)
    migrate(stack.database_url)
    producer = Producer(servers)

    def noted() -> dict[int, int]:
        note_beginnings(stack.kafka_url, stack.database_url, topic, "life")
        with psycopg.connect(stack.database_url) as connection:
            found = connection.execute(
                "SELECT partition, next_offset FROM stream_offsets WHERE topic = %s AND topic_id = 'life'", (topic,)
            ).fetchall()
        return dict(found)

    def produce_and_drop(count: int) -> None:
        for _ in range(count):
            producer.produce(topic, b"{}", partition=1)
        producer.flush(30)
        admin.delete_records([TopicPartition(topic, 1, count - 1)])[TopicPartition(topic, 1)].result(30)

    try:
        assert noted() == {0: 0, 1: 0}
        produce_and_drop(5)
        assert noted() == {0: 0, 1: 0}
    finally:
        admin.delete_topics([topic])[topic].result(30)
        with psycopg.connect(stack.database_url) as connection:
            connection.execute("DELETE FROM stream_offsets WHERE topic = %s", (topic,))


@pytest.fixture
def topic(stack: Endpoints) -> Iterator[str]:
    """A topic with ten records, of which the database has none: as after a backup was restored."""
    servers = {"bootstrap.servers": bootstrap_servers(stack.kafka_url)}
    admin, name = AdminClient(servers), f"restored-{uuid.uuid4().hex[:8]}"
    admin.create_topics([NewTopic(name, num_partitions=1, replication_factor=1)])[name].result(30)
    migrate(stack.database_url)
    producer = Producer(servers)
    for _ in range(10):
        producer.produce(name, b"{}")
    producer.flush(30)
    yield name
    admin.delete_topics([name])[name].result(30)


def member(stack: Endpoints, topic: str) -> Consumer:
    """A worker that keeps its place in the group for six seconds after it has gone, and has taken all ten."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap_servers(stack.kafka_url),
            "group.id": topic,
            "group.instance.id": "worker-0",
            "session.timeout.ms": 6_000,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe([topic])
    assert consumer.poll(60) is not None
    consumer.commit(offsets=[TopicPartition(topic, 0, 10)], asynchronous=False)
    return consumer


def committed(stack: Endpoints, topic: str) -> int:
    asking = Consumer({"bootstrap.servers": bootstrap_servers(stack.kafka_url), "group.id": topic})
    (found,) = asking.committed([TopicPartition(topic, 0)], timeout=30)
    asking.close()
    return int(found.offset)


def test_a_group_is_set_back_once_kafka_counts_its_last_worker_out(stack: Endpoints, topic: str) -> None:
    """It was taken for done though Kafka had refused: what lay between waited until something new came."""
    member(stack, topic).close()
    assert rewind_to_database(stack.kafka_url, stack.database_url, topic, topic, "life", 30.0) == {0: 0}
    assert committed(stack, topic) == 0


def test_a_group_whose_workers_run_is_not_set_back(stack: Endpoints, topic: str) -> None:
    running = member(stack, topic)
    with pytest.raises(DatabaseBehind):
        rewind_to_database(stack.kafka_url, stack.database_url, topic, topic, "life", 1.0)
    assert committed(stack, topic) == 10
    running.close()
