"""Notices that wait for their channel, in the database, so that a crash neither loses nor multiplies them.

Guarantee: a notice waits until its channel has taken it; one that was taken and not yet noted so is given again.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from processors.routing import BEGINS, ENDS
from schemas.alert_events import STANDING, AlertEvent
from schemas.alerts import Alert
from schemas.errors import ServiceUnavailable
from sinks.alert_sql import SESSION
from sinks.timescale_sql import ADD_ALERTS, alert_arrays

_BEGINS, _ENDS, _STANDING = (
    ", ".join(f"'{item}'" for item in items) for items in ((*BEGINS, "escalated"), ENDS, STANDING)
)
_UNROUTED = """
UPDATE alert_history SET routed = true WHERE number = ANY(ARRAY(
    SELECT number FROM alert_history WHERE NOT routed ORDER BY number LIMIT %s
)) RETURNING number, event
"""
# Whoever was not told of an alert is not told of its end, nor that somebody has it.
_ADD = f"""
INSERT INTO alert_notifications (event_id, alert_id, channel, change, due_at)
SELECT w.* FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::timestamptz[])
    AS w (event_id, alert_id, channel, change, due_at)
WHERE w.change IN ({_BEGINS}) OR EXISTS (
    SELECT FROM alert_notifications n WHERE n.alert_id = w.alert_id AND n.channel = w.channel AND n.status <> 'dropped'
)
ON CONFLICT DO NOTHING
"""  # noqa: S608 - names are constants of this module
# What is over, part of something else or silenced by the time it is due needs no telling, nor its end.
_DROP = f"""
WITH gone AS (
    UPDATE alert_notifications n SET status = 'dropped' FROM alerts a
    WHERE n.channel = %(channel)s AND n.status = 'waiting' AND n.due_at <= %(now)s AND a.alert_id = n.alert_id
      AND n.change IN ({_BEGINS}) AND n.attempts = 0
      AND (a.status NOT IN ({_STANDING}) OR a.parent_id IS NOT NULL OR a.silenced)
    RETURNING n.number
)
UPDATE alert_notifications n SET status = 'dropped'
WHERE n.channel = %(channel)s AND n.status = 'waiting' AND n.due_at <= %(now)s AND n.change NOT IN ({_BEGINS})
  AND NOT EXISTS (
    SELECT FROM alert_notifications b
    WHERE b.alert_id = n.alert_id AND b.channel = n.channel AND b.change IN ({_BEGINS})
      AND b.status IN ('waiting', 'sent') AND b.number NOT IN (SELECT number FROM gone)
)
"""  # noqa: S608
_DUE = """
SELECT n.number, h.event, n.attempts, count(*) OVER () AS waiting
FROM alert_notifications n JOIN alert_history h USING (event_id)
WHERE n.channel = %s AND n.status = 'waiting' AND n.due_at <= %s ORDER BY h.number LIMIT %s
"""
_WORST = """
SELECT n.number, h.event, n.attempts, count(*) OVER () AS waiting
FROM alert_notifications n JOIN alert_history h USING (event_id) JOIN alerts a ON a.alert_id = n.alert_id
WHERE n.channel = %s AND n.status = 'waiting' AND n.due_at <= %s
ORDER BY array_position(ARRAY['critical', 'warning', 'info'], a.severity), a.customers DESC, h.number LIMIT %s
"""
_LAST = "SELECT max(number) FROM alert_notifications WHERE channel = %s AND status = 'waiting' AND due_at <= %s"
_SENT_TO = """
UPDATE alert_notifications SET status = 'sent', told_at = %(now)s, attempts = attempts + 1, error = NULL
WHERE channel = %(channel)s AND status = 'waiting' AND due_at <= %(due)s AND number <= %(last)s
"""
_SENT = """
UPDATE alert_notifications SET status = 'sent', told_at = %s, attempts = attempts + 1, error = NULL WHERE number = %s
"""
_FAILED = "UPDATE alert_notifications SET attempts = attempts + 1, error = %s, status = %s WHERE number = %s"
_HAND_OVER = """
INSERT INTO alert_notifications (event_id, alert_id, channel, change, due_at)
SELECT n.event_id, n.alert_id, %(to)s, n.change, %(now)s FROM alert_notifications n
WHERE n.channel = %(channel)s AND (
    n.number = %(number)s::bigint OR (%(number)s::bigint IS NULL AND n.status = 'waiting' AND n.due_at <= %(now)s)
) AND NOT EXISTS (SELECT FROM alert_notifications o WHERE o.event_id = n.event_id AND o.channel = %(to)s)
ON CONFLICT DO NOTHING
"""
_UNACKNOWLEDGED = f"""
SELECT a.alert_id, min(n.told_at) FROM alerts a JOIN alert_notifications n USING (alert_id)
WHERE n.status = 'sent' AND n.change IN ({_BEGINS}) AND a.status = 'open' AND a.escalation = 0
  AND a.parent_id IS NULL AND NOT a.silenced
