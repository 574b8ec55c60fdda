"""The database's side of the proof: its own words about rows, rejects and offsets."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.csv as pacsv

from schemas.layout import INSTANT, Ints, Mask, instant_of
from stream.reconcile.account import Counters
from stream.reconcile.examine import Examined
from stream.reconcile.subject import Subject
from stream.topic_reader import Span

_TYPES = {pa.float64(): "double precision", pa.int64(): "bigint", pa.string(): "text", INSTANT: "timestamptz"}

_PREPARE = """
CREATE TEMP TABLE seen (
    position integer, source_partition integer, source_offset bigint, arrived_at timestamptz, {columns}
) ON COMMIT DELETE ROWS;
CREATE TEMP TABLE expected_rejects (reject_id text, source_partition integer, refused boolean);
CREATE TEMP TABLE waiting_rejects (reject_id text PRIMARY KEY);
SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off;
"""
#: As text, not as the binary form that the worker writes: a fault in the one is not repeated in the other.
_COPY_SEEN = "COPY seen FROM STDIN (FORMAT csv)"
#: Whatever is not plainly the row that its record made; an earlier life of the topic had the same offsets, at other
#: times. The times of the readings bound the search to the chunks that matter.
_FIND_EXCEPTIONS = """
SELECT * FROM (
    SELECT s.position, r.source_partition IS NOT NULL AS found,
           (r.source_partition, r.source_offset, r.arrived_at)
               IS NOT DISTINCT FROM (s.source_partition, s.source_offset, s.arrived_at) AS own,
           ({looked_for}) IS DISTINCT FROM ({stored}) AS differs
    FROM seen s {join}
) AS compared WHERE NOT (found AND own AND NOT differs)
"""
#: Rows of an earlier life of the topic have the same offsets, but arrived at other times.
_COUNT_ROWS = """
SELECT r.source_partition, count(*)
FROM {table} r
JOIN unnest(%s::int[], %s::bigint[], %s::bigint[], %s::timestamptz[], %s::timestamptz[])
     AS span (partition, first_offset, end_offset, earliest, latest)
  ON r.source_partition = span.partition AND r.source_offset >= span.first_offset
 AND r.source_offset < span.end_offset AND r.arrived_at BETWEEN span.earliest AND span.latest
GROUP BY r.source_partition
"""
_POSITIONS = """
SELECT partition, next_offset, lost_records, readings, stored, duplicates, rejected
FROM stream_offsets WHERE topic = %s AND topic_id = %s
"""
#: Most are in the database already; only the others need be remembered.
_EXPECT_REJECTS = """
INSERT INTO expected_rejects
SELECT e.reject_id, e.partition, %s FROM unnest(%s::text[], %s::int[]) AS e (reject_id, partition)
WHERE NOT EXISTS (SELECT FROM rejected_readings r WHERE r.reject_id = e.reject_id)
"""
_MISSING_REJECTS = """
SELECT e.source_partition, e.refused, count(*), (array_agg(e.reject_id))[:%s] FROM expected_rejects e
WHERE NOT EXISTS (SELECT FROM rejected_readings r WHERE r.reject_id = e.reject_id)
  AND NOT EXISTS (SELECT FROM waiting_rejects w WHERE w.reject_id = e.reject_id)
