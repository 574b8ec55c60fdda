"""What the worker produces, through librdkafka: two microseconds a record, where aiokafka takes thirty.

Faust's own producer is left with the changelog, whose offsets it must know.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from schemas.errors import ServiceUnavailable
from schemas.topics import CONTENT_TYPE, JSON
from stream.topics import bootstrap_servers

#: A partition left to the record's key.
BY_KEY = -1
#: What Kafka has not acknowledged by then is produced again by whoever asked [ms].
_TIMEOUT_MS = 15_000


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One record.

    Attributes:
        topic: Kafka topic.
        key: None for a record that is about nothing in particular.
        value: the payload; None takes back what a compacted topic held of the key.
        partition: fixed, or BY_KEY.
        content_type: what the payload is.
    """

    topic: str
    key: str | None
    value: bytes | None
    partition: int = BY_KEY
    content_type: str = JSON


def producer_settings(kafka_url: str) -> dict[str, Any]:
    """Return librdkafka's settings."""
    return {
        "bootstrap.servers": bootstrap_servers(kafka_url),
        "client.id": "meterstream-worker",
        "acks": "all",
        # Keeps order without an idempotent producer, which can end in a state that it does not leave.
        "max.in.flight.requests.per.connection": 1,
        "message.timeout.ms": _TIMEOUT_MS,
        "linger.ms": 2,
        "compression.type": "lz4",
        # As the Java client: a keyed record lands where any other producer would put it.
        "partitioner": "murmur2_random",
        "delivery.report.only.error": True,
        "log_level": 0,
    }


class KafkaProducer:
    """Produces many records at once.

    Args:
        settings: as `producer_settings` returns them.
        connect: makes the client; tests give a double.
    """

    def __init__(self, settings: dict[str, Any], connect: Callable[[dict[str, Any]], Producer] = Producer) -> None:
        self._producer = connect(settings)
        self._lock = asyncio.Lock()

    async def send(self, records: Sequence[Outgoing]) -> None:
        """Produce records and wait until Kafka has all of them.

        Raises:
            ServiceUnavailable: it has not; doing it again is safe where their ids are deterministic.
        """
        if records:
            async with self._lock:
                await asyncio.to_thread(self._send, records)

    def _send(self, records: Sequence[Outgoing]) -> None:
        failures = list[KafkaError]()

        def failed(error: KafkaError | None, _: Message) -> None:
            if error is not None:
                failures.append(error)

        for record in records:
            self._produce(record, failed)
        left = self._producer.flush(2 * _TIMEOUT_MS / 1000)
        if failures or left:
            raise ServiceUnavailable("kafka", failures[0].str() if failures else f"{left} records without an answer")

    def _produce(self, record: Outgoing, failed: Callable[[KafkaError | None, Message], None]) -> None:
        while True:
            try:
                self._producer.produce(
                    record.topic,
                    value=record.value,
                    key=record.key,
                    partition=record.partition,
                    headers=[(CONTENT_TYPE, record.content_type.encode())],
                    on_delivery=failed,
                )
            except BufferError:
                self._producer.poll(0.05)
            except KafkaException as refusal:
                raise ServiceUnavailable("kafka", refusal.args[0].str()) from refusal
            else:
                return
