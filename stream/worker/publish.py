"""What the worker produces: alerts and rejects as JSON objects, clean readings as columns."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import pyarrow as pa
from pydantic import BaseModel

from schemas.delivery import Delivery, Rows, Stored, StoredRows
from schemas.quality import FLAGS, nem12_text
from schemas.rejected import Rejected
from schemas.tick_rows import TickRows
from schemas.topics import ALERT_SIGNS, ARROW, MARKET_REJECTED, METERS_CLEAN, METERS_REJECTED
from stream.worker.producer import KafkaProducer, Outgoing

#: About 100 bytes a row: a record stays well below Kafka's 1 MB.
_ROWS_PER_RECORD = 4_000
#: What a clean record has beside the columns of a reading.
_ADDED = ("quality_flag", "anomaly_score", "failed_rules", "warned_rules", "rule_set", "nem12_quality", "espi_quality")
_FLAGS = pa.array([str(flag) for flag in FLAGS])


R = TypeVar("R", bound=StoredRows[Any])


@dataclass(frozen=True)
class Outlet(Generic[R]):
    """Where what comes of one topic goes.

    Attributes:
        rejected: topic of what could not be taken.
        clean: makes records of new rows: topic, partition, value; none for rows that nobody reads from a topic.
    """

    rejected: str
    clean: Callable[[R], list[tuple[str, int, bytes]]]


class Publisher(Generic[R]):
    """Produces what a delivery says and waits until Kafka has all of it.

    Args:
        producer: how it gets to Kafka.
        outlet: the topics.
    """

    def __init__(self, producer: KafkaProducer, outlet: Outlet[R]) -> None:
        self._producer = producer
        self._outlet = outlet

    async def publish(self, delivery: Delivery[R], stored: Stored, rejected: list[Rejected]) -> None:
        """Produce alerts, rejects and new readings.

        Raises:
            ServiceUnavailable: Kafka did not acknowledge all; doing it again is safe, ids are deterministic.
        """
        fresh = delivery.rows.where(stored.fresh)
        await self._producer.send(
            [
                *(Outgoing(self._outlet.rejected, item.reject_id, _json(item)) for item in rejected),
                *(Outgoing(ALERT_SIGNS.name, alert.element, _json(alert)) for alert in delivery.alerts),
                *(
                    Outgoing(topic, None, payload, partition, ARROW)
                    for topic, partition, payload in self._outlet.clean(fresh)
                ),
            ]
        )


def _json(item: BaseModel) -> bytes:
    return item.model_dump_json().encode()


def clean_records(rows: Rows) -> list[tuple[str, int, bytes]]:
    """Return stored readings as Arrow IPC records, per partition: the columns of a reading, its flag and score."""
    records: list[tuple[str, int, bytes]] = []
    for partition in np.unique(rows.partition).tolist():
        mine = rows.where(rows.partition == partition)
        table = pa.table(
            [
                *mine.batch.records.columns,
                _FLAGS.take(pa.array(mine.flag)),
                pa.array(mine.score, from_pandas=True),
                *(pa.array(values) for values in (mine.failed, mine.warned, mine.rule_set)),
                nem12_text(mine.nem12),
                pa.array(mine.espi),
            ],
            names=[*mine.batch.records.schema.names, *_ADDED],
        )
        for start in range(0, table.num_rows, _ROWS_PER_RECORD):
            sink = pa.BufferOutputStream()
            with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as stream:
                stream.write_table(table.slice(start, _ROWS_PER_RECORD))
            records.append((METERS_CLEAN.name, partition, bytes(sink.getvalue())))
    return records


METERS = Outlet(METERS_REJECTED.name, clean_records)
#: New ticks are read as bars.
MARKET = Outlet[TickRows](MARKET_REJECTED.name, lambda _rows: [])
