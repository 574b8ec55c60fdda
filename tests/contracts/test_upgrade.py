"""A database that was filled under an older schema is brought to the newest: no row is lost, and the engine goes on."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from sinks import migrations
from sinks.migrations import migrate, status
from sinks.totals import catch_up
from tests.builders import batch
from tests.contracts.test_windows_outbox import handed_on
from tests.contracts.writing import Writer

pytestmark = pytest.mark.integration

#: The first file that a database does not have yet -> what that schema lacked.
STAGES = {
    "014": "pieces by time, totals, places, elements, outages",
    "022": "alerts with a life, places, elements, outages",
    "026": "elements, outages",
    "030": "outages",
}
_BEGIN = datetime(2026, 1, 30, tzinfo=UTC)
_DAYS, _METERS, _A_DAY = 4, 6, 96
_KWH, _VOLTS = 0.25, 230.5
#: Tables that have another name now, and columns of which something else says what they said.
_RENAMED = {"alerts": "alert_signs"}
_GONE = {("vee_values", "transformer_id")}

_FILL = f"""
INSERT INTO substations (name, region) VALUES ('S1', 'North');
INSERT INTO feeders (name, substation_id) SELECT 'F' || n, substation_id FROM substations, generate_series(1, 2) n;
INSERT INTO transformers (name, feeder_id) SELECT 'T' || feeder_id, feeder_id FROM feeders;
INSERT INTO smart_meters (meter_number, transformer_id, customer_class, status)
SELECT 'M' || n, CASE WHEN n < {_METERS} THEN 1 + n % 2 END, 'residential', 'active'
FROM generate_series(1, {_METERS}) n;
INSERT INTO meter_readings (meter_id, reading_time, consumption_kwh, voltage, quality_flag, anomaly_score,
                            nem12_quality, source_partition, source_offset, arrived_at, failed_rules)
SELECT meter_id, t, {_KWH}, {_VOLTS}, 'warning', 0.5, 'A', 1, extract(epoch FROM t) / 900 - 1960000, t, 2
FROM smart_meters, generate_series(timestamptz '{_BEGIN}', timestamptz '{_BEGIN + timedelta(days=_DAYS)}'
                                   - interval '15 minutes', interval '15 minutes') t;
INSERT INTO window_totals (transformer_id, window_s, window_start, readings, energy_uwh, export_uwh, voltage_count,
                           voltage_sum_mv, voltage_min, voltage_max, restating)
SELECT coalesce(transformer_id, 0), s, reading_time, count(*), sum(consumption_kwh * 1e9), 0, count(*),
       sum(voltage * 1e3), min(voltage), max(voltage), 1
FROM meter_readings JOIN smart_meters USING (meter_id), (VALUES (60), (900)) l (s) GROUP BY 1, 2, 3;
INSERT INTO window_partials (transformer_id, window_s, window_start, readings, energy_uwh, export_uwh, voltage_count,
                             voltage_sum_mv, voltage_min, voltage_max, restating)
VALUES (1, 900, '{_BEGIN + timedelta(days=30)}', 1, 1000000, 0, 1, 230000, 230, 230, 0);
INSERT INTO stream_offsets (topic, topic_id, partition, next_offset, watermark_us, readings, stored)
SELECT 'meters.raw', 'life', 1, max(source_offset) + 1, extract(epoch FROM max(reading_time)) * 1e6, count(*), count(*)
FROM meter_readings;
INSERT INTO rejected_readings VALUES ('r1', 'not_json', 'why', 'meters.raw/0/7', now(), NULL, 'x', 'utf-8', 1);
INSERT INTO vee_rule_sets (version, name, checksum, content) VALUES (1, 'ours', 'abc', 'content');
INSERT INTO vee_rules VALUES (1, 'spike', 1, 'spike', 'energy', 'kWh');
INSERT INTO vee_values (meter_id, reading_time, version, kind, over_reading, consumption_kwh, quality_flag, rule_set,
                        method, nem12_quality, espi_quality, author, reason)
SELECT meter_id, timestamptz '{_BEGIN}' + interval '7 minutes', 1, 'estimate', false, 1.5, 'estimated', 1,
       'interpolate', 'E', 1, 'engine', 'missing' FROM smart_meters;
INSERT INTO outages (transformer, starts_at, ends_at, reason)
VALUES ('T1', '{_BEGIN}', '{_BEGIN}'::timestamptz + '1 h', 'work');
INSERT INTO meter_intervals (meter_id, interval_s, since) SELECT meter_id, 900, '{_BEGIN}' FROM smart_meters;
INSERT INTO missing_data (meter_id, hour, expected, received) SELECT meter_id, '{_BEGIN}', 4, 3 FROM smart_meters;
INSERT INTO reading_explanations SELECT meter_id, '{_BEGIN}', 'spike', 1, 0.5, 'kWh', '[]' FROM smart_meters;
INSERT INTO markets VALUES ('aemo_nem', 'AUD', 'Australia/Brisbane', 300);
INSERT INTO market_series (market, symbol, kind) VALUES ('aemo_nem', 'NSW1', 'settlement');
INSERT INTO market_ticks (series_id, tick_time, revision, starts_at, ends_at, price, quantity, quality_flag,
                          source_partition, source_offset, arrived_at)
