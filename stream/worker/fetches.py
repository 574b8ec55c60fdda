"""What Kafka answers at once stays one message: Faust's price is by the message, so a batch must be one.

Faust 0.15 spends about 70 us on each message (two tasks, a queue, an event), which bounds a topic of single JSON
readings to 14,000 a second. Here the records of one fetch of one partition become one Faust message, at the offset of
the last of them, and Kafka's offset is committed by hand once they are safe (`stream.worker.checkpoints`).
"""

from collections.abc import Sequence
from typing import Any

from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer, Transport
from faust.types import TP

from schemas.topics import CONTENT_TYPE, SOURCE, TOPICS
from stream.worker.intake import Record

#: Longest that Kafka keeps a fetch waiting [ms]. A connection has one fetch under way. While the records of busy
#: partitions wait to be taken, aiokafka asks for the idle ones alone; until Kafka answers that, the busy ones wait too.
_FETCH_WAIT_MS = 50
#: Not the changelogs, which Faust reads by itself.
_OURS = frozenset(spec.name for spec in TOPICS)


class Fetch:
    """The records of one answer, in the shape that Faust expects of one record.

    Args:
        records: aiokafka's, of one partition, rising in offset.
    """

    headers: Sequence[Any] = ()
    key = checksum = None
    serialized_key_size = serialized_value_size = 0

    def __init__(self, records: Sequence[Any]) -> None:
        last = records[-1]
        self.topic, self.partition, self.offset = last.topic, last.partition, last.offset
        self.timestamp, self.timestamp_type = last.timestamp, last.timestamp_type
        self.value = tuple(
            Record(
                record.offset,
                record.value or b"",
                header(record.headers, CONTENT_TYPE),
                record.timestamp * 1000,
                header(record.headers, SOURCE),
                record.key,
            )
            for record in records
        )


class PromptThread(AIOKafkaConsumerThread):
    """Faust's thread around aiokafka, which would let a fetch wait for 1.5 s, and offers no setting for that."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = _FETCH_WAIT_MS  # noqa: SLF001 - read once it starts
        return consumer


class FetchConsumer(Consumer):
    """Faust's consumer, with whole fetches of our topics as messages."""

    def _new_consumer_thread(self) -> AIOKafkaConsumerThread:
        return PromptThread(self, loop=self.loop, beacon=self.beacon)

    async def _wait_next_records(self, timeout: float) -> tuple[Any, Any]:  # noqa: ASYNC109 - Faust's signature
        records, active = await super()._wait_next_records(timeout)
        merged = {tp: [Fetch(found)] if tp.topic in _OURS and found else found for tp, found in (records or {}).items()}
        return merged, active

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Keep no book of offsets between fetches, since nothing is committed by it."""
        if tp.topic not in _OURS:
            await super()._add_gap(tp, offset_from, offset_to)

    async def commit_up_to(self, tp: TP, next_offset: int) -> None:
        """Commit an offset of a partition that is still assigned, unless it is committed already."""
        if self._should_commit(tp, next_offset):
            await self._commit_offsets({tp: next_offset})


class FetchTransport(Transport):
    """Faust's transport, with the consumer above."""

    Consumer = FetchConsumer


def header(headers: Sequence[tuple[str, Any]] | None, wanted: str) -> str | None:
    """Return one of a record's headers, such as its `content-type`."""
    for name, value in headers or ():
        if name == wanted:
            return value.decode("latin-1") if isinstance(value, bytes) else value
    return None
