"""What storage comes to: writing into pieces, totals, windows, compression, and every query of every panel.

`python -m tests.bench.storage --rows 5000000 --database-url postgresql://...` makes a database `storage_bench` beside
the one named, fills it with a simulated fleet of fifty days, measures, writes a report with every plan, and drops it
again. With `--keep` it stays, and the same command goes on where it was.
"""

import json
import statistics
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from sinks.copy_binary import encode
from sinks.readings_table import READINGS
from tests.bench.storage_fill import (
    INTERVAL_S,
    MONTHS,
    STEPS_A_DAY,
    Bench,
    copy,
    fill,
    merge_up,
    prepared,
    register,
    stored,
    sum_up,
)
from tests.bench.storage_questions import MOST_MS, asked, table

_DAYS, _DELIVERY = 50, 25_000
#: Segments and orders of compression that are held against each other: name -> segment by, order by.
ALTERNATIVES = {
    "segments of a meter, by time": ("meter_id", "reading_time"),
    "segments of a meter, newest first": ("meter_id", "reading_time DESC"),
    "no segments, by meter and time": ("", "meter_id, reading_time"),
    "no segments, by time and meter": ("", "reading_time, meter_id"),
    "segments of a partition, by meter and time": ("source_partition", "meter_id, reading_time"),
}
_RATIO = (
    "SELECT before_compression_total_bytes::float8 / after_compression_total_bytes "
    "FROM hypertable_compression_stats(%s)"
)
_SIZES = """
SELECT c.relname, sum(pg_total_relation_size(p.relid))::bigint
FROM pg_class c CROSS JOIN LATERAL pg_partition_tree(c.oid) p
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
GROUP BY 1 ORDER BY 2 DESC LIMIT 8
"""


