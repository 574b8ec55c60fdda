"""What the worker produces: alerts and rejects as JSON objects, clean readings as columns."""

import asyncio
from collections.abc import Awaitable
from typing import Any

import numpy as np
import pyarrow as pa
from aiokafka.errors import KafkaError
from faust.exceptions import ProducerSendError

from schemas.delivery import Delivery, Rows, Stored
from schemas.errors import ServiceUnavailable
from schemas.quality import FLAGS
from schemas.rejected import Rejected
from schemas.topics import ALERTS, ARROW, CONTENT_TYPE, JSON, METERS_CLEAN, METERS_REJECTED

_ARROW_HEADER = {CONTENT_TYPE: ARROW.encode()}
_JSON_HEADER = {CONTENT_TYPE: JSON.encode()}
#: About 100 bytes a row: a record stays well below Kafka's 1 MB.
_ROWS_PER_RECORD = 4_000
_FLAGS = pa.array([str(flag) for flag in FLAGS])


class Publisher:
    """Produces what a delivery says and waits until Kafka has all of it.

    Args:
        app: the Faust application, whose producer is used.
    """

    def __init__(self, app: Any) -> None:
        self._app = app

    async def publish(self, delivery: Delivery, stored: Stored, rejected: list[Rejected]) -> None:
        """Produce alerts, rejects and new readings.

        Raises:
            ServiceUnavailable: Kafka did not acknowledge all; doing it again is safe, ids are deterministic.
        """
        try:
            waiting = [
                await self._send(METERS_REJECTED.name, item.reject_id, item.model_dump_json().encode())
                for item in rejected
            ]
            waiting += [
                await self._send(ALERTS.name, alert.element, alert.model_dump_json().encode())
                for alert in delivery.alerts
            ]
            fresh = delivery.rows.where(stored.fresh) if stored.fresh.any() else None
            for partition, payload in clean_records(fresh):
                waiting.append(await self._produce(METERS_CLEAN.name, None, payload, partition, _ARROW_HEADER))
            await asyncio.gather(*waiting)
        except (KafkaError, ProducerSendError) as error:
            raise ServiceUnavailable("kafka", error) from error

    async def _send(self, topic: str, key: str, value: bytes) -> Awaitable[Any]:
        return await self._produce(topic, key.encode(), value, None, _JSON_HEADER)

    async def _produce(
        self, topic: str, key: bytes | None, value: bytes, partition: int | None, headers: dict[str, bytes]
    ) -> Awaitable[Any]:
        sent: Awaitable[Any] = await self._app.producer.send(topic, key, value, partition, None, headers)
        return sent


def clean_records(rows: Rows | None) -> list[tuple[int, bytes]]:
    """Return stored readings as Arrow IPC records, per partition: the columns of a reading, its flag and score."""
    records: list[tuple[int, bytes]] = []
    if rows is None:
        return records
    for partition in np.unique(rows.partition).tolist():
        mine = rows.where(rows.partition == partition)
        table = pa.table(
            [
                *mine.batch.records.columns,
                _FLAGS.take(pa.array(mine.flag)),
                pa.array(mine.score, from_pandas=True),
            ],
            names=[*mine.batch.records.schema.names, "quality_flag", "anomaly_score"],
        )
        for start in range(0, table.num_rows, _ROWS_PER_RECORD):
            sink = pa.BufferOutputStream()
            with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as stream:
                stream.write_table(table.slice(start, _ROWS_PER_RECORD))
            records.append((partition, bytes(sink.getvalue())))
    return records
