"""Before a worker starts: the database knows every partition, and Kafka's committed offsets are not ahead of it."""

from collections.abc import Mapping

import psycopg
import structlog
from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from schemas.errors import DatabaseBehind, ServiceUnavailable
from sinks.timescale_sql import START_PARTITION
from stream.topic_reader import TopicReader
from stream.topics import bootstrap_servers

_TIMEOUT_S = 10.0
_log = structlog.get_logger("worker")


def rewind_to_database(kafka_url: str, database_url: str, group: str, topic: str, topic_id: str) -> dict[int, int]:
    """Set the consumer group back where the database has forgotten what it once held (a restored backup).

    The records are then read again; what the database still has counts as duplicate.

    Args:
        kafka_url: `kafka://host:port`.
        database_url: `postgresql://...`.
        group: consumer group of the workers.
        topic: topic of the readings.
        topic_id: identity of this life of the topic.

    Returns: partition -> offset, for those that were set back.

    Raises:
        DatabaseBehind: offsets must be set back, but other workers are running.
        ServiceUnavailable: Kafka or the database does not answer.
    """
    admin = AdminClient({"bootstrap.servers": bootstrap_servers(kafka_url), "log_level": 0})
    if not _exists(admin, group):
        return {}
    # A consumer is asked: the admin client's list_consumer_group_offsets crashes the process where the coordinator has
    # just moved or still loads (librdkafka issue 5040), which is when workers start.
    with TopicReader(kafka_url, topic, group) as reader:
        committed = reader.committed()
    stored = _stored(database_url, topic, topic_id)
    behind = {
        partition: stored.get(partition, 0)
        for partition, offset in committed.items()
        if stored.get(partition, 0) < offset
    }
    if behind:
        _alter(admin, group, topic, behind, committed)
        _log.warning("offsets_set_back", topic=topic, partitions=behind)
    return behind


def note_beginnings(kafka_url: str, database_url: str, topic: str, topic_id: str) -> None:
    """Note in the database where each partition begins that is not noted there yet.

    From then on every record counts: one that Kafka drops before any worker has taken from its partition is missed too.

    Args:
        kafka_url: `kafka://host:port`.
        database_url: `postgresql://...`.
        topic: topic of the readings.
        topic_id: identity of this life of the topic.

    Raises:
        ServiceUnavailable: Kafka or the database does not answer.
    """
    with TopicReader(kafka_url, topic) as reader:
        bounds = reader.bounds()
    try:
        with psycopg.connect(database_url, connect_timeout=10) as connection, connection.cursor() as cursor:
            cursor.executemany(
                START_PARTITION, [(topic, topic_id, partition, span.first) for partition, span in bounds.items()]
            )
    except psycopg.OperationalError as error:
        raise ServiceUnavailable("database", error) from error


def _exists(admin: AdminClient, group: str) -> bool:
    """Tell whether the group has ever been; a new one has committed nothing."""
    try:
        found = admin.list_consumer_groups(request_timeout=_TIMEOUT_S).result().valid
    except KafkaException as failure:
        raise ServiceUnavailable("kafka", failure.args[0].str()) from failure
    return group in {listing.group_id for listing in found}


def _stored(database_url: str, topic: str, topic_id: str) -> dict[int, int]:
    try:
        with psycopg.connect(database_url, connect_timeout=10) as connection:
            rows: list[tuple[int, int]] = connection.execute(
                "SELECT partition, next_offset FROM stream_offsets WHERE topic = %s AND topic_id = %s",
                (topic, topic_id),
            ).fetchall()
    except psycopg.OperationalError as error:
        raise ServiceUnavailable("database", error) from error
    return dict(rows)


def _alter(admin: AdminClient, group: str, topic: str, behind: Mapping[int, int], committed: Mapping[int, int]) -> None:
    wanted = [TopicPartition(topic, partition, offset) for partition, offset in behind.items()]
    try:
        answer = admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group, wanted)])
        answer[group].result(timeout=_TIMEOUT_S)
    except KafkaException as failure:
        partition = next(iter(behind))
        raise DatabaseBehind(topic, partition, committed[partition], behind[partition]) from failure
