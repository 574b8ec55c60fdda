"""Closed windows: partials are folded into totals, these merged upwards, and each is handed on, again when restated.

Guarantee: at least once; of two of the same window, the one with the higher revision is the newer one.
"""

import time
from typing import Any

import psycopg
from psycopg.rows import class_row

from schemas.delivery import NO_WATERMARK_US
from schemas.topics import METERS_RAW
from schemas.windows import EN_50160, VoltageBand, WindowAggregate
from sinks.element_merge import forget, merge
from sinks.outbox import Outbox
from sinks.recount import recount
from sinks.windows_table import SUMS

#: Windows handed on in one transaction.
_AT_ONCE = 2_000
#: Any number that nothing else locks: one outbox at a time hands windows on.
_LOCK = 7_382_912
_MINUTE_S = 60
#: Time between two looks for revisions that are too old [s].
_FORGET_EVERY_S = 3_600.0

_KEY = "window_s, window_start, transformer_id"
_KEY_BY_CLASS = f"{_KEY}, customer_class"
_EXTREMES = ("demand_peak_kw", "demand_peak_at", "voltage_min", "voltage_max")

# A partition without news for a minute does not hold the others' windows open.
_MARK = f"""
SELECT coalesce(min(watermark_us) FILTER (WHERE updated_at > now() - interval '1 minute'), min(watermark_us))
FROM stream_offsets WHERE topic = '{METERS_RAW.name}' AND watermark_us > {NO_WATERMARK_US}
"""  # noqa: S608 - constants of this module
_FOLD = f"""
WITH closed AS (
    SELECT DISTINCT {_KEY} FROM window_partials
    WHERE extract(epoch FROM window_start) * 1e6 + (window_s + %(lateness_s)s::float8) * 1e6 <= %(mark)s
    ORDER BY {_KEY} LIMIT {_AT_ONCE}
), gone AS (
    DELETE FROM window_partials w USING closed c
    WHERE (w.window_s, w.window_start, w.transformer_id) = (c.window_s, c.window_start, c.transformer_id)
    RETURNING w.*
), folded AS (
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
    voltage_max = greatest(t.voltage_max, excluded.voltage_max), revision = t.revision + 1
RETURNING {_KEY}
), due AS (
    INSERT INTO quarters_due SELECT DISTINCT window_start FROM folded WHERE window_s = 900 ON CONFLICT DO NOTHING
)
SELECT DISTINCT {_KEY} FROM folded
"""  # noqa: S608 - constants of this module
# Of a transformer's minute. OFFSET 0 makes PostgreSQL look each window up by its key.
_READ = """
SELECT 'transformer/' || coalesce(t.name, 'unassigned') AS element, NULL AS customer_class, k.window_start,
       k.window_start + make_interval(secs => k.window_s) AS window_end, k.window_s, 'final' AS state, w.*,
       e.expected, completeness(w.readings, e.expected) AS completeness
FROM unnest(%s::int[], %s::timestamptz[], %s::bigint[]) AS k (window_s, window_start, transformer_id)
LEFT JOIN transformers t USING (transformer_id)
CROSS JOIN LATERAL (
    SELECT sum(revision)::int AS revision, sum(readings)::bigint AS readings, sum(meters)::bigint AS meters,
           sum(normal)::bigint AS flagged_normal, sum(warnings)::bigint AS flagged_warning,
           sum(anomalies)::bigint AS flagged_anomaly, sum(missing)::bigint AS flagged_missing,
           sum(rejected)::bigint AS flagged_rejected,
           sum(energy_uwh)::double precision / 1e9 AS energy_kwh, sum(export_uwh)::double precision / 1e9 AS export_kwh,
           sum(reactive_uvarh)::double precision / 1e9 AS reactive_kvarh,
           sum(energy_uwh)::double precision / 1e9 * 3600 / k.window_s AS demand_mean_kw,
           sum(energy_uwh)::double precision / 1e9 * 3600 / k.window_s AS demand_peak_kw,
           k.window_start AS demand_peak_at,
           CASE WHEN sum(energy_uwh) <> 0 THEN 1.0::double precision END AS load_factor,
           sum(power_factor_ppm)::double precision / 1e6 / nullif(sum(power_factor_count), 0) AS power_factor,
           min(voltage_min) AS voltage_min,
           sum(voltage_sum_mv)::double precision / 1e3 / nullif(sum(voltage_count), 0) AS voltage_mean,
           max(voltage_max) AS voltage_max,
           sum(voltage_outside)::double precision / nullif(sum(voltage_count), 0) AS voltage_outside_share
    FROM window_totals v
    WHERE v.window_s = k.window_s AND v.window_start = k.window_start AND v.transformer_id = k.transformer_id
    OFFSET 0
) w
CROSS JOIN LATERAL (
    SELECT expected_readings('transformer/' || coalesce(t.name, 'unassigned'), NULL, k.window_start,
                             k.window_start + make_interval(secs => k.window_s)) AS expected OFFSET 0
) e
"""


class WindowOutbox(Outbox[WindowAggregate]):
    """Finds windows that have closed and were not handed on yet.

    Args:
        url: `postgresql://...`.
        lateness_s: a window closes this long after its end [s].
        band: voltages outside of it are counted.
        kept_days: how long a revision that is no longer believed is kept [d].
    """

    def __init__(self, url: str, *, lateness_s: float, band: VoltageBand = EN_50160, kept_days: float = 400.0) -> None:
        super().__init__(url, _LOCK)
        self._lateness_s = lateness_s
        self._band = band
        self._kept_days = kept_days
        self._forget_at = 0.0

    async def _due(self, connection: psycopg.AsyncConnection) -> list[WindowAggregate]:
        """Count again what has turned out to be elsewhere, fold windows that have closed, and merge them upwards."""
        await recount(connection, self._band)
        row = await (await connection.execute(_MARK)).fetchone()
        mark_us = row[0] if row else None
        if mark_us is None:
            return []
        asked = {"lateness_s": self._lateness_s, "mark": mark_us}
        folded = await (await connection.execute(_FOLD, asked)).fetchall()
        minutes = await self._minutes(connection, [key for key in folded if key[0] == _MINUTE_S])
        merged = await merge(connection, mark_us, self._lateness_s)
        if time.monotonic() > self._forget_at:
            await forget(connection, self._kept_days)
            self._forget_at = time.monotonic() + _FORGET_EVERY_S
        return minutes + merged

    async def _minutes(self, connection: psycopg.AsyncConnection, keys: list[Any]) -> list[WindowAggregate]:
        if not keys:
            return []
        lengths, starts, transformers = (list(column) for column in zip(*keys, strict=True))
        async with connection.cursor(row_factory=class_row(WindowAggregate)) as cursor:
            await cursor.execute(_READ, (lengths, starts, transformers))
            return await cursor.fetchall()
