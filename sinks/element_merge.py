"""Closed windows merged upwards: transformers to every element above them, quarter-hours to hours and local days.

Whatever changes below is merged anew from below, so that nothing counts twice however often it is done; only what has
changed by that gets a higher revision, and is handed on.
"""

from typing import Any

import psycopg
from psycopg.rows import class_row

from schemas.meter_class import TRANSFORMER_METERS
from schemas.windows import DAY_S, HOUR_S, WindowAggregate
from sinks.windows_table import SUMS

#: Quarter-hours, and longer windows of one element and class, merged in one transaction.
_QUARTERS, _LONGER = 16, 4_000

_KEPT = tuple(name for name in SUMS if name != "restating")
_VALUES = (*_KEPT, "voltage_min", "voltage_max", "peak_uwh", "peak_at")
_KEY = ("element_kind", "element", "customer_class", "window_s", "window_start", "window_end")
_COLUMNS = ", ".join((*_KEY, *_VALUES))
_UPSERT = f"""
INSERT INTO element_totals AS t ({_COLUMNS})
SELECT {_COLUMNS} FROM merged ORDER BY window_start, element, customer_class
ON CONFLICT (window_s, element, customer_class, window_start) DO UPDATE
SET {", ".join(f"{name} = excluded.{name}" for name in _VALUES)}, revision = t.revision + 1,
    believed_from = clock_timestamp()
WHERE ({", ".join(f"t.{name}" for name in _VALUES)})
      IS DISTINCT FROM ({", ".join(f"excluded.{name}" for name in _VALUES)})
RETURNING {", ".join(_KEY[:5])}
"""  # noqa: S608 - names are constants of this module

# A quarter-hour that still has partials is folded first.
_TAKE_QUARTERS = f"""
DELETE FROM quarters_due WHERE window_start IN (
    SELECT q.window_start FROM quarters_due q
    WHERE NOT EXISTS (SELECT FROM window_partials p WHERE p.window_s = 900 AND p.window_start = q.window_start)
    ORDER BY q.window_start LIMIT {_QUARTERS}
) RETURNING window_start
"""  # noqa: S608 - a number of this module
_MERGE_QUARTERS = f"""
WITH merged AS (
    SELECT e.element_kind, e.element, c.customer_class, 900 AS window_s, w.window_start,
           w.window_start + interval '15 minutes' AS window_end,
           {", ".join(f"sum(w.{name})::bigint AS {name}" for name in _KEPT)},
           min(w.voltage_min) AS voltage_min, max(w.voltage_max) AS voltage_max,
           sum(w.energy_uwh)::bigint AS peak_uwh, w.window_start AS peak_at
    FROM window_totals w
    JOIN transformer_elements e USING (transformer_id)
    CROSS JOIN LATERAL (
        SELECT w.customer_class UNION ALL SELECT '*' WHERE w.customer_class <> '{TRANSFORMER_METERS}'
    ) c (customer_class)
    WHERE w.window_s = 900 AND w.window_start = ANY(%s)
    GROUP BY e.element_kind, e.element, c.customer_class, w.window_start
), changed AS (
    {_UPSERT}
), clocks AS (
    SELECT element, min(CASE element_kind WHEN 'grid' THEN 'UTC' ELSE timezone END) AS timezone
    FROM transformer_elements GROUP BY element
), due AS (
    INSERT INTO merges_due ({", ".join(_KEY)})
    SELECT DISTINCT element_kind, element, customer_class, l.window_s, l.first, l.next
    FROM changed JOIN clocks USING (element)
    CROSS JOIN LATERAL (VALUES
        ({HOUR_S}, date_trunc('hour', window_start, 'UTC'),
         date_trunc('hour', window_start, 'UTC') + interval '1 hour'),
        ({DAY_S}, date_trunc('day', window_start, timezone),
         (date_trunc('day', window_start AT TIME ZONE timezone) + interval '1 day') AT TIME ZONE timezone)
    ) l (window_s, first, next)
    ON CONFLICT DO NOTHING
)
SELECT * FROM changed
"""  # noqa: S608 - names are constants of this module

