"""Small builders for tests: say what matters, and everything else is sound."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from schemas.codec import Decoded, decode
from schemas.delivery import NO_WATERMARK_US, Delivery, Progress, Rows
from schemas.layout import Layout, instant_of
from schemas.quality import ACTUAL
from schemas.readings import ReadingBatch
from schemas.windows import WindowAggregate
from stream.worker.intake import Record

#: 2024-01-01T00:00:00Z, a Monday [us].
START_US = 1_704_067_200_000_000
MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US
#: When records arrive unless a test says otherwise [us].
ARRIVED_US = START_US + 60 * DAY_US
TOPIC, TOPIC_ID = "meters.raw", "life-1"

JSON, ARROW = "application/json", "application/vnd.apache.arrow.stream"


def rfc3339(time_us: int) -> str:
    return datetime.fromtimestamp(time_us // 1_000_000, UTC).replace(microsecond=time_us % 1_000_000).isoformat()


def reading(meter_number: object = "M1", time_us: int = START_US, **fields: object) -> dict[str, object]:
    """One reading as its JSON object; `reading_time=...` replaces the time."""
    return {"meter_number": meter_number, "reading_time": rfc3339(time_us), **fields}


def payload(*readings: object) -> bytes:
    """One reading as an object, several as an array."""
    return json.dumps(readings[0] if len(readings) == 1 else readings).encode()


def batch(meters: Sequence[str] | str, times_us: Sequence[int] | int, **columns: Any) -> ReadingBatch:
    """Columns; a single meter number, time or value stands for every row."""
    wide = [value for value in (meters, times_us, *columns.values()) if isinstance(value, list | tuple | np.ndarray)]
    count = len(wide[0]) if wide else 1

    def spread(value: Any) -> Any:
        return value if isinstance(value, list | tuple | np.ndarray) else [value] * count

    filled = {name: spread(value) for name, value in columns.items()}
    return ReadingBatch.from_columns(meter_number=spread(meters), reading_time=np.array(spread(times_us)), **filled)


def decoded(payloads: Sequence[bytes], kinds: Sequence[str | None] | None = None) -> Decoded[ReadingBatch]:
    return decode(payloads, kinds or [None] * len(payloads), ReadingBatch)


def comparable(records: pa.RecordBatch, layout: Layout = ReadingBatch.layout) -> list[dict[str, object]]:
    """Rows as dictionaries without nulls, times as whole microseconds."""
    schema = layout.schema.set(layout.schema.get_field_index(layout.time), pa.field(layout.time, pa.int64()))
    rows: list[dict[str, object]] = records.cast(schema).to_pylist()
    return [{name: value for name, value in row.items() if value is not None} for row in rows]


def rows(
    of: ReadingBatch,
    meter_id: Sequence[int] | int = 1,
    *,
    partition: Sequence[int] | int = 0,
    offset: Sequence[int] | int = 0,
    newest: bool = True,
    flag: int = 0,
    score: float = float("nan"),
    failed: int = 0,
    arrived_us: int | None = None,
) -> Rows:
    n = len(of)

    def whole(value: Sequence[int] | int) -> Any:
        return np.broadcast_to(np.asarray(value, dtype=np.int64), n).copy()

    return Rows(
        batch=of,
        meter_id=whole(meter_id),
        flag=np.full(n, flag, dtype=np.int8),
        score=np.full(n, score, dtype=np.float32),
        shadow_score=np.full(n, np.nan, dtype=np.float32),
        why=np.full(n, None, dtype=object),
        failed=np.full(n, failed, dtype=np.int64),
        warned=np.zeros(n, dtype=np.int64),
        nem12=np.full(n, ACTUAL, dtype=np.int16),
        espi=np.ones(n, dtype=np.int16),
        rule_set=np.ones(n, dtype=np.int32),
        newest=np.full(n, newest),
        partition=whole(partition),
        offset=whole(offset),
        arrived_us=of.time_us.copy() if arrived_us is None else whole(arrived_us),
        mark_us=np.full(n, NO_WATERMARK_US, dtype=np.int64),
    )


def delivery(of: Rows, expected: int = 0, next_offset: int = 1, **changes: Any) -> Delivery:
    """One delivery of one partition, that of the first row."""
    partition = int(of.partition[0]) if len(of) else 0
    progress = Progress(partition, expected, next_offset, START_US, len(of), 0)
    return Delivery(
        **({"topic": TOPIC, "topic_id": TOPIC_ID, "rows": of, "alerts": [], "progress": [progress]} | changes)
    )


def record(
    offset: int,
    value: bytes,
    content_type: str | None = None,
    arrived_us: int = ARRIVED_US,
    source: str | None = None,
) -> Record:
    return Record(offset, value, content_type, arrived_us, source)


def aggregate(**changes: Any) -> WindowAggregate:
    """One window of a quarter-hour in which nothing was measured."""
    start = changes.get("window_start", instant_of(START_US))
    fields: dict[str, Any] = dict.fromkeys(WindowAggregate.model_fields)
    fields |= {"element": "grid", "window_start": start, "window_end": start + timedelta(minutes=15), "window_s": 900}
    fields |= {"state": "final", "revision": 0, "readings": 0, "energy_kwh": 0.0, "export_kwh": 0.0}
    fields |= {"demand_mean_kw": 0.0, "demand_peak_kw": 0.0, "demand_peak_at": start}
    return WindowAggregate(**(fields | changes))