GROUP BY a.alert_id
"""  # noqa: S608


@dataclass(frozen=True)
class Waiting:
    """One notice that is due.

    Attributes:
        number: which one.
        event: what it tells.
        attempts: how often that was tried.
        waiting: how many are due to the same channel.
    """

    number: int
    event: AlertEvent
    attempts: int
    waiting: int


@dataclass(frozen=True)
class Wish:
    """That a channel be told of an event, from some time on."""

    event: AlertEvent
    channel: str
    due_at: datetime


class Notifications:
    """The notices of all channels.

    Args:
        url: `postgresql://...`.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: psycopg.AsyncConnection | None = None
        self._lock = asyncio.Lock()

    @asynccontextmanager
    async def routing(self, limit: int) -> AsyncIterator[tuple[list[AlertEvent], list[Wish]]]:
        """Give changes that were not routed yet, and a list for what is wished of them; kept whole at the end."""
        async with self._connected() as connection, connection.transaction():
            rows = sorted(await (await connection.execute(_UNROUTED, (limit,))).fetchall())
            wishes: list[Wish] = []
            yield [AlertEvent.model_validate_json(text) for _, text in rows], wishes
            columns = [
                (w.event.id, w.event.data.alert.alert_id, w.channel, w.event.data.change, w.due_at) for w in wishes
            ]
            if columns:
                await connection.execute(_ADD, [list(column) for column in zip(*columns, strict=True)])

    async def due(self, channel: str, now: datetime, limit: int, *, worst: bool = False) -> list[Waiting]:
        """Return some of what is due, the oldest or the worst first; what needs no telling any more is dropped."""
        async with self._connected() as connection:
            await connection.execute(_DROP, {"channel": channel, "now": now})
            rows = await (await connection.execute(_WORST if worst else _DUE, (channel, now, limit))).fetchall()
        return [Waiting(number, AlertEvent.model_validate_json(text), *rest) for number, text, *rest in rows]

    async def last(self, channel: str, now: datetime) -> int:
        """Return the newest notice that is due; 0 where there is none."""
        return (await self._one(_LAST, (channel, now)))[0] or 0

    async def sent(self, number: int, now: datetime) -> None:
        """Note that a channel has taken a notice."""
        await self._do(_SENT, (now, number))

    async def sent_to(self, channel: str, last: int, due: datetime, now: datetime) -> None:
        """Note that a channel has taken all that was due up to some notice: a digest."""
        await self._do(_SENT_TO, {"channel": channel, "last": last, "due": due, "now": now})

    async def failed(self, number: int, error: str, *, for_good: bool) -> None:
        """Note that a channel has not taken a notice; it waits on unless that is for good."""
        await self._do(_FAILED, (error, "failed" if for_good else "waiting", number))

    async def hand_over(self, channel: str, to: str, now: datetime, number: int | None = None) -> None:
        """Let another channel tell too what is due, or one notice."""
        await self._do(_HAND_OVER, {"channel": channel, "to": to, "now": now, "number": number})

    async def unacknowledged(self) -> dict[str, datetime]:
        """Return alerts that somebody was told of and nobody has acknowledged, by id, and since when."""
        async with self._connected() as connection:
            return dict(await (await connection.execute(_UNACKNOWLEDGED.encode())).fetchall())

    async def raise_sign(self, sign: Alert) -> None:
        """Raise a sign of the desk's own."""
        await self._do(ADD_ALERTS, alert_arrays([sign]))

    async def close(self) -> None:
        """Disconnect."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            await asyncio.shield(connection.close())

    async def _do(self, statement: str, parameters: Sequence[Any] | dict[str, Any]) -> None:
        async with self._connected() as connection:
            await connection.execute(statement.encode(), parameters)

    async def _one(self, statement: str, parameters: Sequence[Any]) -> tuple[Any, ...]:
        async with self._connected() as connection:
            row = await (await connection.execute(statement.encode(), parameters)).fetchone()
        assert row is not None  # noqa: S101 - an aggregate always answers
        return row

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[psycopg.AsyncConnection]:
        async with self._lock:
            try:
                if self._connection is None or self._connection.closed:
                    self._connection = await psycopg.AsyncConnection.connect(
                        self._url, autocommit=True, connect_timeout=10, options=SESSION
                    )
                yield self._connection
            except psycopg.OperationalError as error:
                await self.close()
                raise ServiceUnavailable("database", error) from error
