"""What a worker makes sure of before it starts."""

import uuid

import psycopg
import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from sinks.migrations import migrate
from stream.stack.endpoints import Endpoints
from stream.topics import bootstrap_servers
from stream.worker.preflight import note_beginnings

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
