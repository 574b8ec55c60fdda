"""Reads a Kafka topic between chosen offsets, without joining a group: nobody's progress is touched."""

import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from confluent_kafka import OFFSET_INVALID, Consumer, KafkaError, KafkaException, Message, TopicPartition

from schemas.errors import ServiceUnavailable
from stream.topics import bootstrap_servers, partition_count

_TIMEOUT_S = 10.0
_POLL_S = 0.5
#: Kafka has records for us and yet sends none for this long: something is wrong with it [s].
_SILENCE_S = 30.0
#: Messages asked for at a time; a record may be as large as 1 MB.
_MESSAGES = 64


@dataclass(frozen=True)
class Span:
    """Offsets [first, end) of one partition."""

    first: int
    end: int

    def __len__(self) -> int:
        return max(0, self.end - self.first)


class TopicReader:
    """One topic's partitions, read from anywhere; a context manager.

    Args:
        kafka_url: `kafka://host:port[,host:port]`.
        topic: Kafka topic; it must exist.
        group: whose committed offsets `committed` tells; none are ever written.
    """

    def __init__(self, kafka_url: str, topic: str, group: str = "meterstream-reader") -> None:
        self.topic = topic
        self.partitions = range(partition_count(kafka_url, topic))
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap_servers(kafka_url),
                "group.id": group,
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "enable.partition.eof": True,
                # Records that Kafka drops while they are read must not be passed over in silence.
                "auto.offset.reset": "error",
                "queued.max.messages.kbytes": 32_768,
                "check.crcs": True,
                "log_level": 0,
            }
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def bounds(self) -> dict[int, Span]:
        """Return what Kafka holds of each partition now."""
        with _failures():
            return {
                p: Span(*self._consumer.get_watermark_offsets(self._at(p), timeout=_TIMEOUT_S)) for p in self.partitions
            }

    def offsets_at(self, moment: datetime) -> dict[int, int]:
        """Return the first offset of each partition whose record is not older; where there is none, the end."""
        asked = [self._at(p, int(moment.timestamp() * 1000)) for p in self.partitions]
        with _failures():
            found = self._consumer.offsets_for_times(asked, timeout=_TIMEOUT_S)
        bounds = self.bounds()
        return {tp.partition: tp.offset if tp.offset >= 0 else bounds[tp.partition].end for tp in found}

    def committed(self) -> dict[int, int]:
        """Return the group's next offset of each partition, 0 where it has none yet."""
        with _failures():
            found = self._consumer.committed([self._at(p) for p in self.partitions], timeout=_TIMEOUT_S)
        return {tp.partition: max(tp.offset, 0) for tp in found}

    def read(self, spans: Mapping[int, Span]) -> Iterator[list[Message]]:
        """Yield the records of the spans, some at a time, in the order of each partition.

        Raises:
            ServiceUnavailable: Kafka stopped sending, or no longer has a part of a span.
        """
        left = {partition: span for partition, span in spans.items() if len(span)}
        self._assign({partition: span.first for partition, span in left.items()})
        heard_at = time.monotonic()
        while left:
            wanted, ended = self._some(left)
            for partition in ended:
                del left[partition]
            self._pause(ended)
            if wanted or ended:
                heard_at = time.monotonic()
            elif time.monotonic() - heard_at > _SILENCE_S:
                raise ServiceUnavailable("kafka", f"{self.topic}: nothing came for {_SILENCE_S:.0f} s, {left} is left")
            if wanted:
                yield wanted

    def follow(self, start: Mapping[int, int], timeout_s: float = _POLL_S) -> Iterator[Message | None]:
        """Yield records from the given offsets on, for ever and each as soon as it is there; None in silence."""
        self._assign(start)
        while True:
            with _failures():
                message = self._consumer.poll(timeout_s)
            yield message if message is not None and _is_record(message) else None

    def _some(self, left: Mapping[int, Span]) -> tuple[list[Message], set[int]]:
        """Return some records of the spans, and the partitions that have ended with them."""
        wanted, ended = list[Message](), set[int]()
        with _failures():
            messages = self._consumer.consume(_MESSAGES, timeout=_POLL_S)
        for message in messages:
            partition, offset = message.partition(), message.offset()
            span = left.get(-1 if partition is None else partition)
            if partition is None or offset is None or span is None:
                continue
            if _is_record(message) and offset < span.end:
                wanted.append(message)
            # An end mark stands at the next offset; a record that is compacted away may leave the last one out.
            if offset + _is_record(message) >= span.end:
                ended.add(partition)
        return wanted, ended

    def _assign(self, start: Mapping[int, int]) -> None:
        with _failures():
            self._consumer.assign([self._at(partition, offset) for partition, offset in start.items()])

    def _pause(self, partitions: Collection[int]) -> None:
        if partitions:
            with _failures():
                self._consumer.pause([self._at(partition) for partition in partitions])

    def _at(self, partition: int, offset: int = OFFSET_INVALID) -> TopicPartition:
        return TopicPartition(self.topic, partition, offset)


@contextmanager
def _failures() -> Iterator[None]:
    try:
        yield
    except KafkaException as failure:
        raise ServiceUnavailable("kafka", failure.args[0].str()) from failure


def _is_record(message: Message) -> bool:
    """Tell a record from the mark at a partition's end.

    Raises:
        ServiceUnavailable: it is an error.
    """
    error = message.error()
    if error is None:
        return True
    if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 (librdkafka's local codes)
        return False
    # Kafka being away for a moment is retried below us; what comes here and is no mark will not pass.
    if error.retriable() or error.code() in {KafkaError._ALL_BROKERS_DOWN, KafkaError._TRANSPORT}:  # noqa: SLF001
        return False
    raise ServiceUnavailable("kafka", error.str())
