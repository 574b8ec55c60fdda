"""Records that should have come and did not: fetched directly, so that nothing is passed over in silence.

Faust drops messages that wait for a full buffer when partitions move, and goes on behind them; and a worker that
slept through a rebalance finds that others went on. Offsets that hold nothing (the markers of another program's
transactions) are gaps too: then there is nothing to fetch.
"""

import asyncio
from itertools import chain
from typing import Any

from schemas.errors import GapTooLarge
from schemas.topics import CONTENT_TYPE, SOURCE
from stream.topic_reader import Span, TopicReader
from stream.worker.fetches import header
from stream.worker.intake import Record

#: More missing records than this are left to a fresh start, which reads them in the ordinary way.
MOST = 20_000


class GapReader:
    """Reads stretches of one topic beside the Faust consumer.

    Args:
        kafka_url: `kafka://host:port`.
        topic: Kafka topic.
        group: the workers' consumer group.
    """

    def __init__(self, kafka_url: str, topic: str, group: str) -> None:
        self._kafka_url = kafka_url
        self._topic = topic
        self._group = group

    async def start(self, partition: int) -> int:
        """Return the offset that the group stands at; without one, the first that Kafka has."""
        return await asyncio.to_thread(self._start, partition)

    async def earliest(self, partition: int) -> int:
        """Return the first offset that Kafka still has."""
        return await asyncio.to_thread(self._earliest, partition)

    async def read(self, partition: int, first: int, end: int) -> list[Record]:
        """Return the records at offsets [first, end) that there are.

        Raises:
            GapTooLarge: too many to hold at once.
        """
        if end - first > MOST:
            raise GapTooLarge(self._topic, partition, first, end)
        return await asyncio.to_thread(self._read, partition, first, end)

    def _start(self, partition: int) -> int:
        with TopicReader(self._kafka_url, self._topic, self._group) as reader:
            return reader.committed()[partition] or reader.bounds()[partition].first

    def _earliest(self, partition: int) -> int:
        with TopicReader(self._kafka_url, self._topic, self._group) as reader:
            return reader.bounds()[partition].first

    def _read(self, partition: int, first: int, end: int) -> list[Record]:
        with TopicReader(self._kafka_url, self._topic, self._group) as reader:
            return [record_of(found) for found in chain.from_iterable(reader.read({partition: Span(first, end)}))]


def record_of(found: Any) -> Record:
    """Take a message of librdkafka as a record."""
    content_type, source = (header(found.headers(), name) for name in (CONTENT_TYPE, SOURCE))
    arrived_us = found.timestamp()[1] * 1000
    return Record(found.offset(), found.value() or b"", content_type, arrived_us, source, found.key())
