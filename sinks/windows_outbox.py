"""Closed windows: their partials are folded into totals, and each is handed on, again whenever it was restated.

Guarantee: at least once; of two of the same window, the one with more readings is the newer one. (The revision does not
tell: it counts by each partition's own watermark, so that it does not depend on when anything ran.)
"""

import psycopg
from psycopg.rows import class_row

from schemas.delivery import NO_WATERMARK_US
from schemas.topics import METERS_RAW
from schemas.windows import EN_50160, VoltageBand, WindowAggregate
from sinks.outbox import Outbox
from sinks.recount import recount
from sinks.windows_table import SUMS

#: Windows handed on in one transaction.
_AT_ONCE = 2_000
#: Any number that nothing else locks: one outbox at a time hands windows on.
_LOCK = 7_382_912

_KEY = "window_s, window_start, transformer_id"
_KEY_BY_CLASS = f"{_KEY}, customer_class"
_EXTREMES = ("demand_peak_kw", "demand_peak_at", "voltage_min", "voltage_max")

# A partition without news for a minute does not hold the others' windows open.
_FOLD = f"""
WITH marks AS (
    SELECT coalesce(min(watermark_us) FILTER (WHERE updated_at > now() - interval '1 minute'),
                    min(watermark_us)) AS mark
    FROM stream_offsets WHERE topic = '{METERS_RAW.name}' AND watermark_us > {NO_WATERMARK_US}
), closed AS (
    SELECT DISTINCT {_KEY} FROM window_partials, marks
    WHERE extract(epoch FROM window_start) * 1e6 + (window_s + %(lateness_s)s::float8) * 1e6 <= mark
    ORDER BY {_KEY} LIMIT {_AT_ONCE}
), gone AS (
    DELETE FROM window_partials w USING closed c
    WHERE (w.window_s, w.window_start, w.transformer_id) = (c.window_s, c.window_start, c.transformer_id)
    RETURNING w.*
)
INSERT INTO window_totals AS t ({_KEY_BY_CLASS}, {", ".join(SUMS)}, {", ".join(_EXTREMES)})
SELECT {_KEY_BY_CLASS}, {", ".join(f"sum({name})" for name in SUMS)}, max(demand_peak_kw),
       (array_agg(demand_peak_at ORDER BY demand_peak_kw DESC, demand_peak_at)
        FILTER (WHERE demand_peak_at IS NOT NULL))[1],
       min(voltage_min), max(voltage_max)
FROM gone GROUP BY {_KEY_BY_CLASS}
ON CONFLICT ({_KEY_BY_CLASS}) DO UPDATE SET
    {", ".join(f"{name} = t.{name} + excluded.{name}" for name in SUMS)},
    demand_peak_kw = greatest(t.demand_peak_kw, excluded.demand_peak_kw),
    demand_peak_at = CASE WHEN t.demand_peak_kw > excluded.demand_peak_kw OR excluded.demand_peak_kw IS NULL
                          THEN t.demand_peak_at
                          WHEN t.demand_peak_kw = excluded.demand_peak_kw
                          THEN least(t.demand_peak_at, excluded.demand_peak_at)
                          ELSE excluded.demand_peak_at END,
    voltage_min = least(t.voltage_min, excluded.voltage_min),
    voltage_max = greatest(t.voltage_max, excluded.voltage_max)
RETURNING {_KEY}
"""  # noqa: S608 - constants of this module
# OFFSET 0 makes PostgreSQL look each window up by its key; it would sum every window up first otherwise.
_READ = """
SELECT a.element, a.window_start, a.window_s, a.readings, a.energy_kwh, a.export_kwh, a.demand_peak_kw,
       a.voltage_min, a.voltage_mean, a.voltage_max, a.revision
FROM unnest(%s::int[], %s::timestamptz[], %s::bigint[]) AS k (window_s, window_start, transformer_id)
CROSS JOIN LATERAL (
    SELECT * FROM window_aggregates v
    WHERE v.window_s = k.window_s AND v.window_start = k.window_start AND v.transformer_id = k.transformer_id
    OFFSET 0
) a
"""


class WindowOutbox(Outbox[WindowAggregate]):
    """Finds windows that have closed and were not handed on yet.

    Args:
        url: `postgresql://...`.
        lateness_s: a window closes this long after its end [s].
        band: voltages outside of it are counted.
    """

    def __init__(self, url: str, *, lateness_s: float, band: VoltageBand = EN_50160) -> None:
        super().__init__(url, _LOCK)
        self._lateness_s = lateness_s
        self._band = band

    async def _due(self, connection: psycopg.AsyncConnection) -> list[WindowAggregate]:
        """Count again what has turned out to be elsewhere, and fold windows that have closed."""
        await recount(connection, self._band)
        closed = await (await connection.execute(_FOLD, {"lateness_s": self._lateness_s})).fetchall()
        keys = sorted(set(closed))
        if not keys:
            return []
        lengths, starts, transformers = (list(column) for column in zip(*keys, strict=True))
        async with connection.cursor(row_factory=class_row(WindowAggregate)) as cursor:
            await cursor.execute(_READ, (lengths, starts, transformers))
            return await cursor.fetchall()
