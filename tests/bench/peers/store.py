"""What every peer that batches writes with: COPY into staging, one INSERT that skips what is there, one commit.

It is what psycopg and PostgreSQL recommend for many rows. Redis and Kafka get theirs in pipelines.
"""

import os
from collections.abc import Iterable, Mapping
from typing import Any

import psycopg
import redis
from confluent_kafka import Producer
from job import Reading, Window  # peers run as scripts beside it

ALERTS, REJECTED = "alerts", "meters.rejected"
EXPIRY_S = 3_600
#: What the bench tells a peer, as BENCH_KAFKA and so on; `records` is how many make some 20,000 readings.
_TOLD = ("kafka", "database", "redis", "topic", "group", "records")

_COLUMNS = (
    "meter_id, reading_time, consumption_kwh, demand_kw, voltage, current_amps, power_factor, quality_flag, "
    "anomaly_score, source_partition, source_offset, arrived_at"
)
_STAGING = """
CREATE TEMP TABLE IF NOT EXISTS staged (
    meter_id bigint, time_us bigint, consumption_kwh float8, demand_kw float8, voltage float8, current_amps float8,
    power_factor float8, quality_flag text, anomaly_score float4, source_partition int4, source_offset int8,
    arrived_us bigint
) ON COMMIT DELETE ROWS
"""
_COPY = "COPY staged FROM STDIN"
_INSERT = f"""
INSERT INTO meter_readings ({_COLUMNS})
SELECT meter_id, timestamptz 'epoch' + time_us * interval '1 microsecond', consumption_kwh, demand_kw, voltage,
       current_amps, power_factor, quality_flag::quality_flag, anomaly_score, source_partition, source_offset,
       timestamptz 'epoch' + arrived_us * interval '1 microsecond'
FROM staged ON CONFLICT (meter_id, reading_time) DO NOTHING
"""
_WINDOWS = """
INSERT INTO window_totals (transformer_id, window_s, window_start, readings, energy_uwh, export_uwh, demand_peak_kw,
    voltage_count, voltage_sum_mv, voltage_min, voltage_max, restating)
SELECT transformer_id, 900, timestamptz 'epoch' + start_us * interval '1 microsecond', readings, energy_uwh, 0, peak,
    voltage_count, voltage_sum_mv, low, high, 0
FROM unnest(%s::int8[], %s::int8[], %s::int8[], %s::int8[], %s::int8[], %s::int8[], %s::float8[], %s::float8[],
    %s::float8[])
    AS w (transformer_id, start_us, readings, energy_uwh, voltage_count, voltage_sum_mv, peak, low, high)
ON CONFLICT (window_s, window_start, transformer_id, customer_class) DO UPDATE SET readings = excluded.readings,
    energy_uwh = excluded.energy_uwh, demand_peak_kw = excluded.demand_peak_kw,
    voltage_count = excluded.voltage_count, voltage_sum_mv = excluded.voltage_sum_mv,
    voltage_min = excluded.voltage_min, voltage_max = excluded.voltage_max
"""


def settings() -> dict[str, str]:
    """Return where everything is, as the bench tells its peers."""
    return {name: os.environ[f"BENCH_{name.upper()}"] for name in _TOLD}


def registry(database_url: str) -> dict[str, tuple[int, int]]:
    """Return meter number -> (meter id, transformer id)."""
    with psycopg.connect(database_url) as connection:
        rows = connection.execute("SELECT meter_number, meter_id, coalesce(transformer_id, 0) FROM smart_meters")
        return {number: (meter, box) for number, meter, box in rows}


class Store:
    """Rows and windows into PostgreSQL, newest values into Redis."""

    def __init__(self, database_url: str, redis_url: str) -> None:
        self._database = psycopg.connect(database_url, autocommit=True)
        self._database.execute(_STAGING)
        self._redis = redis.Redis.from_url(redis_url)

    def write(
        self,
        rows: Iterable[tuple[Reading, int, str, float]],
        windows: Mapping[tuple[int, int], Window] = {},
    ) -> None:
        """Write readings with their meter ids, flags and scores, and totals of windows, in one transaction.

        Args:
            rows: reading, meter id, flag, score (NaN: none).
            windows: (transformer id, start [us]) -> totals so far.
        """
        rows = list(rows)
        with self._database.transaction(), self._database.cursor() as cursor:
            if rows:
                with cursor.copy(_COPY) as copy:
                    for found, meter_id, flag, score in rows:
                        scored = None if score != score else score  # noqa: PLR0124 - NaN
                        copy.write_row((meter_id, *found[1:7], flag, scored, *found[7:10]))
                cursor.execute(_INSERT)
            if windows:
                cursor.execute(_WINDOWS, _columns(windows))
        if rows:
            self._keep_newest(rows)

    def _keep_newest(self, rows: list[tuple[Reading, int, str, float]]) -> None:
        newest: dict[str, Any] = {}
        for row in rows:
            known = newest.get(row[0].meter)
            if known is None or row[0].time_us > known[0].time_us:
                newest[row[0].meter] = row
        pipeline = self._redis.pipeline(transaction=False)
        for meter, (found, _, flag, score) in newest.items():
            key = f"meterstream:latest:meter:{meter}"
            reading = f"{found.energy_kwh} {found.voltage} {found.current_amps} {found.power_factor}"
            fields = {"time_us": found.time_us, "reading": reading, "quality_flag": flag, "anomaly_score": score}
            pipeline.hset(key, mapping=fields)
            pipeline.expire(key, EXPIRY_S)
        pipeline.execute()


def _columns(windows: Mapping[tuple[int, int], Window]) -> list[list[Any]]:
    keys, totals = list(windows), list(windows.values())
    return [
        [box for box, _ in keys],
        [start for _, start in keys],
        [w.readings for w in totals],
        [w.energy_uwh for w in totals],
        [w.voltage_count for w in totals],
        [w.voltage_sum_mv for w in totals],
        [w.demand_peak_kw for w in totals],
        [w.voltage_min for w in totals],
        [w.voltage_max for w in totals],
    ]


def producer(kafka: str) -> Producer:
    """Return a producer for alerts and rejects."""
    return Producer({"bootstrap.servers": kafka, "acks": "all", "linger.ms": 20})