GROUP BY e.source_partition, e.refused ORDER BY e.source_partition, e.refused
"""
_STORED_REJECTS = "SELECT reject_id FROM rejected_readings WHERE reject_id = ANY(%s)"
_WAIT_FOR_REJECTS = "INSERT INTO waiting_rejects SELECT unnest(%s::text[]) ON CONFLICT DO NOTHING"


@dataclass(frozen=True)
class Position:
    """How far the database is in a partition, and what was counted on the way."""

    next_offset: int
    lost_records: int
    counters: Counters


@dataclass(frozen=True)
class Arrivals:
    """The earliest and the latest arrival among some records [us]."""

    earliest_us: int
    latest_us: int

    def with_(self, arrived_us: int) -> "Arrivals":
        """Return the span that holds one more."""
        return Arrivals(min(self.earliest_us, arrived_us), max(self.latest_us, arrived_us))


@dataclass(frozen=True)
class Missing:
    """Expected rejects of one partition that are nowhere.

    Attributes:
        partition: where their readings came from.
        refused: they would have been rejected only if the database had not taken them: rows are missing.
        count: how many.
        ids: some of them.
    """

    partition: int
    refused: bool
    count: int
    ids: list[str]


class Ledger:
    """Asks the database; what it must remember between questions stays in tables of its session.

    Args:
        connection: with autocommit.
        subject: what is proved.
    """

    def __init__(self, connection: psycopg.Connection, subject: Subject) -> None:
        self._connection = connection
        schema = subject.kind.layout.schema
        values = [field.name for field in schema if field.name not in subject.key]
        columns = ", ".join(f"{field.name} {_TYPES[field.type]}" for field in schema)
        looked_for, stored = (", ".join(prefix + name for name in values) for prefix in ("s.", "r."))
        self._find_exceptions = _FIND_EXCEPTIONS.format(looked_for=looked_for, stored=stored, join=subject.join)
        self._count_rows = _COUNT_ROWS.format(table=subject.table)
        connection.execute(_PREPARE.format(columns=columns).encode())

    def positions(self, topic: str, topic_id: str) -> dict[int, Position]:
        """Return where each partition of this life of a topic stands; none where nothing was ever taken."""
        rows = self._connection.execute(_POSITIONS, (topic, topic_id)).fetchall()
        return {row[0]: Position(row[1], row[2], Counters(*row[3:])) for row in rows}

    def compare(self, examined: Examined) -> tuple[Mask, Mask, Mask]:
        """Look every valid reading up.

        Returns: bool[n] each: found, own, differs; see `account.judge`.
        """
        count = len(examined.batch)
        found, own, differs = np.ones(count, dtype=bool), np.ones(count, dtype=bool), np.zeros(count, dtype=bool)
        if not count:
            return found, own, differs
        times = examined.batch.time_us
        bounds = instant_of(int(times.min())), instant_of(int(times.max()))
        with self._connection.transaction(), self._connection.cursor() as cursor:
            with cursor.copy(_COPY_SEEN) as copy:
                copy.write(_as_csv(examined))
            rows = cursor.execute(self._find_exceptions.encode(), bounds).fetchall()
        for position, *facts in rows:
            found[position], own[position], differs[position] = facts
        return found, own, differs

    def count_rows(self, spans: Mapping[int, Span], arrivals: Mapping[int, Arrivals]) -> dict[int, int]:
        """Count the rows that say they came from these records."""
        seen = [(partition, spans[partition], arrived) for partition, arrived in arrivals.items()]
        columns = (
            [partition for partition, _, _ in seen],
            [span.first for _, span, _ in seen],
            [span.end for _, span, _ in seen],
            [instant_of(arrived.earliest_us) for _, _, arrived in seen],
            [instant_of(arrived.latest_us) for _, _, arrived in seen],
        )
        rows: list[tuple[int, int]] = self._connection.execute(self._count_rows.encode(), columns).fetchall()
        return dict(rows)

    def expect_rejects(self, ids: Sequence[str], partitions: Ints, *, refused: bool) -> None:
        """Remember the rejects that the database does not have (yet).

        Args:
            ids: of the rejects.
            partitions: int64[n], where their readings came from.
            refused: they are valid readings without a row: rejected only if the database would not take them.
        """
        if ids:
            self._connection.execute(_EXPECT_REJECTS, (refused, list(ids), partitions.tolist()))

    def stored_rejects(self, ids: Sequence[str]) -> set[str]:
        """Return those of the rejects that the database has."""
        return {row[0] for row in self._connection.execute(_STORED_REJECTS, (list(ids),))}

    def wait_for_rejects(self, ids: Sequence[str]) -> None:
        """Remember rejects that are on their way."""
        self._connection.execute(_WAIT_FOR_REJECTS, (list(ids),))

    def missing_rejects(self, examples: int) -> list[Missing]:
        """Return the expected rejects that are neither stored nor on their way."""
        return [Missing(*row) for row in self._connection.execute(_MISSING_REJECTS, (examples,))]


def _as_csv(examined: Examined) -> bytes:
    batch = examined.batch
    columns = {
        "position": pa.array(np.arange(len(batch))),
        "source_partition": pa.array(examined.partition),
        "source_offset": pa.array(examined.offset),
        "arrived_at": pa.array(examined.arrived_us).cast(INSTANT),
        **{name: batch.column(name) for name in batch.layout.schema.names},
    }
    sink = io.BytesIO()
    pacsv.write_csv(pa.table(columns), sink, pacsv.WriteOptions(include_header=False))
    return sink.getvalue()