# Meters of a day are counted by the clock of their region: those of a grid of other clocks than UTC are not known.
_MANY_CLOCKS = "EXISTS (SELECT FROM region_clocks WHERE timezone <> 'UTC')"
# Due is what ended its lateness ago, and none of whose quarter-hours waits for anything.
_MERGE_LONGER = f"""
WITH due AS (
    DELETE FROM merges_due WHERE (window_s, window_start, element, customer_class) IN (
        SELECT d.window_s, d.window_start, d.element, d.customer_class FROM merges_due d
        WHERE extract(epoch FROM d.window_end) * 1e6 + %(lateness_s)s::float8 * 1e6 <= %(mark)s
          AND NOT EXISTS (SELECT FROM quarters_due q
                          WHERE q.window_start >= d.window_start AND q.window_start < d.window_end)
        ORDER BY d.window_s, d.window_start LIMIT {_LONGER}
    ) RETURNING *
), merged AS (
    SELECT d.element_kind, d.element, d.customer_class, d.window_s, d.window_start, d.window_end,
           CASE WHEN d.window_s = {HOUR_S} THEN sum(q.hour_meters)
                WHEN d.element_kind <> 'grid' OR NOT {_MANY_CLOCKS} THEN sum(q.day_meters) END::bigint AS meters,
           {", ".join(f"sum(q.{name})::bigint AS {name}" for name in _KEPT if name != "meters")},
           min(q.voltage_min) AS voltage_min, max(q.voltage_max) AS voltage_max, max(q.peak_uwh) AS peak_uwh,
           (array_agg(q.window_start ORDER BY q.peak_uwh DESC, q.window_start))[1] AS peak_at
    FROM due d
    JOIN element_totals q ON q.window_s = 900 AND q.element = d.element AND q.customer_class = d.customer_class
     AND q.window_start >= d.window_start AND q.window_start < d.window_end
    GROUP BY d.element_kind, d.element, d.customer_class, d.window_s, d.window_start, d.window_end
)
{_UPSERT}
"""  # noqa: S608 - names are constants of this module

_ELSEWHERE = ("state", "customer_class", "expected", "completeness")
_FIELDS = ", ".join(f"b.{name}" for name in WindowAggregate.model_fields if name not in _ELSEWHERE)
# OFFSET 0 makes PostgreSQL look each window up by its key, and work out once what was expected.
_READ = f"""
SELECT 'final' AS state, nullif(k.customer_class, '*') AS customer_class, {_FIELDS},
       e.expected, completeness(b.readings, e.expected) AS completeness
FROM unnest(%s::text[], %s::text[], %s::int[], %s::timestamptz[]) AS k (element, customer_class, window_s, window_start)
CROSS JOIN LATERAL (
    SELECT * FROM element_figures v WHERE v.window_s = k.window_s AND v.element = k.element
    AND v.customer_class = k.customer_class AND v.window_start = k.window_start
    AND v.believed_until = 'infinity' OFFSET 0
) b
CROSS JOIN LATERAL (
    SELECT expected_readings(k.element, k.customer_class, b.window_start, b.window_end) AS expected OFFSET 0
) e ORDER BY k.window_start, k.window_s
"""  # noqa: S608 - names are constants of the engine
_FORGET = "DELETE FROM element_history WHERE believed_until < now() - %s * interval '1 day'"


async def merge(connection: psycopg.AsyncConnection, mark_us: int | None, lateness_s: float) -> list[WindowAggregate]:
    """Merge what has closed; in the caller's transaction, which nobody else folds or merges in.

    Args:
        connection: with that transaction open.
        mark_us: how far event time has come [us], None while nothing is known.
        lateness_s: a window closes this long after its end [s].

    Returns: windows that are new or were restated.
    """
    changed = list[tuple[Any, ...]]()
    starts = [row[0] for row in await (await connection.execute(_TAKE_QUARTERS)).fetchall()]
    if starts:
        changed += await (await connection.execute(_MERGE_QUARTERS, (starts,))).fetchall()
    if mark_us is not None:
        asked = {"mark": mark_us, "lateness_s": lateness_s}
        changed += await (await connection.execute(_MERGE_LONGER, asked)).fetchall()
    if not changed:
        return []
    _, *keys = (list(column) for column in zip(*changed, strict=True))
    async with connection.cursor(row_factory=class_row(WindowAggregate)) as cursor:
        await cursor.execute(_READ, keys)
        return await cursor.fetchall()


async def forget(connection: psycopg.AsyncConnection, kept_days: float) -> None:
    """Drop revisions that have not been believed for so long [d]."""
    await connection.execute(_FORGET, (kept_days,))
