"""Missing data: hours are looked at once they have closed, and again while something is missing from them.

Guarantee: at least once; of two of the same meter and hour, the one with more received is the newer one.
"""

import time

import psycopg
from psycopg.rows import class_row

from schemas.delivery import NO_WATERMARK_US
from schemas.missing import MissingData
from schemas.topics import METERS_RAW
from sinks.expectations import follow_cadences
from sinks.outbox import Outbox

#: Any number that nothing else locks.
_LOCK = 7_382_914
#: Meters whose interval is looked for at once, and pairs of meter and hour that are counted at once.
_METERS_AT_ONCE, _PAIRS_AT_ONCE = 5_000, 200_000
#: How often hours that lack something are counted again, and the newest readings that tell a meter's interval.
_AGAIN_S, _NEWEST = 60, 50
#: Hours that are further behind are not looked at any more [d].
_DAYS_BACK = 31

# A meter keeps the interval that was found, until a day later its newest readings may say otherwise. It is expected
# from its first reading on, of those that may be looked at.
_FIND_INTERVALS = f"""
INSERT INTO meter_intervals AS i (meter_id, interval_s, since)
SELECT m.meter_id, round(extract(epoch FROM n.step))::int, (
    SELECT reading_time FROM meter_readings r
    WHERE r.meter_id = m.meter_id AND r.reading_time > n.newest - interval '{_DAYS_BACK} days'
    ORDER BY reading_time LIMIT 1
)
FROM (SELECT m.meter_id FROM smart_meters m LEFT JOIN meter_intervals i USING (meter_id)
      WHERE i.meter_id IS NULL OR i.found_at < now() - interval '1 day'
      ORDER BY i.found_at NULLS FIRST LIMIT {_METERS_AT_ONCE}) m
CROSS JOIN LATERAL (
    SELECT mode() WITHIN GROUP (ORDER BY gap) AS step, count(gap) AS gaps, max(reading_time) AS newest
    FROM (SELECT reading_time, reading_time - lag(reading_time) OVER (ORDER BY reading_time) AS gap
          FROM (SELECT reading_time FROM meter_readings r WHERE r.meter_id = m.meter_id
                ORDER BY reading_time DESC LIMIT {_NEWEST}) newest) g
) n
WHERE n.gaps >= 3 AND n.step BETWEEN interval '1 second' AND interval '1 hour'
ON CONFLICT (meter_id) DO UPDATE SET interval_s = excluded.interval_s, found_at = now()
RETURNING meter_id, xmax = 0 AS found_first
"""  # noqa: S608 - constants of this module

