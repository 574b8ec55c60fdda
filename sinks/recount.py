"""Windows summed up again from readings, where it became known later where these had been taken.

One transformer and one of its local days at a time, while no delivery runs: what was summed there goes, and what its
readings say takes its place. So nothing counts twice, and a crash leaves either the old sums or the new ones. A day of
which retention may have dropped readings stays as it was summed.
"""

import psycopg

from schemas.quality import ANOMALY, FLAGS, MISSING, NORMAL, REJECTED, WARNING
from schemas.windows import HOUR_S, MV_PER_V, PPM, UNCLASSIFIED, UWH_PER_KWH, WINDOW_LENGTHS_S, VoltageBand
from sinks.meter_book import PLACES_LOCK
from sinks.windows_table import SUMS

_HOLD = "SELECT pg_advisory_xact_lock(%s)"
# The first local day of the oldest entry, and whether its readings are all still there; the rest stays in the queue.
_TAKE = """
WITH one AS (
    SELECT ctid AS place, * FROM window_recounts ORDER BY since LIMIT 1
), clock AS (
    SELECT o.*, coalesce(z.timezone, 'UTC') AS timezone
    FROM one o LEFT JOIN transformers t USING (transformer_id) LEFT JOIN feeders f USING (feeder_id)
    LEFT JOIN substations s USING (substation_id) LEFT JOIN region_clocks z USING (region)
), day AS (
    SELECT *, date_trunc('day', since, timezone) AS first,
           (date_trunc('day', since AT TIME ZONE timezone) + interval '1 day') AT TIME ZONE timezone AS next FROM clock
), gone AS (
    DELETE FROM window_recounts w USING day d
    WHERE w.transformer_id = d.transformer_id AND w.since >= d.first AND w.since < d.next
    RETURNING w.transformer_id, w.until
), left_over AS (
    INSERT INTO window_recounts (transformer_id, since, until)
    SELECT g.transformer_id, greatest(d.next, readings_kept_since()), max(g.until) FROM gone g, day d
    WHERE g.until >= greatest(d.next, readings_kept_since()) GROUP BY 1, 2
)
SELECT first >= readings_kept_since(), transformer_id, first, next, timezone FROM day
"""
_LONGEST = WINDOW_LENGTHS_S[-1]
_SPAN = (
    "window_s = ANY (%(lengths)s) AND transformer_id = %(transformer)s "
    "AND window_start >= %(first)s AND window_start < %(next)s"
)
# What was said stays as windows of nothing, so that they are folded again; so does how often they were restated.
_CLEAR = f"""
WITH partials AS (
    DELETE FROM window_partials WHERE {_SPAN} RETURNING *
), totals AS (
    UPDATE window_totals SET {", ".join(f"{name} = 0" for name in SUMS if name != "restating")},
        demand_peak_kw = NULL, demand_peak_at = NULL, voltage_min = NULL, voltage_max = NULL
    WHERE {_SPAN} RETURNING *
)
INSERT INTO window_partials (transformer_id, customer_class, window_s, window_start, restating, readings, meters,
    hour_meters, day_meters, normal, warnings, anomalies, missing, rejected, energy_uwh, export_uwh, reactive_uvarh,
    power_factor_count, power_factor_ppm, voltage_count, voltage_outside, voltage_sum_mv)
SELECT transformer_id, customer_class, window_s, window_start, sum(restating), {", ".join("0" * 17)}
FROM (SELECT transformer_id, customer_class, window_s, window_start, restating FROM partials
      UNION ALL SELECT transformer_id, customer_class, window_s, window_start, 0 FROM totals) w
GROUP BY 1, 2, 3, 4
"""  # noqa: S608 - constants of this module


def _first(frame: str) -> str:
    return f"(row_number() OVER (PARTITION BY meter_id, valid_from, {frame} ORDER BY reading_time) = 1)::int"


def _whole(column: str, per_unit: int) -> str:
    return f"coalesce(sum(round({column} * {per_unit})::bigint), 0)"


def _flagged(code: int) -> str:
    return f"count(*) FILTER (WHERE quality_flag = '{FLAGS[code]}')"


