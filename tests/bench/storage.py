"""What storage comes to: writing into pieces, totals, compression, and the questions of panels.

`python -m tests.bench.storage --rows 5000000 --database-url postgresql://...` makes a database `storage_bench` beside
the one named, fills it with a simulated fleet, measures, writes a report with every plan, and drops it again.
"""

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import numpy as np
import psycopg

from schemas.readings import ReadingBatch
from simulators.fleet import Fleet
from simulators.grid import Grid
from simulators.registry import registry
from sinks.copy_binary import encode
from sinks.migrations import migrate
from sinks.readings_table import READINGS
from sinks.totals import catch_up
from tests.builders import rows as as_rows

NAME = "storage_bench"
INTERVAL_S, SEED, DELIVERY = 900, 6, 25_000
#: Segments and orders of compression that are held against each other: name -> segment by, order by.
ALTERNATIVES = {
    "segments of a meter, by time": ("meter_id", "reading_time"),
    "segments of a meter, newest first": ("meter_id", "reading_time DESC"),
    "no segments, by meter and time": ("", "meter_id, reading_time"),
    "no segments, by time and meter": ("", "reading_time, meter_id"),
    "segments of a partition, by meter and time": ("source_partition", "meter_id, reading_time"),
}
MONTHS = "SELECT add_readings_partitions(array_agg(t)) FROM generate_series(%s, %s, interval '1 day') AS t"
#: Questions of panels; `now`, `meter` and `feeder` are filled in.
QUESTIONS = {
    "newest reading of a meter": "SELECT * FROM meter_latest WHERE meter_number = {meter}",
    "newest reading of every meter": "SELECT meter_number, reading_time, consumption_kwh FROM meter_latest",
    "a meter's last week, best, by the hour": (
        "SELECT * FROM resample({meter}, {now} - interval '7 days', {now}, '1 hour', 'best', 'interpolate')"
    ),
    "a meter's last 30 days by hour": (
        "SELECT * FROM meter_hours WHERE meter_number = {meter} AND hour >= {now} - interval '30 days' ORDER BY hour"
    ),
    "a meter's days": "SELECT * FROM meter_days WHERE meter_number = {meter} ORDER BY day",
    "a meter's months": "SELECT * FROM meter_months WHERE meter_number = {meter} ORDER BY month",
    "load of a feeder by hour, last week": (
        "SELECT h.hour, sum(h.energy_kwh) FROM meter_hours h JOIN smart_meters m USING (meter_id) "
        "JOIN transformers t USING (transformer_id) JOIN feeders f USING (feeder_id) "
        "WHERE f.name = {feeder} AND h.hour >= {now} - interval '7 days' GROUP BY 1 ORDER BY 1"
    ),
    "load of all by hour, last day": (
        "SELECT starts_at, sum(energy_uwh) / 1e12 FROM meter_hour_totals WHERE starts_at >= {now} - interval '1 day' "
        "GROUP BY 1 ORDER BY 1"
    ),
    "the ten meters that used most in a week, best": (
        "SELECT * FROM top_meters(({now} - interval '7 days')::date, ({now} - interval '1 day')::date)"
    ),
    "the ten feeders that used most in a week, best": (
        "SELECT * FROM top_elements('feeder', ({now} - interval '7 days')::date, ({now} - interval '1 day')::date)"
    ),
    "the ten meters with the worst voltage yesterday": (
        "SELECT meter_number, voltage_outside_share FROM meter_days "
        "WHERE starts_at = date_trunc('day', {now} - interval '1 day', 'UTC') ORDER BY 2 DESC NULLS LAST, 1 LIMIT 10"
    ),
}


@dataclass
class Bench:
    """One run.

    Attributes:
        connection: to the database that is filled.
        url: of it.
        timescale: whether it has TimescaleDB.
        meters: of the fleet.
        steps: intervals of each.
        end: of the last one.
    """

    connection: psycopg.Connection
    url: str
    timescale: bool
    meters: int
    steps: int
    end: datetime

    def one(self, statement: str, *parameters: object) -> Any:
        row = self.connection.execute(statement.encode(), parameters).fetchone()
        return row[0] if row else None


@contextmanager
def prepared(server_url: str, meters: int, rows: int) -> Iterator[Bench]:
    """Give a migrated database of our own with the registry of the fleet, and drop it afterwards."""
    url = urlunsplit(urlsplit(server_url)._replace(path=NAME))
    with psycopg.connect(server_url, autocommit=True) as server:
        server.execute(f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)")
        server.execute(f"CREATE DATABASE {NAME}")
        try:
            applied = migrate(url)
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("SET timezone = 'UTC'")
                end = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
                yield Bench(
                    connection, url, any(".timescaledb." in name for name in applied), meters, rows // meters, end
                )
        finally:
            server.execute(f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)")


