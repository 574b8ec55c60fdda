"""Load, energy balance and conditions of transformers, as the database has them."""

from datetime import datetime

from schemas.grid_physics import GridCondition, TransformerBalance, TransformerLoad
from stream.database import rows_as

_LOADS = """
SELECT l.transformer, l.region, l.rating_kva, max(l.load_kva) AS peak_kva,
       (array_agg(l.window_start ORDER BY l.load_kva DESC, l.window_start))[1] AS peak_at,
       max(l.loading) AS peak_loading, avg(l.loading) AS mean_loading,
       count(*) FILTER (WHERE l.loading > 1) / (CASE WHEN l.rating_kva IS NOT NULL THEN 4.0::float8 END) AS hours_over,
       count(*) AS quarters,
       (array_agg(l.measured_by ORDER BY l.load_kva DESC, l.window_start))[1] AS measured_by,
       (array_agg(l.power_factor_by ORDER BY l.load_kva DESC, l.window_start))[1] AS power_factor_by
FROM transformer_loading l
WHERE l.window_start >= %(since)s AND l.window_start < %(until)s AND l.load_kva IS NOT NULL
  AND (%(region)s::text IS NULL OR l.region = %(region)s)
GROUP BY l.transformer, l.region, l.rating_kva
ORDER BY max(l.loading) DESC NULLS LAST, max(l.load_kva) DESC, l.transformer LIMIT %(limit)s
"""
_SUMS = """
max(b.customers) AS customers, count(*) AS hours, count(*) FILTER (WHERE b.complete) AS complete_hours,
sum(b.own_kwh) FILTER (WHERE b.complete) AS own_kwh, sum(b.customers_kwh) FILTER (WHERE b.complete) AS customers_kwh,
sum(b.lost_kwh) FILTER (WHERE b.complete) AS lost_kwh,
sum(b.expected_loss_kwh) FILTER (WHERE b.complete) AS expected_loss_kwh,
sum(b.residual_kwh) FILTER (WHERE b.complete) AS residual_kwh,
sum(b.residual_kwh) FILTER (WHERE b.complete) / nullif(sum(b.supplied_kwh) FILTER (WHERE b.complete), 0)
    AS residual_share,
avg(b.estimated) FILTER (WHERE b.complete) AS estimated
"""
_BALANCES = f"""
SELECT b.transformer, NULL::date AS day, {_SUMS}
FROM transformer_balance b WHERE b.hour >= %(since)s AND b.hour < %(until)s
GROUP BY b.transformer ORDER BY abs(sum(b.residual_kwh) FILTER (WHERE b.complete)
    / nullif(sum(b.supplied_kwh) FILTER (WHERE b.complete), 0)) DESC NULLS LAST, b.transformer LIMIT %(limit)s
"""  # noqa: S608 - constants of this module
_DAYS = f"""
SELECT b.transformer, (b.hour AT TIME ZONE z.timezone)::date AS day, {_SUMS}
FROM transformer_balance b
JOIN transformer_elements z ON z.transformer_id = b.transformer_id AND z.element_kind = 'transformer'
WHERE b.hour >= %(since)s AND b.hour < %(until)s AND b.transformer = %(transformer)s
GROUP BY 1, 2 ORDER BY 2 DESC LIMIT %(limit)s
"""  # noqa: S608
_CONDITIONS = """
SELECT condition_id, kind, element, started_at, ended_at, severity, measured, expected, uncertainty, unit, suspect,
       confidence, detail, found_at, revision
FROM grid_conditions
WHERE NOT withdrawn AND (%(since)s::timestamptz IS NULL OR coalesce(ended_at, 'infinity') >= %(since)s)
  AND (NOT %(standing)s OR ended_at IS NULL) AND (%(kind)s::text IS NULL OR kind = %(kind)s)
ORDER BY started_at DESC, condition_id LIMIT %(limit)s
"""


def loads(database_url: str, since: datetime, until: datetime, region: str | None, limit: int) -> list[TransformerLoad]:
    """Return what transformers carried, those nearest to their rating first.

    Args:
        database_url: where it is.
        since: begin of the span.
        until: its end.
        region: one region only.
        limit: how many at most.
    """
    asked = {"since": since, "until": until, "region": region, "limit": limit}
    return rows_as(database_url, _LOADS, asked, TransformerLoad)


def balances(
    database_url: str, since: datetime, until: datetime, limit: int, transformer: str | None = None
) -> list[TransformerBalance]:
    """Return balances of transformers with meters of their own, those that are furthest off first.

    Args:
        database_url: where they are.
        since: begin of the span.
        until: its end.
        limit: how many at most.
        transformer: the days of this one instead, the newest first.
    """
    asked = {"since": since, "until": until, "limit": limit, "transformer": transformer}
    return rows_as(database_url, _BALANCES if transformer is None else _DAYS, asked, TransformerBalance)


def conditions(
    database_url: str, since: datetime | None, kind: str | None, limit: int, *, standing: bool
) -> list[GridCondition]:
    """Return conditions of the grid, the newest first.

    Args:
        database_url: where they are.
        since: leave out what was over before.
        kind: one kind only.
        limit: how many at most.
        standing: leave out what is over.
    """
    asked = {"since": since, "kind": kind, "limit": limit, "standing": standing}
    return rows_as(database_url, _CONDITIONS, asked, GridCondition)
