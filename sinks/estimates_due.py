"""What is due to be estimated: meters with their spans, noted in the database by whatever makes them due.

Guarantee: what is due stays so until it is done, whoever dies; one process at a time takes it.
"""

from datetime import datetime
from typing import NamedTuple

import psycopg

#: Any number that nothing else locks.
_LOCK = 7_382_915
#: Hours further behind the data are not looked through for failing readings [d].
_DAYS_BACK = 31

_MINE = "SELECT pg_try_advisory_xact_lock(%s)"
# Hours are counted for missing readings first; after that, what may still come is waited for.
_UNTIL = """
SELECT date_trunc('hour', until - make_interval(secs => %s)) FROM missing_progress
"""
_BEGIN = f"""
SELECT coalesce((SELECT until FROM estimates_progress),
                (SELECT greatest(date_trunc('hour', min(since)), %(until)s - interval '{_DAYS_BACK} days')
                 FROM meter_intervals))
"""  # noqa: S608 - a constant of this module
_FAILING = """
INSERT INTO estimates_due AS d (meter_id, since, until)
SELECT r.meter_id, min(r.reading_time) - interval '1 microsecond', max(r.reading_time)
FROM (
    SELECT meter_id, reading_time FROM meter_readings
    WHERE reading_time > %(since)s AND reading_time <= %(until)s AND (failed_rules <> 0 OR warned_rules <> 0)
      AND (failed_rules & %(replaced)s <> 0 OR quality_flag = 'rejected')
    UNION ALL
    SELECT meter_id, reading_time FROM meter_readings
    WHERE reading_time > %(since)s AND reading_time <= %(until)s AND quality_flag = 'missing'
) r
GROUP BY r.meter_id ORDER BY r.meter_id
ON CONFLICT (meter_id) DO UPDATE SET since = least(d.since, excluded.since), until = greatest(d.until, excluded.until),
    changes = d.changes + 1
"""
_PROGRESS = """
INSERT INTO estimates_progress (until) VALUES (%s) ON CONFLICT (one) DO UPDATE SET until = excluded.until
"""
# A gap that was open has ended once its meter has sent something newer.
_CLOSED = """
WITH ended AS (
    DELETE FROM estimates_open o
    WHERE EXISTS (SELECT FROM meter_readings r WHERE r.meter_id = o.meter_id AND r.reading_time > o.until) RETURNING o.*
)
INSERT INTO estimates_due AS d (meter_id, since, until) SELECT meter_id, since, until FROM ended ORDER BY meter_id
ON CONFLICT (meter_id) DO UPDATE SET since = least(d.since, excluded.since), until = greatest(d.until, excluded.until),
    changes = d.changes + 1
"""
_TAKE = """
SELECT m.meter_number, d.meter_id, d.since, least(d.until, %(until)s), d.changes
FROM estimates_due d JOIN smart_meters m USING (meter_id)
WHERE d.since < %(until)s ORDER BY d.since, d.meter_id LIMIT %(most)s
"""
_STILL = "SELECT count(*) FROM estimates_due WHERE (meter_id, changes) = (%s, %s)"
_DONE = "DELETE FROM estimates_due WHERE (meter_id, changes) = (%s, %s) AND until <= %s"
_LATER = "UPDATE estimates_due SET since = greatest(since, %s) WHERE (meter_id, changes) = (%s, %s)"
_OPEN = """
INSERT INTO estimates_open AS o (meter_id, since, until) VALUES (%s, %s, %s)
ON CONFLICT (meter_id) DO UPDATE SET since = least(o.since, excluded.since), until = greatest(o.until, excluded.until)
"""


class Due(NamedTuple):
    """A meter that may have something to estimate.

    Attributes:
        number: meter number.
        meter_id: its key.
        since: begin of the span.
        until: its end.
        changes: how often something was added to it.
    """

    number: str
    meter_id: int
    since: datetime
    until: datetime
    changes: int


def mine(connection: psycopg.Connection) -> bool:
    """Say whether this transaction is the only one at it."""
    found = connection.execute(_MINE, (_LOCK,)).fetchone()
    return bool(found and found[0])


def due_until(connection: psycopg.Connection, wait_s: float) -> datetime | None:
    """Return up to when intervals are due by the clock of the data, None where no hour has been counted yet."""
    found = connection.execute(_UNTIL, (wait_s,)).fetchone()
    return found[0] if found else None


def look(connection: psycopg.Connection, until: datetime, replaced: int) -> None:
    """Note readings that fail in hours that have become due, and gaps that have ended.

    Args:
        connection: in a transaction.
        until: what is due.
        replaced: mask of the rules whose failure makes a value be estimated.
    """
    begin = connection.execute(_BEGIN, {"until": until}).fetchone()
    if begin and begin[0] is not None and begin[0] < until:
        connection.execute(_FAILING, {"since": begin[0], "until": until, "replaced": replaced})
        connection.execute(_PROGRESS, (until,))
    connection.execute(_CLOSED)


def take(connection: psycopg.Connection, until: datetime, most: int) -> list[Due]:
    """Return what is due, the oldest first; it stays due until `settle`."""
    return [Due(*row) for row in connection.execute(_TAKE, {"until": until, "most": most})]


def still_due(connection: psycopg.Connection, due: Due) -> bool:
    """Say whether nobody else has done it, and nothing was added."""
    found = connection.execute(_STILL, (due.meter_id, due.changes)).fetchone()
    return bool(found and found[0])


def settle(connection: psycopg.Connection, due: Due, open_since: datetime | None) -> None:
    """Strike off what is done; what was added meanwhile, or is not due yet, stays.

    Args:
        connection: in the transaction of the values.
        due: what is done.
        open_since: begin of the gap that had not ended, None where there is none.
    """
    connection.execute(_DONE, (due.meter_id, due.changes, due.until))
    connection.execute(_LATER, (due.until, due.meter_id, due.changes))
    if open_since is not None:
        connection.execute(_OPEN, (due.meter_id, open_since, due.until))