def register(bench: Bench, grid: Grid) -> dict[str, int]:
    """Register the fleet; return the key of each meter."""
    known = registry(grid).to_pylist()
    with bench.connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE known (meter text, box text, feeder text, class text)")
        with cursor.copy("COPY known FROM STDIN") as copy:
            for row in known:
                copy.write_row((row["meter_number"], row["transformer"], row["feeder"], row["class"]))
        cursor.execute("INSERT INTO feeders (name) SELECT DISTINCT feeder FROM known")
        cursor.execute("INSERT INTO transformers (name, feeder_id) SELECT DISTINCT box, feeder_id FROM known "
                       "JOIN feeders ON name = feeder")  # fmt: skip
        cursor.execute("INSERT INTO smart_meters (meter_number, transformer_id, customer_class, status) "
                       "SELECT meter, transformer_id, class, 'active' FROM known JOIN transformers ON name = box "
                       "ORDER BY 1")  # fmt: skip
        cursor.execute("ANALYZE smart_meters, transformers, feeders")
        return dict(cursor.execute("SELECT meter_number, meter_id FROM smart_meters").fetchall())


def encoded(batch: ReadingBatch, keys: dict[str, int], offset: int) -> bytes:
    """Return readings as the store copies them, in the order of the unique index."""
    meter_id = np.array([keys[name] for name in batch.meter_number.to_pylist()])
    found = as_rows(batch, meter_id, offset=offset, partition=meter_id % 8)
    return encode(READINGS.encode(found.take(np.lexsort((batch.time_us, meter_id)))))


def copy(bench: Bench, table: str, data: bytes) -> float:
    began = time.perf_counter()
    with bench.connection.cursor() as cursor, cursor.copy(READINGS.copy_new.replace("meter_readings", table)) as stream:
        stream.write(data)
    return time.perf_counter() - began


