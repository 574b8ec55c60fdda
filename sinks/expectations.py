"""How often meters send, and where they stand, followed beside the flow: what is expected of windows is asked of this.

Doing it twice changes nothing; one process at a time does it.
"""

import psycopg

from sinks.meter_book import PLACES_LOCK

#: Changes of the registry that are followed at once, and newest readings in which a change of cadence is looked for.
_CHANGES_AT_ONCE, _NEWEST = 20_000, 5_000

# A meter that sends otherwise than before has done so since the last distance of before.
_KEEP_CADENCES = f"""
INSERT INTO meter_cadences AS c (meter_id, valid_from, interval_s)
SELECT i.meter_id, coalesce(n.until, i.since), i.interval_s
FROM meter_intervals i
LEFT JOIN LATERAL (
    SELECT interval_s, valid_from FROM meter_cadences k WHERE k.meter_id = i.meter_id ORDER BY valid_from DESC LIMIT 1
) k ON true
LEFT JOIN LATERAL (
    SELECT coalesce(max(reading_time) FILTER (WHERE gap = make_interval(secs => k.interval_s)),
                    min(reading_time)) AS until
    FROM (SELECT reading_time, reading_time - lag(reading_time) OVER (ORDER BY reading_time) AS gap
          FROM (SELECT reading_time FROM meter_readings r
                WHERE r.meter_id = i.meter_id AND r.reading_time >= k.valid_from
                ORDER BY reading_time DESC LIMIT {_NEWEST}) newest) g
) n ON k.interval_s IS NOT NULL
WHERE i.meter_id = ANY(%(found)s) AND k.interval_s IS DISTINCT FROM i.interval_s
ON CONFLICT (meter_id, valid_from) DO UPDATE SET interval_s = excluded.interval_s
RETURNING c.meter_id
"""  # noqa: S608 - constants of this module
_HOLD, _LET_GO = "SELECT pg_advisory_lock_shared(%s)", "SELECT pg_advisory_unlock_shared(%s)"
_MOVED = f"""
WITH news AS (
    SELECT r.version, r.meter_id FROM registry_changes r
    WHERE r.version > (SELECT version FROM expected_progress) ORDER BY r.version LIMIT {_CHANGES_AT_ONCE}
), reached AS (
    UPDATE expected_progress SET version = (SELECT max(version) FROM news) WHERE EXISTS (SELECT FROM news)
)
SELECT DISTINCT meter_id FROM news n WHERE EXISTS (SELECT FROM meter_cadences c WHERE c.meter_id = n.meter_id)
"""  # noqa: S608 - constants of this module


async def follow_cadences(connection: psycopg.AsyncConnection, found: list[int]) -> None:
    """Expect meters by how often they send and where they stand; in the caller's transaction.

    Args:
        connection: with that transaction open.
        found: meters of which it was just found out how often they send.
    """
    changed = await (await connection.execute(_KEEP_CADENCES, {"found": found})).fetchall() if found else []
    # Numbers of changes are given before they are committed: none may be under way while they are read.
    await connection.execute(_HOLD, (PLACES_LOCK,))
    try:
        changed += await (await connection.execute(_MOVED)).fetchall()
    finally:
        await connection.execute(_LET_GO, (PLACES_LOCK,))
    if changed:
        await connection.execute("SELECT expect_meters(%s)", ([meter for (meter,) in changed],))
    # Elements may stand elsewhere without any meter having moved.
    await connection.execute("SELECT expect_elements()")