def _start(length_s: int | str) -> str:
    return f"to_timestamp(floor(extract(epoch FROM reading_time) / {length_s}) * {length_s})"


_SUM = f"""
WITH moves AS (
    SELECT DISTINCT meter_id FROM meter_moves WHERE transformer_id = %(transformer)s
    UNION SELECT meter_id FROM smart_meters m WHERE %(transformer)s = 0 AND NOT EXISTS (
        SELECT FROM meter_moves p WHERE p.meter_id = m.meter_id AND p.valid_from = '-infinity')
), readings AS (
    SELECT r.*, coalesce(p.customer_class, '{UNCLASSIFIED}') AS customer_class, p.valid_from
    FROM moves m
    JOIN meter_readings r ON r.meter_id = m.meter_id AND r.reading_time >= %(first)s AND r.reading_time < %(next)s
    LEFT JOIN LATERAL (
        SELECT * FROM meter_moves p WHERE p.meter_id = r.meter_id AND p.valid_from <= r.reading_time
        ORDER BY p.valid_from DESC LIMIT 1
    ) p ON true
    WHERE coalesce(p.transformer_id, 0) = %(transformer)s
), placed AS (
    SELECT *, {_first(_start(HOUR_S))} AS of_hour,
           {_first("date_trunc('day', reading_time, %(timezone)s)")} AS of_day FROM readings
), framed AS (
    SELECT *, {_start("window_s")} AS window_start FROM placed CROSS JOIN unnest(%(lengths)s) AS l (window_s)
), counted AS (
    SELECT *, {_first("window_s, window_start")} AS of_window FROM framed
)
INSERT INTO window_partials (transformer_id, customer_class, window_s, window_start, restating, readings, meters,
    hour_meters, day_meters, normal, warnings, anomalies, missing, rejected, energy_uwh, export_uwh, reactive_uvarh,
    power_factor_count, power_factor_ppm, voltage_count, voltage_outside, voltage_sum_mv,
    demand_peak_kw, demand_peak_at, voltage_min, voltage_max)
SELECT %(transformer)s, customer_class, window_s, window_start, 0, count(*), sum(of_window),
       CASE WHEN window_s = {_LONGEST} THEN sum(of_hour) ELSE 0 END,
       CASE WHEN window_s = {_LONGEST} THEN sum(of_day) ELSE 0 END,
       {", ".join(_flagged(code) for code in (NORMAL, WARNING, ANOMALY, MISSING, REJECTED))},
       {_whole("consumption_kwh", UWH_PER_KWH)}, {_whole("export_kwh", UWH_PER_KWH)},
       {_whole("reactive_kvarh", UWH_PER_KWH)}, count(power_factor), {_whole("power_factor", PPM)}, count(voltage),
       count(*) FILTER (WHERE voltage < %(low)s OR voltage > %(high)s), {_whole("voltage", MV_PER_V)},
       max(demand_kw) + 0.0,
       (array_agg(reading_time ORDER BY demand_kw DESC, reading_time) FILTER (WHERE demand_kw IS NOT NULL))[1],
       min(voltage) + 0.0, max(voltage) + 0.0
FROM counted GROUP BY customer_class, window_s, window_start
"""  # noqa: S608 - constants of this module


async def recount(connection: psycopg.AsyncConnection, band: VoltageBand) -> bool:
    """Count one transformer's day again, where one waits for it; in the caller's transaction.

    Args:
        connection: with a transaction open that excludes the folding of partials.
        band: voltages outside of it are counted.

    Returns: whether one was; days that can no longer be counted are struck off.
    """
    if await (await connection.execute("SELECT FROM window_recounts LIMIT 1")).fetchone() is None:
        return False
    await connection.execute(_HOLD, (PLACES_LOCK,))
    while (row := await (await connection.execute(_TAKE)).fetchone()) is not None:
        kept, *found = row
        if kept:
            unit = dict(zip(("transformer", "first", "next", "timezone"), found, strict=True))
            unit |= {"lengths": list(WINDOW_LENGTHS_S), "low": band.low, "high": band.high}
            await connection.execute(_CLEAR, unit)
            await connection.execute(_SUM, unit)
            return True
    return False