# Hours that all partitions with news have left behind, the oldest first; what lies further back than a month, as in a
# replay of old files beside a living fleet, is not looked at.
_HOURS = f"""
WITH marks AS (
    SELECT timestamptz 'epoch' + coalesce(
        min(watermark_us) FILTER (WHERE updated_at > now() - interval '1 minute'), min(watermark_us)
    ) * interval '1 microsecond' AS mark
    FROM stream_offsets WHERE topic = '{METERS_RAW.name}' AND watermark_us > {NO_WATERMARK_US}
), begins AS (
    SELECT coalesce((SELECT until FROM missing_progress), date_trunc('hour', min(since))) AS begin FROM meter_intervals
)
SELECT h, h + interval '1 hour' FROM marks, begins,
    generate_series(greatest(begin, date_trunc('hour', mark) - interval '{_DAYS_BACK} days'),
                    mark - make_interval(secs => %(grace_s)s) - interval '1 hour', interval '1 hour') AS h
ORDER BY h LIMIT greatest(1, {_PAIRS_AT_ONCE} / greatest((SELECT count(*) FROM meter_intervals), 1))
"""  # noqa: S608
# A meter is expected for a week beyond its newest reading, unless it is out of service.
_COUNT = """
INSERT INTO missing_data (meter_id, hour, expected, received)
SELECT i.meter_id, h.hour, 3600 / i.interval_s, c.received
FROM meter_intervals i
JOIN smart_meters m USING (meter_id)
CROSS JOIN LATERAL {hours} AS h (hour)
CROSS JOIN LATERAL (
    SELECT count(*)::int AS received FROM meter_readings r
    WHERE r.meter_id = i.meter_id AND r.reading_time > h.hour AND r.reading_time <= h.hour + interval '1 hour'
) c
WHERE {meters} AND m.status IN ('active', 'unregistered') AND i.since <= h.hour AND c.received < 3600 / i.interval_s
  AND EXISTS (SELECT FROM meter_readings r WHERE r.meter_id = i.meter_id
              AND r.reading_time > h.hour - interval '7 days' AND r.reading_time <= h.hour + interval '1 hour')
ON CONFLICT DO NOTHING
RETURNING meter_id, hour
"""
_COUNT_HOURS = _COUNT.format(hours="unnest(%(hours)s::timestamptz[])", meters="true")
# Hours that had been looked at before the first reading of a meter was stored, or before its interval was known.
_COUNT_BEHIND = _COUNT.format(
    hours="""generate_series(
    date_trunc('hour', i.since), (SELECT until FROM missing_progress) - interval '1 hour', interval '1 hour'
)""",
    meters="i.meter_id = ANY(%(news)s)",
)
# Their failing readings, too, were not there when those of these hours were looked for.
_ESTIMATE_BEHIND = """
INSERT INTO estimates_due AS d (meter_id, since, until)
SELECT i.meter_id, i.since - interval '1 microsecond', p.until FROM meter_intervals i CROSS JOIN missing_progress p
WHERE i.meter_id = ANY(%(news)s) AND EXISTS (
    SELECT FROM meter_readings r
    WHERE r.meter_id = i.meter_id AND r.reading_time >= i.since AND r.reading_time <= p.until
      AND (r.failed_rules <> 0 OR r.quality_flag IN ('missing', 'rejected'))
)
ORDER BY i.meter_id
ON CONFLICT (meter_id) DO UPDATE SET since = least(d.since, excluded.since), until = greatest(d.until, excluded.until),
    changes = d.changes + 1
"""
_PROGRESS = """
INSERT INTO missing_progress (until) VALUES (%s) ON CONFLICT (one) DO UPDATE SET until = excluded.until
"""
_AGAIN = f"""
UPDATE missing_data d SET received = c.received, counted_at = now()
FROM (SELECT o.meter_id, o.hour, (
          SELECT count(*)::int FROM meter_readings r
          WHERE r.meter_id = o.meter_id AND r.reading_time > o.hour AND r.reading_time <= o.hour + interval '1 hour'
      ) AS received
      FROM (SELECT * FROM missing_data WHERE received < expected ORDER BY hour DESC LIMIT {_PAIRS_AT_ONCE}) o) c
WHERE (d.meter_id, d.hour) = (c.meter_id, c.hour) AND d.received <> c.received
RETURNING d.meter_id, d.hour
"""  # noqa: S608
_READ = """
SELECT m.meter_number, t.name AS transformer, d.hour, d.expected, least(d.received, d.expected) AS received
FROM unnest(%s::bigint[], %s::timestamptz[]) AS k (meter_id, hour)
JOIN missing_data d USING (meter_id, hour)
JOIN smart_meters m USING (meter_id)
LEFT JOIN transformers t USING (transformer_id)
ORDER BY d.hour, m.meter_number
"""
# By the clock of the data, which in a replay is not ours.
_NOW_MISSING = """
SELECT coalesce(sum(expected - received), 0)::bigint, count(DISTINCT meter_id) FROM missing_data
WHERE received < expected AND hour > (SELECT until FROM missing_progress) - interval '1 day'
"""


class MissingOutbox(Outbox[MissingData]):
    """Finds what is missing and was not told yet.

    Args:
        url: `postgresql://...`.
        grace_s: an hour is looked at so long after its end [s].

    Attributes:
        intervals: intervals missing from the last day of the data.
        meters: meters that they are missing of.
    """

    def __init__(self, url: str, *, grace_s: float) -> None:
        super().__init__(url, _LOCK)
        self._grace_s = grace_s
        self._looked_at = -float("inf")
        self.intervals = 0
        self.meters = 0

    async def _due(self, connection: psycopg.AsyncConnection) -> list[MissingData]:
        """Count hours that have closed; and, once a minute, those again that lack something."""
        keys = list[tuple[int, object]]()
        looking = time.monotonic() - self._looked_at >= _AGAIN_S
        if looking:
            keys += await _found_behind(connection)
            keys += await (await connection.execute(_AGAIN)).fetchall()
        hours = await (await connection.execute(_HOURS, {"grace_s": self._grace_s})).fetchall()
        if hours:
            begins, ends = zip(*hours, strict=True)
            keys += await (await connection.execute(_COUNT_HOURS, {"hours": list(begins)})).fetchall()
            await connection.execute(_PROGRESS, (ends[-1],))
        if looking or keys:
            found = await (await connection.execute(_NOW_MISSING)).fetchone()
            self.intervals, self.meters = found or (0, 0)
        self._looked_at = time.monotonic() if looking else self._looked_at
        if not keys:
            return []
        meters, starts = (list(column) for column in zip(*keys, strict=True))
        async with connection.cursor(row_factory=class_row(MissingData)) as cursor:
            await cursor.execute(_READ, (meters, starts))
            return await cursor.fetchall()


async def _found_behind(connection: psycopg.AsyncConnection) -> list[tuple[int, object]]:
    """Learn how often meters send, and count what new ones lack of the hours that were looked at without them."""
    found = await (await connection.execute(_FIND_INTERVALS)).fetchall()
    await follow_cadences(connection, [meter_id for meter_id, _ in found])
    news = [meter_id for meter_id, found_first in found if found_first]
    if not news:
        return []
    await connection.execute(_ESTIMATE_BEHIND, {"news": news})
    return await (await connection.execute(_COUNT_BEHIND, {"news": news})).fetchall()
