"""How the database keeps its rows: pieces of tables, what compression brings, and jobs with their last runs."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import class_row

_CHUNKED = """
SELECT h.hypertable_name AS table, count(c.chunk_name) AS pieces,
       count(*) FILTER (WHERE c.is_compressed) AS compressed, min(c.range_start) AS since, max(c.range_end) AS until,
       (SELECT sum(before_compression_total_bytes)::float8 / nullif(sum(after_compression_total_bytes), 0)::float8
        FROM hypertable_compression_stats(format('%I.%I', h.hypertable_schema, h.hypertable_name)::regclass)) AS ratio
FROM timescaledb_information.hypertables h
LEFT JOIN timescaledb_information.chunks c USING (hypertable_schema, hypertable_name)
WHERE h.hypertable_schema = current_schema()
GROUP BY h.hypertable_schema, h.hypertable_name ORDER BY 1
"""
_PARTITIONED = """
SELECT 'meter_readings' AS table, count(*) AS pieces, 0 AS compressed, min(starts_at) AS since, max(ends_at) AS until,
       NULL::float8 AS ratio
FROM readings_partitions
"""
_POLICIES = """
SELECT coalesce(c.view_name, j.hypertable_name, '') || ': '
           || replace(regexp_replace(j.proc_name, '^policy_', ''), '_', ' ') AS job,
       concat_ws(', ', 'after ' || (j.config ->> 'drop_after'), 'after ' || (j.config ->> 'compress_after'),
                 'back to ' || (j.config ->> 'start_offset'), 'every ' || j.schedule_interval) AS what,
       CASE WHEN s.last_run_started_at > '-infinity' THEN s.last_run_started_at END AS ran_at,
       coalesce(s.last_run_status, '') AS outcome, coalesce(s.total_runs, 0) AS runs,
       coalesce(s.total_failures, 0) AS failures
FROM timescaledb_information.jobs j
LEFT JOIN timescaledb_information.job_stats s USING (job_id)
LEFT JOIN timescaledb_information.continuous_aggregates c ON c.view_schema = current_schema()
    AND (j.hypertable_schema, j.hypertable_name) IN
        ((c.view_schema, c.view_name), (c.materialization_hypertable_schema, c.materialization_hypertable_name))
WHERE j.hypertable_schema = current_schema() OR c.view_name IS NOT NULL ORDER BY 1
"""
_RUNS = """
SELECT 'engine: ' || job AS job, 'took ' || round(took_s::numeric, 1) || ' s' AS what, ran_at,
       CASE error WHEN '' THEN 'Success' ELSE error END AS outcome, runs, failures
FROM upkeep_runs ORDER BY 1
"""
_WAITING = """
SELECT (SELECT count(*) FROM total_backlog),
       (SELECT coalesce(sum(s.next_offset - coalesce(p.next_offset, 0)), 0)::bigint
        FROM stream_offsets s LEFT JOIN total_progress p USING (topic_id, partition) WHERE s.topic = 'meters.raw')
"""


@dataclass(frozen=True)
class Pieces:
    """A table that is kept in pieces by time: chunks, or partitions.

    Attributes:
        table: its name.
        pieces: how many.
        compressed: of them.
        since: begin of the first.
        until: end of the last.
        ratio: size of the compressed ones before over after.
    """

    table: str
    pieces: int
    compressed: int
    since: datetime | None
    until: datetime | None
    ratio: float | None


@dataclass(frozen=True)
class Job:
    """What is done again and again.

    Attributes:
        job: its table and what it does.
        what: how it is set.
        ran_at: when it last ran; None for never.
        outcome: of that run.
        runs: how often it ran.
        failures: how often in vain.
    """

    job: str
    what: str
    ran_at: datetime | None
    outcome: str
    runs: int
    failures: int


@dataclass(frozen=True)
class StorageStatus:
    """How rows are kept.

    Attributes:
        pieces: tables in pieces.
        jobs: policies of the database, and what the engine does.
        days_waiting: days whose totals are still to be made (plain PostgreSQL).
        records_waiting: records of Kafka whose readings are still to be summed up (plain PostgreSQL).
    """

    pieces: list[Pieces]
    jobs: list[Job]
    days_waiting: int
    records_waiting: int

    def as_json(self) -> dict[str, Any]:
        """Return plain data; times in RFC 3339."""
        return {
            name: [{key: _plain(value) for key, value in item.items()} for item in found]
            if isinstance(found, list)
            else found
            for name, found in asdict(self).items()
        }


def storage_status(connection: psycopg.Connection, *, timescale: bool) -> StorageStatus | None:
    """Look at how rows are kept; None in a database from before they were kept so."""
    row = connection.execute("SELECT to_regclass('upkeep_runs') IS NOT NULL").fetchone()
    if row != (True,):
        return None
    with connection.cursor(row_factory=class_row(Pieces)) as cursor:
        pieces = cursor.execute(_CHUNKED if timescale else _PARTITIONED).fetchall()
    with connection.cursor(row_factory=class_row(Job)) as cursor:
        jobs = cursor.execute(_POLICIES).fetchall() if timescale else []
        jobs += cursor.execute(_RUNS).fetchall()
    waiting = None if timescale else connection.execute(_WAITING).fetchone()
    return StorageStatus(pieces, jobs, *(waiting or (0, 0)))


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