def side_by_side(bench: Bench, fleet: Fleet, keys: dict[str, int]) -> float:
    """Return how long COPY takes into the table in pieces, as a multiple of the same into one without."""
    bench.connection.execute(
        "CREATE TABLE whole (LIKE meter_readings INCLUDING DEFAULTS, PRIMARY KEY (meter_id, reading_time))"
    )
    bench.connection.execute(
        "CREATE INDEX ON whole (reading_time, meter_id) WHERE failed_rules <> 0 OR warned_rules <> 0"
    )
    steps = max(1, DELIVERY // bench.meters)
    start = bench.end - timedelta(seconds=24 * steps * INTERVAL_S)
    bench.connection.execute(MONTHS, (start, bench.end + timedelta(days=1)))
    took: dict[str, list[float]] = {"whole": [], "meter_readings": []}
    for turn, batch in enumerate(fleet.readings(start, steps * 24, INTERVAL_S, batch_rows=DELIVERY)):
        data = encoded(batch, keys, turn)
        for table in sorted(took, reverse=bool(turn % 2)):
            took[table].append(copy(bench, table, data))
    bench.connection.execute("DROP TABLE whole")
    bench.connection.execute("TRUNCATE meter_readings")
    return statistics.median(took["meter_readings"]) / statistics.median(took["whole"])


def fill(bench: Bench, fleet: Fleet, keys: dict[str, int]) -> float:
    """Write all readings; return rows per second."""
    start = bench.end - timedelta(seconds=bench.steps * INTERVAL_S)
    bench.connection.execute(MONTHS, (start, bench.end + timedelta(days=1)))
    rows, took = 0, 0.0
    for turn, batch in enumerate(fleet.readings(start, bench.steps, INTERVAL_S, batch_rows=200_000)):
        took += copy(bench, "meter_readings", encoded(batch, keys, turn))
        rows += len(batch)
    bench.connection.execute("VACUUM ANALYZE meter_readings")
    return rows / took


def sum_up(bench: Bench) -> float:
    """Make all totals; return how long that took [s]."""
    began = time.perf_counter()
    if bench.timescale:
        for (name,) in bench.connection.execute(
            "SELECT view_name FROM timescaledb_information.continuous_aggregates"
        ).fetchall():
            bench.connection.execute(f"CALL refresh_continuous_aggregate('{name}', NULL, now() - interval '1 hour')")
    else:
        bench.connection.execute(
            "INSERT INTO total_backlog SELECT d::date FROM generate_series(%s, %s, interval '1 day') AS d",
            (bench.end - timedelta(seconds=bench.steps * INTERVAL_S), bench.end),
        )
        while bench.one("SELECT count(*) FROM total_backlog"):
            asyncio.run(catch_up(bench.url, 0))
    took = time.perf_counter() - began
    bench.connection.execute("VACUUM ANALYZE")
    return took


def compressed(bench: Bench) -> dict[str, float]:
    """Return how many times smaller a chunk is under each alternative, and the whole table under ours."""
    found = dict[str, float]()
    statistics_of = (
        "SELECT before_compression_total_bytes::float8 / after_compression_total_bytes "
        "FROM hypertable_compression_stats(%s)"
    )
    week = (bench.end - timedelta(days=8), bench.end - timedelta(days=4))
    for name, (segments, order) in ALTERNATIVES.items():
        bench.connection.execute(
            "CREATE TABLE tried (LIKE meter_readings INCLUDING DEFAULTS, PRIMARY KEY (meter_id, reading_time))"
        )
        bench.connection.execute(
            "SELECT create_hypertable('tried', 'reading_time', chunk_time_interval => interval '30 days')"
        )
        bench.connection.execute(
            f"ALTER TABLE tried SET (timescaledb.compress, timescaledb.compress_segmentby = '{segments}', "
            f"timescaledb.compress_orderby = '{order}')"
        )
        bench.connection.execute(
            "INSERT INTO tried SELECT * FROM meter_readings WHERE reading_time BETWEEN %s AND %s", week
        )
        bench.connection.execute("SELECT compress_chunk(c) FROM show_chunks('tried') AS c")
        found[name] = bench.one(statistics_of, "tried")
        bench.connection.execute("DROP TABLE tried")
    began = time.perf_counter()
    bench.connection.execute(
        "SELECT compress_chunk(c) FROM show_chunks('meter_readings', older_than => interval '7 days') AS c"
    )
    found["meter_readings, all chunks older than a week"] = bench.one(statistics_of, "meter_readings")
    print(f"compressed in {time.perf_counter() - began:.0f} s")
    bench.connection.execute("VACUUM ANALYZE")
    return found


def asked(bench: Bench) -> dict[str, dict[str, Any]]:
    """Ask every question three times after a first one; return median and plan."""
    meter, feeder = bench.one("SELECT max(meter_number) FROM smart_meters"), bench.one("SELECT min(name) FROM feeders")
    found = dict[str, dict[str, Any]]()
    for name, question in QUESTIONS.items():
        statement = question.format(
            meter=f"'{meter}'", feeder=f"'{feeder}'", now=f"timestamptz '{bench.end.isoformat()}'"
        )
        took = list[float]()
        for _ in range(4):
            began = time.perf_counter()
            rows = len(bench.connection.execute(statement.encode()).fetchall())
            took.append(time.perf_counter() - began)
        plan = bench.connection.execute(f"EXPLAIN (ANALYZE, COSTS OFF, SUMMARY) {statement}".encode()).fetchall()
        found[name] = {"median_ms": 1e3 * statistics.median(took[1:]), "first_ms": 1e3 * took[0], "rows": rows,
                       "plan": [line for (line,) in plan]}  # fmt: skip
        print(
            f"{name:48} {found[name]['median_ms']:8.1f} ms  ({found[name]['first_ms']:.0f} ms at first, {rows:,} rows)"
        )
    return found


def main() -> None:
    """Measure, print, and write the report."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--database-url", required=True, help="any database of the server; its role may create some")
    arguments.add_argument("--rows", type=int, default=5_000_000)
    arguments.add_argument("--meters", type=int, default=0, help="by default as many as make 50 days")
    arguments.add_argument("--report", type=Path, default=Path("report-storage.json"))
    given = arguments.parse_args()
    meters = given.meters or max(100, given.rows // 4_800)
    with prepared(given.database_url, meters, given.rows) as bench:
        grid = Grid.build(meters, SEED)
        fleet, keys = Fleet(grid, SEED), register(bench, grid)
        report: dict[str, Any] = {"timescaledb": bench.timescale, "meters": meters, "rows": meters * bench.steps}
        print(
            f"{'TimescaleDB' if bench.timescale else 'plain PostgreSQL'}: {report['rows']:,} rows of {meters:,} meters"
        )
        report["copy_ratio"] = side_by_side(bench, fleet, keys)
        print(f"COPY in pieces takes {report['copy_ratio']:.2f} times as long as into one table")
        report["rows_per_s"] = fill(bench, fleet, keys)
        print(f"filled at {report['rows_per_s']:,.0f} rows/s")
        report["totals_s"] = sum_up(bench)
        print(f"totals in {report['totals_s']:.0f} s")
        if bench.timescale:
            report["compression"] = compressed(bench)
            for name, ratio in report["compression"].items():
                print(f"{name:48} {ratio:8.1f} times smaller")
        report["questions"] = asked(bench)
    given.report.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
