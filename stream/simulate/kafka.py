"""Readings and ticks straight into Kafka, past the bridge: at least once, each partition's rows as Arrow records."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from confluent_kafka import KafkaError, Producer

from processors.partition import Partitions, partition_of
from schemas.arrow_codec import write
from schemas.layout import ColumnBatch
from schemas.topics import ARROW, CONTENT_TYPE, JSON, MARKET_RAW, METERS_RAW
from simulators.cargo import Cargo
from simulators.columns import fixed_text
from simulators.grid import Grid
from simulators.publisher import Publisher
from simulators.shipment import FleetPublisher, Shipment
from simulators.transport import Message, Stopped, Tally
from stream.bridge.kafka import producer_settings
from stream.bridge.records import MAX_RECORD_BYTES

_BUFFER_BYTES = 64 * 1024 * 1024


class KafkaTransport:
    """Produces messages whose topic reads `topic/partition`; keeps each until Kafka has it.

    Args:
        kafka_url: `kafka://host:port[,host:port]`.
        stop: asked while the buffer is full; once true, `publish` gives up its message.
        tell: gets a line when Kafka goes away and when it is back.
    """

    def __init__(self, kafka_url: str, stop: Callable[[], bool], tell: Callable[[str], None]) -> None:
        settings: dict[str, Any] = producer_settings(kafka_url, _BUFFER_BYTES)
        self._producer = Producer({**settings, "client.id": "meterstream-simulate", "error_cb": self._on_error})
        self._stop = stop
        self._tell = tell
        self._sent = self._acked = self._refused = Tally()
        self._away = False

    @property
    def acked(self) -> Tally:
        """What Kafka has."""
        return self._acked

    @property
    def refused(self) -> Tally:
        """What Kafka will never take."""
        return self._refused

    @property
    def outstanding(self) -> int:
        """Messages taken and not answered yet."""
        return self._sent.messages - self._acked.messages - self._refused.messages

    def publish(self, message: Message) -> None:
        """Take one message; waits while the buffer is full.

        Raises:
            Stopped: a stop was asked for meanwhile; the message was not sent.
        """
        topic, _, number = message.topic.partition("/")
        answered = partial(self._on_delivery, message)
        headers: dict[str, str | bytes | None] = {CONTENT_TYPE: ARROW if message.readings else JSON}
        while True:
            try:
                self._producer.produce(
                    topic, message.payload, partition=int(number), headers=headers, on_delivery=answered
                )
                break
            except BufferError:
                if self._stop():
                    raise Stopped("stopped while waiting for Kafka") from None
                self._producer.poll(0.2)
        self._sent = self._sent.plus(message)
        self._producer.poll(0)

    def wait(self, timeout_s: float) -> None:
        """Serve delivery reports."""
        self._producer.poll(timeout_s)

    def close(self) -> None:
        """Give up what is still outstanding."""
        self._producer.purge()

    def _on_delivery(self, message: Message, error: KafkaError | None, _sent: object) -> None:
        if error is None:
            self._acked = self._acked.plus(message)
            if self._away:
                self._away = False
                self._tell("Kafka is back")
            return
        if not self._refused.messages:
            self._tell(f"Kafka refuses a record: {error.str()}")
        self._refused = self._refused.plus(message)

    def _on_error(self, error: KafkaError) -> None:
        if error.code() == KafkaError._ALL_BROKERS_DOWN and not self._away:  # noqa: SLF001 - the client's public name for it
            self._away = True
            self._tell("Kafka is away; waiting for it, nothing is lost")


def partitions_of(grid: Grid, partitions: int) -> Partitions:
    """Return the partition of everything in a grid that sends, int32[n]."""
    return partition_of(fixed_text(grid.sender_numbers), partitions)


@dataclass
class KafkaPublisher(FleetPublisher):
    """Publishes shipments into `meters.raw`, partitioned by meter number as the bridge does.

    Attributes:
        partition: int32[n], of everything in the grid that sends.
    """

    partition: Partitions = field(default_factory=lambda: np.empty(0, dtype=np.int32))

    def messages(self, batch: ColumnBatch) -> list[Message]:
        """Return one Arrow record per partition, and the garbage by the meter that sends it.

        Raises:
            TypeError: it is not a shipment.
        """
        if not isinstance(batch, Shipment):
            raise TypeError(f"a shipment is needed, this is {batch!r}")
        self.garbage_sent += len(batch.garbage)
        topic, partition = METERS_RAW.name, self.partition
        records = by_partition(topic, batch, partition[batch.sender]) if len(batch) else []
        return records + [_message(topic, int(partition[item.meter]), item.payload, 0) for item in batch.garbage]


@dataclass
class KafkaTickPublisher(Publisher):
    """Publishes ticks into `market.raw`, partitioned by `market/symbol` as the bridge does.

    Attributes:
        partition: int32[n], of each symbol.
        topic: where to.
    """

    partition: Partitions = field(default_factory=lambda: np.empty(0, dtype=np.int32))
    topic: str = MARKET_RAW.name

    def messages(self, batch: ColumnBatch) -> list[Message]:
        """Return Arrow records, each of one partition.

        Raises:
            TypeError: it is not cargo.
        """
        if not isinstance(batch, Cargo):
            raise TypeError(f"cargo is needed, this is {batch!r}")
        return by_partition(self.topic, batch, self.partition[batch.sender])


def by_partition(topic: str, cargo: Cargo, partition: Partitions) -> list[Message]:
    """Return Arrow records of some rows, which each go to their own partition, int32[n]; one where they fit into it."""
    order = np.argsort(partition, kind="stable")
    numbers, first = np.unique(partition[order], return_index=True)
    parts = zip(numbers.tolist(), np.split(order, first[1:]), strict=True)
    return [
        _message(topic, number, payload, count) for number, rows in parts for payload, count in _fitting(cargo, rows)
    ]


def _fitting(cargo: Cargo, rows: npt.NDArray[np.intp]) -> Iterator[tuple[bytes, int]]:
    """Yield rows as Arrow streams with their count, halved until each fits into a record of Kafka."""
    payload = write(cargo.take(rows))
    if len(payload) <= MAX_RECORD_BYTES or len(rows) == 1:
        yield payload, len(rows)
        return
    for half in np.array_split(rows, 2):
        yield from _fitting(cargo, half)


def _message(topic: str, partition: int, payload: bytes, readings: int) -> Message:
    return Message(f"{topic}/{partition}", payload, readings)
