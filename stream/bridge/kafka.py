"""Records to Kafka: each one is produced until Kafka has acknowledged it, however long that takes."""

import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

import structlog
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from schemas.topics import CONTENT_TYPE, SOURCE
from stream.backoff import Backoff
from stream.bridge.records import ANY_PARTITION, MAX_RECORD_BYTES, Record
from stream.metrics import BridgeMetrics
from stream.outage import Outage
from stream.topics import bootstrap_servers

_POLL_S = 0.1
_PROBE_S = 2.0
#: A record that Kafka has refused waits this long at most [s].
_RETRY_CEILING_S = 5.0

Delivered = Callable[[], None]


class Stopped(Exception):
    """The producer is being closed; what was not produced stays unacknowledged, and MQTT will repeat it."""


def producer_settings(kafka_url: str, max_buffer_bytes: int) -> dict[str, Any]:
    """Return librdkafka's settings."""
    return {
        "bootstrap.servers": bootstrap_servers(kafka_url),
        "client.id": "meterstream-bridge",
        "acks": "all",
        "enable.idempotence": True,
        # Nothing may expire: MQTT was promised that it will be in Kafka.
        "message.timeout.ms": 0,
        "message.max.bytes": MAX_RECORD_BYTES + 65_536,
        "queue.buffering.max.kbytes": max(1, max_buffer_bytes // 1024),
        # Records are batches already; waiting gathers the partitions of one batch into one request, no more.
        "linger.ms": 2,
        # Measured on a fleet's Arrow records of 250 rows each: lz4 leaves 20 % at 1.2 GB/s, zstd 17 % at 0.4 GB/s.
        "compression.type": "lz4",
        # As the Java client: a keyed record lands where any other producer would put it.
        "partitioner": "murmur2_random",
        "log_level": 0,
    }


class Kafka:
    """A producer that does not give up.

    Args:
        settings: as `producer_settings` returns them.
        outage: told when Kafka goes and comes.
        metrics: counts records and retries.
        source: that all records are said to come from; empty: they name none.
        connect: makes the client; tests give a double.
    """

    def __init__(
        self,
        settings: dict[str, Any],
        outage: Outage,
        metrics: BridgeMetrics,
        source: str = "",
        connect: Callable[[dict[str, Any]], Producer] = Producer,
    ) -> None:
        self._settings = {**settings, "error_cb": self._on_error}
        self._outage = outage
        self._metrics = metrics
        self._headers = {SOURCE: source} if source else {}
        self._connect = connect
        self._producer = connect(self._settings)
        self._fatal = False
        self._stopping = threading.Event()
        self._refused: deque[tuple[Record, Delivered]] = deque()
        self._backoff = Backoff(ceiling_s=_RETRY_CEILING_S)
        self._retry_at = self._probe_at = 0.0

    def send(self, record: Record, delivered: Delivered) -> None:
        """Produce a record; waits while the producer's buffer is full.

        Args:
            record: what to produce.
            delivered: called once, in the producer's thread, when Kafka has the record.

        Raises:
            Stopped: close() was called meanwhile.
        """
        while not self._try(record, delivered):
            if self._stopping.wait(_POLL_S / 2):
                raise Stopped

    def run(self) -> None:
        """Serve delivery reports until close(); the body of the producer's thread."""
        while not self._stopping.is_set():
            self._producer.poll(_POLL_S)
            now = time.monotonic()
            if self._fatal:
                self._replace()
            if self._refused and now >= self._retry_at:
                self._produce_again()
            if self._outage.cause and now >= self._probe_at:
                self._probe_at = now + _PROBE_S
                self._probe()
        self._producer.purge()

    def close(self) -> None:
        """Stop; what Kafka has not acknowledged is forgotten here and repeated by MQTT."""
        self._stopping.set()

    def _try(self, record: Record, delivered: Delivered) -> bool:
        try:
            self._producer.produce(
                record.topic,
                value=record.value,
                key=record.key,
                partition=record.partition,
                timestamp=record.timestamp_ms,
                headers={CONTENT_TYPE: record.content_type, **self._headers},
                on_delivery=partial(self._on_delivery, record.content_type, delivered),
            )
        except BufferError:
            return False
        except KafkaException as refusal:
            error: KafkaError = refusal.args[0]
            self._fatal = self._fatal or error.fatal()
            self._outage.begin(error.name(), topic=record.topic)
            return False
        return True

    def _on_delivery(self, content_type: str, delivered: Delivered, error: KafkaError | None, message: Message) -> None:
        if error is None:
            self._outage.end()
            self._backoff.reset()
            self._metrics.records.inc()
            delivered()
            return
        if not self._refused:
            self._retry_at = time.monotonic() + self._backoff.next_s()
        # Rebuilt from the report, so that a second copy of every value need not be kept for this rare case.
        key, partition = message.key(), message.partition()
        record = Record(
            message.topic() or "",
            ANY_PARTITION if partition is None or key is not None else partition,
            key,
            message.value() or b"",
            content_type,
            message.timestamp()[1],
        )
        self._refused.append((record, delivered))
        self._outage.begin(error.name(), topic=record.topic, record_bytes=len(record.value))

    def _produce_again(self) -> None:
        while self._refused and self._try(*self._refused[0]):
            self._refused.popleft()
            self._metrics.retries.inc()

    def _on_error(self, error: KafkaError) -> None:
        if error.fatal():
            self._fatal = True
        if error.fatal() or error.code() == KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001 (librdkafka's local codes)
            self._outage.begin(error.name())

    def _replace(self) -> None:
        """Begin anew after an error that ends an idempotent producer; its records come back as refused."""
        structlog.get_logger("kafka").error("producer_replaced", cause=self._outage.cause)
        ended, self._producer = self._producer, self._connect(self._settings)
        self._fatal = False
        ended.purge()
        ended.flush(_PROBE_S)

    def _probe(self) -> None:
        """Find out whether Kafka is back when there is nothing to deliver that would tell."""
        if self._refused or len(self._producer):
            return
        try:
            self._producer.list_topics(timeout=_PROBE_S / 2)
        except KafkaException:
            return
        self._outage.end()
