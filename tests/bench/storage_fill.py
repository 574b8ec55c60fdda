"""A database of its own, filled with a simulated fleet: readings, windows of its elements, totals, findings.

Readings are those of the simulator, a day of the whole fleet at a time, written as the store writes them; windows are
summed up by the engine's own arithmetic and merged upwards by the engine. What was begun can be gone on with.
"""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import click
import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.compute as pc

from processors.windows import Windowing, summarise
from schemas.delivery import Rows
from schemas.layout import Ints
from schemas.quality import ANOMALY, WARNING
from schemas.readings import ReadingBatch
from schemas.windows import EN_50160, WINDOW_LENGTHS_S
from simulators.fleet import Fleet
from simulators.grid import Grid
from simulators.registry import registry
from sinks.copy_binary import encode
from sinks.element_merge import merge
from sinks.migrations import migrate
from sinks.readings_table import READINGS
from sinks.totals import catch_up
from sinks.windows_table import COPY_WINDOWS, window_columns
from tests.builders import rows as as_rows

NAME = "storage_bench"
INTERVAL_S, SEED, STEPS_A_DAY = 900, 6, 96
#: Rows of one COPY.
_AT_ONCE = 200_000
#: Readings that a rule warns of, and that are anomalies with an explanation, of all.
_WARNED, _UNUSUAL = 0.01, 0.0005
MONTHS = "SELECT add_readings_partitions(array_agg(t)) FROM generate_series(%s, %s, interval '1 day') AS t"
_RUN = (
    "CREATE TABLE IF NOT EXISTS bench_run "
    "(meters bigint, days integer, ends_at timestamptz, done integer, summed boolean NOT NULL DEFAULT false)"
)
_FINDINGS = """
INSERT INTO vee_rules VALUES (1, 'spike', 1, 'spike', 'energy', 'kWh') ON CONFLICT DO NOTHING;
INSERT INTO missing_data (meter_id, hour, expected, received)
SELECT meter_id, h, 4, 3 FROM smart_meters, generate_series(%(first)s, %(last)s, interval '1 hour') h
WHERE (meter_id * 7919 + extract(epoch FROM h)::bigint / 3600) %% 200 = 0 ON CONFLICT DO NOTHING;
INSERT INTO vee_values (meter_id, reading_time, version, kind, over_reading, consumption_kwh, quality_flag, rule_set,
                        method, confidence, nem12_quality, espi_quality, author, reason)
SELECT meter_id, hour + interval '7 minutes', 1, 'estimate', false, 0.2, 'estimated', 1, 'interpolate', 0.9, 'E', 1,
       'engine', 'missing' FROM missing_data WHERE hour BETWEEN %(first)s AND %(last)s ON CONFLICT DO NOTHING;
INSERT INTO reading_explanations
SELECT meter_id, reading_time, 'high_use', consumption_kwh / 2, 0.1, 'kWh', '[]' FROM meter_readings
WHERE quality_flag = 'anomaly' AND failed_rules <> 0 AND reading_time BETWEEN %(first)s AND %(last)s
ON CONFLICT DO NOTHING;
"""


@dataclass
class Bench:
    """One run.

    Attributes:
        connection: to the database that is filled.
        url: of it.
        timescale: whether it has TimescaleDB.
        meters: of the fleet.
        days: of each.
        end: of the last one.
        window_days: so many of the last days have windows.
    """

    connection: psycopg.Connection
    url: str
    timescale: bool
    meters: int
    days: int
    end: datetime
    window_days: int

    @property
    def rows(self) -> int:
        """How many readings there are in the end."""
        return self.meters * self.days * STEPS_A_DAY

    @property
    def start(self) -> datetime:
        """Begin of the first interval."""
        return self.end - timedelta(days=self.days)

    @cached_property
    def grid(self) -> Grid:
        """Where the meters stand."""
        return Grid.build(self.meters, SEED)

    @cached_property
    def fleet(self) -> Fleet:
        """What they measure."""
        return Fleet(self.grid, SEED)

    def one(self, statement: str, *parameters: object) -> Any:
        """Return the first column of the first row, None without rows."""
        row = self.connection.execute(statement.encode(), parameters).fetchone()
        return row[0] if row else None


@contextmanager
def prepared(server_url: str, meters: int, days: int, window_days: int, *, keep: bool) -> Iterator[Bench]:
    """Give a migrated database of our own; without `keep` it is made anew, and dropped afterwards."""
    url = urlunsplit(urlsplit(server_url)._replace(path=NAME))
    drop = f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)"
    with psycopg.connect(server_url, autocommit=True) as server:
        if not keep:
            server.execute(drop.encode())
        if server.execute("SELECT FROM pg_database WHERE datname = %s", (NAME,)).fetchone() is None:
            server.execute(f"CREATE DATABASE {NAME}".encode())
        try:
            migrate(url)
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("SET timezone = 'UTC'")
                yield _begun(connection, url, meters, days, window_days)
        finally:
            if not keep:
                server.execute(drop.encode())


