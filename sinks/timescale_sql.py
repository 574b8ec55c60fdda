"""The statements of the store, and the columns that its COPYs carry."""

from collections.abc import Sequence
from typing import Any

from processors.windows import WindowPartials
from schemas.alerts import Alert
from schemas.delivery import NO_WATERMARK_US, Rows
from schemas.registry import RegistryEntry
from schemas.rejected import Rejected
from sinks.copy_binary import CopyColumn, instant, number

COPY_WINDOWS = (
    "COPY window_partials (transformer_id, window_s, window_start, readings, energy_uwh, export_uwh, demand_peak_kw, "
    "voltage_count, voltage_sum_mv, voltage_min, voltage_max, restating) FROM STDIN (FORMAT BINARY)"
)

# Of the table of readings: not Kafka's. With TimescaleDB there is nothing to do.
ADD_PARTITIONS = "SELECT add_readings_partitions(%s::timestamptz[])"

START_PARTITION = f"""
INSERT INTO stream_offsets (topic, topic_id, partition, next_offset, watermark_us)
VALUES (%s, %s, %s, %s, {NO_WATERMARK_US}) ON CONFLICT DO NOTHING
"""  # noqa: S608 - names are constants of this module
READ_POSITION = (
    "SELECT next_offset, watermark_us FROM stream_offsets WHERE topic = %s AND topic_id = %s AND partition = %s"
)
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

# The newest entry of a batch wins; an element keeps what it had where the entry does not say.
REGISTER = """
WITH entries AS (
    SELECT DISTINCT ON (meter_number) * FROM unnest(
        %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[]
    ) WITH ORDINALITY AS e (meter_number, transformer, feeder, substation, region, customer_class, status, position)
    ORDER BY meter_number, position DESC
), stations AS (
    INSERT INTO substations AS s (name, region)
    SELECT DISTINCT ON (substation) substation, region FROM entries WHERE substation IS NOT NULL
    ON CONFLICT (name) DO UPDATE SET region = coalesce(excluded.region, s.region)
    RETURNING substation_id, name
), lines AS (
    INSERT INTO feeders AS f (name, substation_id)
    SELECT DISTINCT ON (e.feeder) e.feeder, s.substation_id
    FROM entries e LEFT JOIN stations s ON s.name = e.substation WHERE e.feeder IS NOT NULL
    ON CONFLICT (name) DO UPDATE SET substation_id = coalesce(excluded.substation_id, f.substation_id)
    RETURNING feeder_id, name
), boxes AS (
    INSERT INTO transformers AS t (name, feeder_id)
    SELECT DISTINCT ON (e.transformer) e.transformer, f.feeder_id
    FROM entries e LEFT JOIN lines f ON f.name = e.feeder WHERE e.transformer IS NOT NULL
    ON CONFLICT (name) DO UPDATE SET feeder_id = coalesce(excluded.feeder_id, t.feeder_id)
    RETURNING transformer_id, name
)
INSERT INTO smart_meters AS m (meter_number, transformer_id, customer_class, status)
SELECT e.meter_number, b.transformer_id, e.customer_class, e.status
FROM entries e LEFT JOIN boxes b ON b.name = e.transformer
ORDER BY e.meter_number
ON CONFLICT (meter_number) DO UPDATE
SET transformer_id = excluded.transformer_id, customer_class = excluded.customer_class, status = excluded.status
"""
# A region has one zone: that of the newest entry that names one.
KEEP_ZONES = """
INSERT INTO region_zones (region, market, symbol)
SELECT DISTINCT ON (region) region, split_part(zone, '/', 1), split_part(zone, '/', 2)
FROM unnest(%s::text[], %s::text[]) WITH ORDINALITY AS e (region, zone, position)
WHERE region IS NOT NULL AND zone IS NOT NULL
ORDER BY region, position DESC
ON CONFLICT (region) DO UPDATE SET market = excluded.market, symbol = excluded.symbol
"""
_REGISTRY_FIELDS = ("meter_number", "transformer", "feeder", "substation", "region", "customer_class", "status")

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


def zone_arrays(entries: Sequence[RegistryEntry]) -> list[list[Any]]:
    """Return the parameters of KEEP_ZONES."""
    return [[getattr(entry, name) for entry in entries] for name in ("region", "zone")]


def registry_arrays(entries: Sequence[RegistryEntry]) -> list[list[Any]]:
    """Return the parameters of REGISTER."""
    return [[getattr(entry, name) for entry in entries] for name in _REGISTRY_FIELDS]


def window_columns(partials: WindowPartials) -> list[CopyColumn]:
    """Return the columns of COPY_WINDOWS."""
    return [
        number(partials.group_id, ">i8"),
        number(partials.window_s, ">i4"),
        instant(partials.start_us),
        number(partials.readings, ">i8"),
        number(partials.energy_uwh, ">i8"),
        number(partials.export_uwh, ">i8"),
        number(partials.demand_peak_kw, ">f8"),
        number(partials.voltage_count, ">i8"),
        number(partials.voltage_sum_mv, ">i8"),
        number(partials.voltage_min, ">f8"),
        number(partials.voltage_max, ">f8"),
        number(partials.restating, ">i8"),
    ]
