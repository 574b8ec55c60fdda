"""The statements of the store: offsets, meters, alerts and rejects."""

from collections.abc import Sequence
from typing import Any

from schemas.alerts import Alert
from schemas.delivery import NO_WATERMARK_US, Rows
from schemas.rejected import Rejected

# Of the table of readings: not Kafka's. With TimescaleDB there is nothing to do.
ADD_PARTITIONS = "SELECT add_readings_partitions(%s::timestamptz[])"

START_PARTITION = f"""
INSERT INTO stream_offsets (topic, topic_id, partition, next_offset, watermark_us)
VALUES (%s, %s, %s, %s, {NO_WATERMARK_US}) ON CONFLICT DO NOTHING
"""  # noqa: S608 - names are constants of this module
READ_POSITION = """
SELECT next_offset, watermark_us, (
    SELECT source FROM record_sources r
    WHERE (r.topic, r.topic_id, r.partition) = (s.topic, s.topic_id, s.partition) ORDER BY first_offset DESC LIMIT 1
)
FROM stream_offsets s WHERE topic = %s AND topic_id = %s AND partition = %s
"""
ADD_SOURCES = """
INSERT INTO record_sources (topic, topic_id, partition, first_offset, source)
SELECT %s, %s, n.* FROM unnest(%s::int[], %s::bigint[], %s::text[]) AS n
"""
# In the order of partitions, so that two workers that claim the same ones cannot lock each other out.
CLAIM = """
SELECT partition, next_offset FROM stream_offsets
WHERE topic = %s AND topic_id = %s AND partition = ANY(%s) ORDER BY partition FOR UPDATE
"""
_COUNTERS = ("readings", "stored", "duplicates", "rejected")
ADVANCE_COLUMNS = ("partition", "next_offset", "watermark_us", *_COUNTERS, "lost")
ADVANCE = f"""
UPDATE stream_offsets s
SET next_offset = n.next_offset, watermark_us = n.watermark_us,
    {", ".join(f"{name} = s.{name} + n.{name}" for name in _COUNTERS)},
    lost_records = s.lost_records + n.lost, updated_at = now()
FROM unnest(%s::int[], {", ".join(["%s::bigint[]"] * (len(ADVANCE_COLUMNS) - 1))})
    AS n ({", ".join(ADVANCE_COLUMNS)})
WHERE s.topic = %s AND s.topic_id = %s AND s.partition = n.partition
"""  # noqa: S608 - names are constants of this module

ADD_METERS = "INSERT INTO smart_meters (meter_number) SELECT unnest(%s::text[]) ON CONFLICT DO NOTHING"
FIND_METERS = """
SELECT m.meter_id, coalesce(m.transformer_id, 0)
FROM unnest(%s::text[]) WITH ORDINALITY AS wanted (meter_number, position)
JOIN smart_meters m USING (meter_number) ORDER BY wanted.position
"""
FIND_STANDING = """
SELECT m.customer_class, m.status
FROM unnest(%s::text[]) WITH ORDINALITY AS wanted (meter_number, position)
JOIN smart_meters m USING (meter_number) ORDER BY wanted.position
"""

_ALERT_FIELDS = {
    "alert_id": "text",
    "kind": "text",
    "severity": "text",
    "element": "text",
    "occurred_at": "timestamptz",
    "arrived_at": "timestamptz",
    "measured": "float8",
    "expected": "float8",
    "unit": "text",
    "score": "float4",
    "band": "float8",
    "reasons": "text",
    "message": "text",
}
_EXPLANATION_FIELDS = {
    "meter_id": "int8",
    "reading_time": "timestamptz",
    "kind": "text",
    "expected": "float8",
    "band": "float8",
    "unit": "text",
    "contributions": "text",
}
_REJECTED_FIELDS = {
    "reject_id": "text",
    "reason": "text",
    "detail": "text",
    "source": "text",
    "rejected_at": "timestamptz",
    "meter_number": "text",
    "payload": "text",
    "payload_encoding": "text",
    "payload_bytes": "int8",
}


def _add_many(table: str, fields: dict[str, str]) -> str:
    arrays = ", ".join(f"%s::{kind}[]" for kind in fields.values())
    return f"INSERT INTO {table} ({', '.join(fields)}) SELECT * FROM unnest({arrays}) ON CONFLICT DO NOTHING"  # noqa: S608 - names are constants of this module


ADD_EXPLANATIONS = _add_many("reading_explanations", _EXPLANATION_FIELDS)
ADD_ALERTS = _add_many("alert_signs", _ALERT_FIELDS)
ADD_REJECTED = _add_many("rejected_readings", _REJECTED_FIELDS)


def alert_arrays(alerts: Sequence[Alert]) -> list[list[Any]]:
    """Return the parameters of ADD_ALERTS."""
    return [[getattr(alert, name) for alert in alerts] for name in _ALERT_FIELDS]


def explanation_arrays(rows: Rows) -> list[list[Any]]:
    """Return the parameters of ADD_EXPLANATIONS for rows each of which has one."""
    told = zip(*rows.why.tolist(), strict=True)
    return [rows.meter_id.tolist(), rows.batch.column("reading_time").to_pylist(), *(list(column) for column in told)]


def rejected_arrays(rejected: Sequence[Rejected]) -> list[list[Any]]:
    """Return the parameters of ADD_REJECTED."""
    return [[getattr(item, name) for item in rejected] for name in _REJECTED_FIELDS]