def _begun(connection: psycopg.Connection, url: str, meters: int, days: int, window_days: int) -> Bench:
    """Go on with what was begun, or begin."""
    connection.execute(_RUN.encode())
    found = connection.execute("SELECT meters, days, ends_at FROM bench_run").fetchone()
    if found is None:
        today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        found = meters, days, today
        connection.execute("INSERT INTO bench_run VALUES (%s, %s, %s, 0)", found)
    elif found[:2] != (meters, days):
        raise click.ClickException(f"the database {NAME} was begun with {found[0]:,} meters and {found[1]} days")
    plain = connection.execute("SELECT to_regclass('total_backlog') IS NOT NULL").fetchone() == (True,)
    return Bench(connection, url, not plain, *found, window_days)


def register(bench: Bench) -> tuple[Ints, Ints, list[str]]:
    """Register the fleet where it is not yet; return key, transformer and class of each meter, and names of classes."""
    cursor = bench.connection.cursor()
    if not bench.one("SELECT count(*) FROM smart_meters"):
        known = registry(bench.grid).to_pylist()
        with bench.connection.transaction():
            cursor.execute("CREATE TEMP TABLE known (meter text, t text, f text, s text, region text, class text)")
            with cursor.copy("COPY known FROM STDIN") as copy:
                for row in known:
                    copy.write_row(
                        tuple(
                            row[name]
                            for name in ("meter_number", "transformer", "feeder", "substation", "region", "class")
                        )
                    )
            for statement in (
                "INSERT INTO substations (name, region) SELECT DISTINCT s, region FROM known",
                "INSERT INTO feeders (name, substation_id) SELECT DISTINCT f, substation_id FROM known "
                "JOIN substations ON name = s",
                "INSERT INTO transformers (name, feeder_id) SELECT DISTINCT t, feeder_id FROM known "
                "JOIN feeders ON name = f",
                "INSERT INTO smart_meters (meter_number, transformer_id, customer_class, status) "
                "SELECT meter, transformer_id, class, 'active' FROM known JOIN transformers ON name = t ORDER BY 1",
                "INSERT INTO meter_moves (meter_id, valid_from, transformer_id, customer_class) "
                "SELECT meter_id, '-infinity', transformer_id, customer_class FROM smart_meters",
                "ANALYZE smart_meters, transformers, feeders, substations, meter_moves",
            ):
                cursor.execute(statement.encode())
    found = cursor.execute(
        "SELECT meter_id, transformer_id, dense_rank() OVER (ORDER BY customer_class) - 1 "
        "FROM smart_meters ORDER BY meter_number"
    ).fetchall()
    classes = cursor.execute("SELECT DISTINCT customer_class FROM smart_meters ORDER BY 1").fetchall()
    columns = np.array(found, dtype=np.int64)
    return columns[:, 0], columns[:, 1] * len(classes) + columns[:, 2], [name for (name,) in classes]


def stored(bench: Bench, batch: ReadingBatch, meter_id: Ints, offset: int) -> tuple[Rows, Ints]:
    """Return readings as they are stored, some with findings, in the order of the unique index; and of which meters."""
    numbers = pa.array(bench.grid.meter_numbers.astype("U9"))
    meter = pc.index_in(batch.meter_number, numbers).to_numpy().astype(np.int64)
    order = np.lexsort((batch.time_us, meter))
    found = as_rows(batch.take(order), meter_id[meter[order]], offset=offset, partition=meter[order] % 8)
    chance = np.random.default_rng(offset).random(len(batch))
    unusual, warned = chance < _UNUSUAL, chance < _WARNED
    flag = np.select([unusual, warned], [ANOMALY, WARNING], 0).astype(np.int8)
    score = np.where(unusual, 0.95, 0.2).astype(np.float32)
    failed = unusual.astype(np.int64) * 2
    return replace(found, flag=flag, score=score, failed=failed, warned=(warned & ~unusual) * 2), meter[order]


def copy(bench: Bench, statement: str, data: bytes | memoryview) -> float:
    """COPY; return how long it took [s]."""
    began = time.perf_counter()
    with bench.connection.cursor() as cursor, cursor.copy(statement.encode()) as stream:
        stream.write(data)
    return time.perf_counter() - began


def fill(bench: Bench) -> float:
    """Write what is not there yet, a day in a transaction; return rows per second of COPY."""
    meter_id, group, classes = register(bench)
    bench.connection.execute(MONTHS, (bench.start, bench.end + timedelta(days=1)))
    done = bench.one("SELECT done FROM bench_run")
    rows, took = 0, 0.0
    with click.progressbar(range(done, bench.days), label="readings", show_pos=True) as days:
        for day in days:
            begin = bench.start + timedelta(days=day)
            with bench.connection.transaction():
                for batch in bench.fleet.readings(begin, STEPS_A_DAY, INTERVAL_S, batch_rows=_AT_ONCE):
                    found, meter = stored(bench, batch, meter_id, day + 1)
                    took += copy(bench, READINGS.copy_new, encode(READINGS.encode(found)))
                    rows += len(batch)
                    if day >= bench.days - bench.window_days:
                        _windows(bench, found, group[meter], classes)
                bench.connection.execute("UPDATE bench_run SET done = %s", (day + 1,))
    _offsets(bench)
    return rows / took if took else float("nan")


