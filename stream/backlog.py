"""How far the database is behind Kafka."""

from dataclasses import dataclass

from schemas.topics import METERS_RAW, METERS_REJECTED
from stream.database import connected
from stream.stack.endpoints import Endpoints
from stream.topic_reader import Span, TopicReader
from stream.topics import topic_id

_REACHED = "SELECT partition, next_offset, lost_records FROM stream_offsets WHERE topic = %s AND topic_id = %s"


@dataclass(frozen=True)
class Backlog:
    """What waits for a worker.

    Attributes:
        records: of the raw topic.
        rejects: of the topic of rejects.
        lost_records: of the raw topic, gone from Kafka before they were stored.
    """

    records: int
    rejects: int
    lost_records: int


def backlog(endpoints: Endpoints, group: str) -> Backlog:
    """Compare what Kafka holds with what the database has.

    Args:
        endpoints: where they are.
        group: consumer group of the workers.

    Raises:
        ServiceUnavailable: one of them does not answer, or a topic does not exist yet.
        ConfigurationError: the database has not been migrated.
    """
    with TopicReader(endpoints.kafka_url, METERS_RAW.name) as reader:
        held = reader.bounds()
    with TopicReader(endpoints.kafka_url, METERS_REJECTED.name, group) as reader:
        committed = reader.committed()
        rejects = sum(_left(span, committed[partition]) for partition, span in reader.bounds().items())
    life = topic_id(endpoints.kafka_url, METERS_RAW.name)
    with connected(endpoints.database_url) as connection:
        rows = connection.execute(_REACHED, (METERS_RAW.name, life)).fetchall()
    reached = {partition: next_offset for partition, next_offset, _ in rows}
    records = sum(_left(span, reached.get(partition, 0)) for partition, span in held.items())
    return Backlog(records, rejects, sum(row[2] for row in rows))


def _left(span: Span, reached: int) -> int:
    return len(Span(max(span.first, reached), span.end))
