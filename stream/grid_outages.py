"""Outages and reliability of the grid, as the database has them."""

from datetime import datetime
from typing import Any

from psycopg.rows import dict_row

from schemas.errors import MeterstreamError
from schemas.grid_outages import GridOutage, Reliability
from stream.database import connected, rows_as

_OUTAGES = """
SELECT o.outage_id, o.element, o.region, coalesce(o.started_after, o.started_at) AS started_after, o.started_at,
       coalesce(o.started_by, o.started_at) AS started_by, coalesce(o.ended_after, o.ended_at) AS ended_after,
       o.ended_at, coalesce(o.ended_by, o.ended_at) AS ended_by, o.customers, o.told, o.cause, o.found_at, o.revision,
       coalesce(i.minutes, 0) AS customer_minutes, coalesce(i.least, 0) AS customer_minutes_least,
       coalesce(i.most, 0) AS customer_minutes_most, coalesce(i.off, 0) AS without_power
FROM grid_outages o
LEFT JOIN LATERAL (
    SELECT sum(v.minutes) AS minutes, sum(v.minutes_least) AS least, sum(v.minutes_most) AS most,
           count(*) FILTER (WHERE v.back_at IS NULL) AS off
    FROM grid_interruptions v WHERE v.outage_id = o.outage_id
) i ON true
WHERE NOT o.withdrawn AND (%(since)s::timestamptz IS NULL OR coalesce(o.ended_at, 'infinity') >= %(since)s)
  AND (NOT %(standing)s OR o.ended_at IS NULL) AND (%(region)s::text IS NULL OR o.region = %(region)s)
  AND (%(outage_id)s::bigint IS NULL OR o.outage_id = %(outage_id)s)
ORDER BY o.started_at DESC, o.outage_id LIMIT %(limit)s
"""
_METERS = """
SELECT m.meter_number, t.name AS transformer, v.off_after, v.off_at, v.off_by, v.back_after, v.back_at, v.back_by,
       v.minutes, v.minutes_least, v.minutes_most
FROM grid_interruptions v
JOIN smart_meters m USING (meter_id)
LEFT JOIN transformers t USING (transformer_id)
WHERE v.outage_id = %s ORDER BY t.name, m.meter_number
"""
_RELIABILITY = "SELECT * FROM reliability(%s, %s)"


class UnknownOutage(MeterstreamError):
    """There is no outage of this number, or it turned out to be none."""


def outages(
    database_url: str,
    since: datetime | None = None,
    region: str | None = None,
    limit: int = 20,
    *,
    standing: bool = False,
) -> list[GridOutage]:
    """Return outages, the newest first.

    Args:
        database_url: where they are.
        since: leave out what was over before.
        region: one region only.
        limit: how many at most.
        standing: leave out what is over.
    """
    asked = {"since": since, "region": region, "limit": limit, "standing": standing, "outage_id": None}
    return rows_as(database_url, _OUTAGES, asked, GridOutage)


def outage(database_url: str, outage_id: int) -> tuple[GridOutage, list[dict[str, Any]]]:
    """Return an outage, and its meters: number, transformer, when power went and came back, minutes.

    Raises:
        UnknownOutage: there is none.
    """
    asked = {"since": None, "region": None, "limit": 1, "standing": False, "outage_id": outage_id}
    found = rows_as(database_url, _OUTAGES, asked, GridOutage)
    if not found:
        raise UnknownOutage(f"there is no outage {outage_id}: `meterstream grid outages` shows those that are")
    with connected(database_url) as connection, connection.cursor(row_factory=dict_row) as cursor:
        return found[0], cursor.execute(_METERS, (outage_id,)).fetchall()


def reliability(database_url: str, since: datetime, until: datetime) -> list[Reliability]:
    """Return SAIDI, SAIFI and CAIDI of each region over a span of time."""
    return rows_as(database_url, _RELIABILITY, (since, until), Reliability)