def _windows(bench: Bench, found: Rows, group: Ints, classes: list[str]) -> None:
    """Write the windows of whole intervals of all meters: each is complete, and its meters are all there."""
    time_us = found.batch.time_us
    first = {length_s: time_us % (max(length_s, INTERVAL_S) * 1_000_000) == 0 for length_s in (900, 3_600, 86_400)}
    first[60] = np.ones(len(time_us), dtype=bool)
    how = Windowing(WINDOW_LENGTHS_S, 60.0, EN_50160)
    partials = summarise(found.batch, found.flag, group, first, found.mark_us, how)
    transformer, kind = np.divmod(partials.group_id, len(classes))
    columns = window_columns(partials, transformer, [classes[number] for number in kind.tolist()])
    copy(bench, COPY_WINDOWS.replace("window_partials", "window_totals"), encode(columns))


def _offsets(bench: Bench) -> None:
    """Say how far each partition has come, as deliveries would have."""
    bench.connection.execute(
        "INSERT INTO stream_offsets (topic, topic_id, partition, next_offset, watermark_us, readings, stored) "
        "SELECT 'meters.raw', 'life', p, %s, %s, %s, %s FROM generate_series(0, 7) p ON CONFLICT DO NOTHING",
        (bench.days + 1, round(bench.end.timestamp() * 1e6), bench.rows // 8, bench.rows // 8),
    )


def merge_up(bench: Bench) -> float:
    """Merge windows of transformers to all elements; return how long it took [s]."""
    bench.connection.execute("VACUUM ANALYZE window_totals")
    began = time.perf_counter()
    bench.connection.execute(
        "INSERT INTO quarters_due SELECT DISTINCT window_start FROM window_totals w WHERE window_s = 900 "
        "AND NOT EXISTS (SELECT FROM element_totals e WHERE e.window_s = 900 AND e.element = 'grid' "
        "AND e.customer_class = '*' AND e.window_start = w.window_start) ON CONFLICT DO NOTHING"
    )
    asyncio.run(_merge_all(bench))
    return time.perf_counter() - began


def _refresh(bench: Bench) -> None:
    """Refresh day by day, as the policy would have: it is by day, not by meter, that totals lie on the disk then."""
    found = bench.connection.execute("SELECT view_name FROM timescaledb_information.continuous_aggregates ORDER BY 1")
    names = [name for (name,) in found.fetchall()]
    with click.progressbar(range(bench.days), label="totals", show_pos=True) as days:
        for number in days:
            first = bench.start + timedelta(days=number)
            for name in names:
                bench.connection.execute(
                    "CALL refresh_continuous_aggregate(%s, %s, %s)", (name, first, first + timedelta(days=1))
                )


async def _merge_all(bench: Bench) -> None:
    due = "SELECT (SELECT count(*) FROM quarters_due) + (SELECT count(*) FROM merges_due) / 1000"
    mark_us = round(bench.end.timestamp() * 1e6)
    length = bench.one("SELECT count(*) FROM quarters_due")
    async with await psycopg.AsyncConnection.connect(bench.url) as connection:
        with click.progressbar(length=length, label="elements") as bar:
            left = length
            while True:
                async with connection.transaction():
                    told = await merge(connection, mark_us, 60.0)
                if not told:
                    return
                now = bench.one(due)
                bar.update(max(0, left - now))
                left = min(left, now)


def sum_up(bench: Bench) -> float:
    """Make all totals of meters, and what was found beside readings; return how long totals took [s]."""
    if bench.one("SELECT summed FROM bench_run"):
        return 0.0
    bench.connection.execute("VACUUM ANALYZE")
    began = time.perf_counter()
    if bench.timescale:
        _refresh(bench)
    else:
        asyncio.run(catch_up(bench.url, 0, busy=lambda: True))  # notes which clock is whose
        bench.connection.execute("DELETE FROM total_backlog")
        bench.connection.execute(
            "INSERT INTO total_backlog SELECT d::date FROM generate_series(%s, %s, interval '1 day') AS d "
            "WHERE NOT EXISTS (SELECT FROM meter_day_totals t WHERE t.starts_at = d)",
            (bench.start, bench.end),
        )
        bench.connection.execute(
            "INSERT INTO total_progress SELECT topic_id, partition, next_offset FROM stream_offsets "
            "ON CONFLICT (topic_id, partition) DO UPDATE SET next_offset = excluded.next_offset"
        )
        with click.progressbar(length=bench.one("SELECT count(*) FROM total_backlog"), label="totals") as bar:
            while bench.one("SELECT catch_up_totals()"):
                bar.update(1)
    took = time.perf_counter() - began
    day = timedelta(days=1)
    for number in range(bench.days):
        span = {"first": bench.start + number * day, "last": bench.start + (number + 1) * day}
        for statement in _FINDINGS.split(";\n")[:-1]:
            bench.connection.execute(statement.encode(), span if "%(" in statement else None)
    bench.connection.execute("VACUUM ANALYZE")
    bench.connection.execute("UPDATE bench_run SET summed = true")
    return took
