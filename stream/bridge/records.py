"""MQTT messages to Kafka records: decoded as columns, split by partition, bounded in size; pure."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from processors.partition import partition_of
from schemas import arrow_codec, topics
from schemas.codec import decode
from schemas.faults import Fault
from schemas.layout import ColumnBatch
from schemas.readings import ReadingBatch
from schemas.rejected import Reason, Rejected
from schemas.ticks import TickBatch
from stream.bridge.packets import Messages

#: Kafka takes records of up to 1 MiB by default; a tenth is left for the envelope [bytes].
MAX_RECORD_BYTES = 900_000
#: A worker takes many records at once; smaller ones let it bound its own batches.
MAX_RECORD_ROWS = 5_000
#: Lets the producer choose by the key, as it does for any other client.
ANY_PARTITION = -1


@dataclass(frozen=True, slots=True)
class Record:
    """One Kafka record."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes
    content_type: str
    timestamp_ms: int


@dataclass(frozen=True)
class Feed:
    """One kind of input.

    Attributes:
        name: bounded label for metrics.
        batch: its columns.
        raw: Kafka topic for what is readable.
        rejected: Kafka topic for what is not.
    """

    name: str
    batch: type[ColumnBatch]
    raw: str
    rejected: str

    def keys(self, batch: ColumnBatch) -> pa.StringArray:
        """Return the partition key of each row: its identity columns joined by `/`."""
        columns = [batch.column(name) for name in self.batch.layout.identity]
        return columns[0] if len(columns) == 1 else pc.binary_join_element_wise(*columns, "/")


METERS = Feed("meters", ReadingBatch, topics.METERS_RAW.name, topics.METERS_REJECTED.name)
MARKET = Feed("market", TickBatch, topics.MARKET_RAW.name, topics.MARKET_REJECTED.name)
#: A topic that fits no filter of ours; the market's are told by their first level.
STRAYS = Feed("unknown", ReadingBatch, METERS.raw, METERS.rejected)
MARKET_STRAYS = Feed("unknown", TickBatch, MARKET.raw, MARKET.rejected)


@dataclass
class Converted:
    """What became of some messages."""

    records: list[Record] = field(default_factory=list)
    messages: Counter[str] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)


def feed_of(topic: bytes) -> Feed:
    """Return the feed of an MQTT topic, a stray one where no level may be empty or the shape is not ours."""
    levels = topic.split(b"/")
    if len(levels) == 3 and levels[1]:
        if (levels[0] == b"meters" and levels[2] == b"reading") or (
            levels[0] == b"concentrators" and levels[2] == b"readings"
        ):
            return METERS
    elif len(levels) == 4 and levels[0] == b"market" and levels[3] == b"tick" and levels[1] and levels[2]:
        return MARKET
    return MARKET_STRAYS if levels[0] == b"market" else STRAYS


def convert(
    messages: Messages, arrived_s: float, partitions: Mapping[str, int], *, max_payload_bytes: int
) -> Converted:
    """Turn messages into records; every message's content is in exactly one of them, readable or rejected.

    A reading is taken for the meter that its payload names; the meter in the MQTT topic is for routing only.

    Args:
        messages: in any mixture of feeds.
        arrived_s: their arrival [s since 1970].
        partitions: partitions of each raw topic.
        max_payload_bytes: a longer payload is rejected.
    """
    done = Converted()
    rows_of: dict[Feed, list[int]] = {}
    for row, topic in enumerate(messages.topics):
        rows_of.setdefault(feed_of(topic), []).append(row)
    for feed, rows in rows_of.items():
        done.messages[feed.name] += len(rows)
        payloads = [messages.payloads[row] for row in rows]
        if feed in (STRAYS, MARKET_STRAYS):
            detail = "no feed has such a topic"
            faults = [Fault(index, Reason.UNKNOWN_TOPIC, detail, payload) for index, payload in enumerate(payloads)]
        else:
            kinds = [messages.content_types[row] for row in rows]
            decoded = decode(payloads, kinds, feed.batch, max_payload_bytes=max_payload_bytes)
            faults = decoded.faults
            done.rows[feed.name] += len(decoded.batch)
            done.records += split(decoded.batch, feed, partitions[feed.raw], int(arrived_s * 1000))
        for fault in faults:
            done.rejected[fault.reason.value] += 1
            done.records.append(_rejection(fault, messages.topics[rows[fault.source]], feed, arrived_s))
    return done


def split(batch: ColumnBatch, feed: Feed, partitions: int, timestamp_ms: int) -> Iterator[Record]:
    """Yield the rows of each partition as records, in the order they came."""
    if not len(batch):
        return
    found = partition_of(feed.keys(batch), partitions)
    order = np.argsort(found, kind="stable")
    ordered = batch.take(order)
    bounds = np.searchsorted(found[order], np.arange(partitions + 1))
    for partition in range(partitions):
        start, stop = int(bounds[partition]), int(bounds[partition + 1])
        for first in range(start, stop, MAX_RECORD_ROWS):
            piece = ordered.slice(first, min(MAX_RECORD_ROWS, stop - first))
            for value in _values(piece):
                yield Record(feed.raw, partition, None, value, topics.ARROW, timestamp_ms)


def _values(piece: ColumnBatch) -> Iterator[bytes]:
    """Yield rows as Arrow streams, halved until each fits: long texts can make even few rows large."""
    value = arrow_codec.write(piece)
    if len(value) <= MAX_RECORD_BYTES or len(piece) == 1:
        yield value
        return
    middle = len(piece) // 2
    yield from _values(piece.slice(0, middle))
    yield from _values(piece.slice(middle, len(piece) - middle))


def _rejection(fault: Fault, topic: bytes, feed: Feed, arrived_s: float) -> Record:
    source = f"mqtt:{topic.decode(errors='replace')}"
    rejected: Rejected = fault.as_rejected(source, datetime.fromtimestamp(arrived_s, UTC))
    return Record(
        feed.rejected,
        ANY_PARTITION,
        rejected.reject_id.encode(),
        rejected.model_dump_json().encode(),
        topics.JSON,
        int(arrived_s * 1000),
    )
