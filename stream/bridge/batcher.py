"""Bursts of messages to batches of records: collect, convert, line up, produce."""

import queue
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from stream.bridge.inflight import Batch, InFlight
from stream.bridge.kafka import Kafka, Stopped
from stream.bridge.packets import Messages
from stream.bridge.records import Converted, convert
from stream.metrics import BridgeMetrics
from stream.settings import BridgeSettings

#: Decoding needs several times the payloads' size for a moment; this bounds the moment [bytes].
MAX_BATCH_BYTES = 8 * 1024 * 1024
#: With nothing new for this share of the linger, waiting on is in vain: the broker has sent all that it may.
_QUIET_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Burst:
    """Messages that one read from the connection brought.

    Attributes:
        generation: which connection that was.
        arrived_s: when [s since 1970].
        messages: in the order they came.
    """

    generation: int
    arrived_s: float
    messages: Messages


class Batcher:
    """Runs in a thread of its own between the MQTT reader and the Kafka producer.

    Args:
        settings: how long and how much to collect.
        partitions: partitions of each raw topic; called once before the first batch, may wait for Kafka.
        kafka: where records go.
        in_flight: keeps the order.
        acknowledge: given the batches that may be acknowledged, oldest first.
        metrics: counts messages, rows and rejects.
    """

    def __init__(
        self,
        settings: BridgeSettings,
        partitions: Callable[[], Mapping[str, int]],
        kafka: Kafka,
        in_flight: InFlight,
        acknowledge: Callable[[list[Batch]], None],
        metrics: BridgeMetrics,
    ) -> None:
        self._settings = settings
        self._linger_s = settings.linger_ms / 1000
        self._find_partitions = partitions
        self._kafka = kafka
        self._in_flight = in_flight
        self._acknowledge = acknowledge
        self._metrics = metrics
        self._bursts: queue.SimpleQueue[Burst | None] = queue.SimpleQueue()
        self._kept: Burst | None = None
        self._ended = False

    def put(self, burst: Burst) -> None:
        """Hand a burst over; returns at once."""
        self._bursts.put(burst)

    def finish(self) -> None:
        """End after what was handed over so far."""
        self._bursts.put(None)

    def run(self) -> None:
        """Turn bursts into records until finish(); the body of the batcher's thread."""
        try:
            partitions = self._find_partitions()
            while (batch := self.collect()) is not None:
                self._produce(*batch, partitions)
        except Stopped:
            return

    def collect(self) -> tuple[Batch, Messages] | None:
        """Return the next batch: full, or old enough, or with nothing more to come; None at the end.

        A batch holds messages of one connection, since only that can acknowledge them.
        """
        first = self._kept or self._next(None)
        self._kept = None
        if first is None:
            return None
        messages, deadline = first.messages, time.monotonic() + self._linger_s
        while len(messages) < self._settings.max_batch_messages and messages.size < MAX_BATCH_BYTES:
            remaining_s = deadline - time.monotonic()
            burst = self._next(min(remaining_s, self._linger_s * _QUIET_SHARE)) if remaining_s > 0 else None
            if burst is None:
                break
            if burst.generation != first.generation:
                self._kept = burst
                break
            messages.extend(burst.messages)
        ids = [packet_id for packet_id in messages.packet_ids if packet_id]
        return Batch(first.generation, ids, len(messages), messages.size, first.arrived_s), messages

    def _next(self, timeout_s: float | None) -> Burst | None:
        """Return the next burst; None when none came in time, or at the end."""
        if self._ended:
            return None
        try:
            burst = self._bursts.get(timeout=timeout_s)
        except queue.Empty:
            return None
        self._ended = burst is None
        return burst

    def _produce(self, batch: Batch, messages: Messages, partitions: Mapping[str, int]) -> None:
        done = convert(messages, batch.arrived_s, partitions, max_payload_bytes=self._settings.max_payload_bytes)
        self._count(done, messages.size)
        # The whole batch is lined up before its first record: an acknowledgement may come before the next is produced.
        self._release(self._in_flight.open(batch, len(done.records)))
        delivered = partial(self._delivered, batch)
        for record in done.records:
            self._kafka.send(record, delivered)

    def _delivered(self, batch: Batch) -> None:
        self._release(self._in_flight.delivered(batch))

    def _release(self, batches: list[Batch]) -> None:
        if batches:
            now_s = time.time()
            for batch in batches:
                self._metrics.kafka_ack.observe(max(0.0, now_s - batch.arrived_s))
            self._acknowledge(batches)

    def _count(self, done: Converted, size: int) -> None:
        for feed, count in done.messages.items():
            self._metrics.messages.labels(feed).inc(count)
        for feed, count in done.rows.items():
            self._metrics.rows.labels(feed).inc(count)
        for reason, count in done.rejected.items():
            self._metrics.rejected.labels(reason).inc(count)
        self._metrics.message_bytes.inc(size)