def side_by_side(bench: Bench) -> float:
    """Return how long COPY takes into the table in pieces, as a multiple of the same into one without; it is empty."""
    meter_id, _, _ = register(bench)
    bench.connection.execute(
        "CREATE TABLE whole (LIKE meter_readings INCLUDING DEFAULTS, PRIMARY KEY (meter_id, reading_time))"
    )
    bench.connection.execute(
        "CREATE INDEX ON whole (reading_time, meter_id) WHERE failed_rules <> 0 OR warned_rules <> 0"
    )
    steps = max(1, _DELIVERY // bench.meters)
    start = bench.end - timedelta(seconds=24 * steps * INTERVAL_S)
    bench.connection.execute(MONTHS, (start, bench.end + timedelta(days=1)))
    took: dict[str, list[float]] = {"whole": [], "meter_readings": []}
    for turn, batch in enumerate(bench.fleet.readings(start, steps * 24, INTERVAL_S, batch_rows=_DELIVERY)):
        data = encode(READINGS.encode(stored(bench, batch, meter_id, turn)[0]))
        for name in sorted(took, reverse=bool(turn % 2)):
            took[name].append(copy(bench, READINGS.copy_new.replace("meter_readings", name), data))
    bench.connection.execute("DROP TABLE whole")
    bench.connection.execute("TRUNCATE meter_readings")
    return statistics.median(took["meter_readings"]) / statistics.median(took["whole"])


def alternatives(bench: Bench) -> dict[str, float]:
    """Return how many times smaller four days are under each way of compressing."""
    found = dict[str, float]()
    days = (bench.end - timedelta(days=8), bench.end - timedelta(days=4))
    for name, (segments, order) in ALTERNATIVES.items():
        for statement in (
            "CREATE TABLE tried (LIKE meter_readings INCLUDING DEFAULTS, PRIMARY KEY (meter_id, reading_time))",
            "SELECT create_hypertable('tried', 'reading_time', chunk_time_interval => interval '30 days')",
            f"ALTER TABLE tried SET (timescaledb.compress, timescaledb.compress_segmentby = '{segments}', "
            f"timescaledb.compress_orderby = '{order}')",
        ):
            bench.connection.execute(statement.encode())
        bench.connection.execute(
            "INSERT INTO tried SELECT * FROM meter_readings WHERE reading_time BETWEEN %s AND %s", days
        )
        bench.connection.execute("SELECT compress_chunk(c) FROM show_chunks('tried') AS c")
        found[name] = bench.one(_RATIO, "tried")
        bench.connection.execute("DROP TABLE tried")
    return found


def compressed(bench: Bench) -> float:
    """Compress all chunks older than a week, as the policy does; return how many times smaller they are."""
    began = time.perf_counter()
    bench.connection.execute(
        "SELECT compress_chunk(c, true) FROM show_chunks('meter_readings', older_than => interval '7 days') AS c"
    )
    click.echo(f"compressed in {time.perf_counter() - began:.0f} s")
    bench.connection.execute("VACUUM ANALYZE")
    ratio = bench.one(_RATIO, "meter_readings")
    return float("nan") if ratio is None else float(ratio)


def sizes(bench: Bench) -> dict[str, int]:
    """Return the bytes of the database and of its largest tables, indexes included."""
    found = {"database": bench.one("SELECT pg_database_size(current_database())")}
    if bench.timescale:
        found["meter_readings"] = bench.one("SELECT hypertable_size('meter_readings')")
        found["element_totals"] = bench.one("SELECT pg_total_relation_size('element_totals')")
        return found
    return found | dict(bench.connection.execute(_SIZES.encode()).fetchall())


def measured(bench: Bench, *, compare: bool) -> dict[str, Any]:
    """Fill, sum up, compress and ask; say so, and return what came of it."""
    report: dict[str, Any] = {"timescaledb": bench.timescale, "meters": bench.meters, "rows": bench.rows}
    report["version"] = bench.one("SELECT version()")
    click.echo(
        f"{'TimescaleDB' if bench.timescale else 'plain PostgreSQL'}: {bench.rows:,} rows of {bench.meters:,} meters"
    )
    if compare and not bench.one("SELECT done FROM bench_run"):
        report["copy_ratio"] = side_by_side(bench)
        click.echo(f"COPY in pieces takes {report['copy_ratio']:.2f} times as long as into one table")
    report["rows_per_s"] = fill(bench)
    click.echo(f"filled at {report['rows_per_s']:,.0f} rows/s")
    report["elements_s"] = merge_up(bench)
    report["windows"] = bench.one("SELECT count(*) FROM element_totals")
    click.echo(f"{report['windows']:,} windows of elements in {report['elements_s']:.0f} s")
    report["totals_s"] = sum_up(bench)
    click.echo(f"totals in {report['totals_s']:.0f} s")
    if bench.timescale:
        if compare:
            report["alternatives"] = alternatives(bench)
            for name, ratio in report["alternatives"].items():
                click.echo(f"{name:48} {ratio:8.1f} times smaller")
        report["compression"] = compressed(bench)
        click.echo(f"chunks older than a week are {report['compression']:.1f} times smaller")
    report["bytes"] = sizes(bench)
    for name, count in report["bytes"].items():
        click.echo(f"{name:32} {count / 1e9:8.2f} GB")
    answers = asked(bench)
    report["questions"] = [answer.as_json() for answer in answers]
    click.echo(table(answers))
    slow = [answer.question for answer in answers if answer.median_ms >= MOST_MS]
    click.echo(f"{len(answers)} questions, {len(slow)} of them not within {MOST_MS:.0f} ms")
    for name in slow:
        click.echo(f"too slow: {name}")
    return report


@click.command()
@click.option("--database-url", required=True, help="Any database of the server; its role may create some.")
@click.option(
    "--rows", default=5_000_000, show_default=True, help="Readings, of fifty days of as many meters as it takes."
)
@click.option("--meters", default=0, help="Of the fleet; by default as many as make fifty days.")
@click.option("--window-days", default=1_000, help="Sum up windows of elements of so many of the last days only.")
@click.option("--keep", is_flag=True, help="Leave the database, and go on with one that was left.")
@click.option("--compare", is_flag=True, help="Hold ways of compressing, and pieces and one table, against each other.")
@click.option("--report", type=click.Path(path_type=Path), default=Path("report-storage.json"), show_default=True)
def main(database_url: str, rows: int, meters: int, window_days: int, keep: bool, compare: bool, report: Path) -> None:
    """Measure, print, and write the report with every plan."""
    meters = meters or max(100, round(rows / (_DAYS * STEPS_A_DAY)))
    days = max(2, round(rows / (meters * STEPS_A_DAY)))
    with prepared(database_url, meters, days, window_days, keep=keep) as bench:
        found = measured(bench, compare=compare)
    report.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