SELECT 1, t, 0, t - interval '5 minutes', t, 80, 1, 'normal', 0, 1, t
FROM generate_series(timestamptz '{_BEGIN}', '{_BEGIN + timedelta(days=1)}', interval '5 minutes') t;
INSERT INTO region_zones VALUES ('North', 'aemo_nem', 'NSW1');
INSERT INTO hedges (region, starts_at, ends_at, quantity_mw) VALUES ('North', now(), now() + interval '1 h', 1.5);
"""
_ALERT = """
INSERT INTO {} (alert_id, kind, severity, element, occurred_at, arrived_at, measured, expected, unit, score, message)
VALUES ('a1', 'anomaly', 'warning', 'meter/M1', now(), now(), 1, 2, 'kWh', 0.9, 'much')
"""
_TABLES = """
SELECT c.relname, array_agg(a.attname::text ORDER BY a.attnum)
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
GROUP BY c.relname
"""

Connection = psycopg.Connection[Any]
Columns = dict[str, list[str]]


def filled(connection: Connection, stage: str) -> None:
    """Make a database of an older schema, with rows in its tables."""
    for file in status(connection):
        if file.applies and file.name < stage:
            migrations._apply(connection, file)
    if connection.execute("SELECT to_regproc('add_readings_partitions')").fetchone() != (None,):
        days = [_BEGIN + timedelta(days=day) for day in range(_DAYS + 1)]
        connection.execute("SELECT add_readings_partitions(%s)", (days,))
    connection.execute(_FILL.encode())
    signs = "alerts" if stage <= "022" else "alert_signs"
    connection.execute(_ALERT.format(signs).encode())
    if stage > "026":
        connection.execute(
            "INSERT INTO quarters_due SELECT DISTINCT window_start FROM window_totals WHERE window_s = 900"
        )


def tables(connection: Connection) -> Columns:
    found = dict(connection.execute(_TABLES).fetchall())
    found.pop("schema_migrations")
    return found


def contents(connection: Connection, columns: Columns) -> dict[str, Counter[tuple[Any, ...]]]:
    """Rows of each table that has any, in no order."""
    found = {}
    for table, names in columns.items():
        listed = ", ".join(f'"{name}"::text' for name in names)
        rows = connection.execute(f'SELECT {listed} FROM "{table}"'.encode()).fetchall()
        if rows:
            found[table] = Counter(rows)
    return found


@pytest.mark.parametrize("stage", STAGES)
async def test_every_row_stays_and_the_engine_goes_on(empty: str, stage: str) -> None:
    with psycopg.connect(empty, autocommit=True) as connection:
        connection.execute("SET timezone = 'UTC'")
        filled(connection, stage)
        columns = {
            table: [name for name in names if (table, name) not in _GONE] for table, names in tables(connection).items()
        }
        before = contents(connection, columns)
        told = connection.execute("SELECT * FROM window_aggregates ORDER BY 1, 3, 4").fetchall()
        assert {"meter_readings", "smart_meters", "window_totals", "vee_values", "market_ticks", "hedges"} <= set(
            before
        )

        applied = migrate(empty)

        assert min(applied) > stage
        renamed = _RENAMED if stage <= "022" else {}
        after = contents(connection, {renamed.get(table, table): columns[table] for table in before})
        assert after == {renamed.get(table, table): rows for table, rows in before.items()}
        width = len(told[0])
        assert [row[:width] for row in connection.execute("SELECT * FROM window_aggregates ORDER BY 1, 3, 4")] == told

        await goes_on(empty, connection)


async def goes_on(url: str, connection: Connection) -> None:
    """Totals and windows of elements are made of what was there; a repeat is known, and a new reading counts."""
    expected = _DAYS * _A_DAY * _KWH
    connection.execute("SET client_min_messages = warning")
    await handed_on(url)
    await catch_up(url, 0)
    energy = "SELECT sum(energy_kwh) FROM meter_days WHERE meter_number = 'M6'"
    assert connection.execute(energy).fetchone() == (expected,)
    days = (
        "SELECT element, energy_kwh FROM element_beliefs WHERE window_s = 86400 AND customer_class IS NULL "
        "AND window_start = %s AND believed_until = 'infinity' ORDER BY 1"
    )
    feeders = [row for row in connection.execute(days, (_BEGIN + timedelta(days=1),)) if row[0].startswith("feeder/")]
    assert feeders == [("feeder/F1", 2 * _A_DAY * _KWH), ("feeder/F2", 3 * _A_DAY * _KWH)]

    writer = Writer(url, workers=1)
    new_us, old_us = (round(at.timestamp() * 1e6) for at in (_BEGIN + timedelta(days=1, minutes=5), _BEGIN))
    await writer.write(batch("M6", [old_us, new_us], consumption_kwh=[_KWH, 7.0], voltage=_VOLTS))
    await writer.close()
    counts = "SELECT stored, duplicates FROM stream_offsets WHERE topic_id = 'life' AND partition = 0"
    assert connection.execute(counts).fetchone() == (1, 1)
    await catch_up(url, 0)
    assert connection.execute(energy).fetchone() == (expected + 7.0,)
