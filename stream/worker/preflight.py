"""Before a worker starts: the database knows every partition, and Kafka's committed offsets are not ahead of it."""

import time
from collections.abc import Mapping

import psycopg
import structlog
from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from schemas.errors import DatabaseBehind, ServiceUnavailable
from sinks.timescale_sql import START_PARTITION
from stream.topic_reader import TopicReader
from stream.topics import bootstrap_servers

_TIMEOUT_S = 10.0
#: Between two attempts to set a group back [s].
_PAUSE_S = 0.5
#: How Kafka says that a group has members.
_HAS_MEMBERS = (KafkaError.UNKNOWN_MEMBER_ID, KafkaError.NON_EMPTY_GROUP, KafkaError.FENCED_INSTANCE_ID)
_log = structlog.get_logger("worker")


def rewind_to_database(
    kafka_url: str, database_url: str, group: str, topic: str, topic_id: str, patience_s: float
) -> dict[int, int]:
    """Set the consumer group back where the database has forgotten what it once held (a restored backup).

    The records are then read again; what the database still has counts as duplicate.

    Args:
        kafka_url: `kafka://host:port`.
        database_url: `postgresql://...`.
        group: consumer group of the workers.
        topic: topic of the readings.
        topic_id: identity of this life of the topic.
        patience_s: how long members of the group are waited for that may have gone: Kafka counts a worker in that has
            ended until its session is over, and sets nothing back meanwhile [s].

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
        deadline = time.monotonic() + patience_s
        while not _alter(admin, group, topic, behind):
            if time.monotonic() > deadline:
                partition = next(iter(behind))
                raise DatabaseBehind(topic, partition, committed[partition], behind[partition])
            time.sleep(_PAUSE_S)
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


def _alter(admin: AdminClient, group: str, topic: str, offsets: Mapping[int, int]) -> bool:
    """Set offsets of a group; False where it has members, which each partition says by itself."""
    wanted = [TopicPartition(topic, partition, offset) for partition, offset in offsets.items()]
    try:
        answer = admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group, wanted)])
        done = answer[group].result(timeout=_TIMEOUT_S)
    except KafkaException as failure:
        if failure.args[0].code() in _HAS_MEMBERS:
            return False
        raise ServiceUnavailable("kafka", failure.args[0].str()) from failure
    for refused in (one.error for one in done.topic_partitions if one.error is not None):
        if refused.code() not in _HAS_MEMBERS:
            raise ServiceUnavailable("kafka", refused.str())
        return False
    return True
