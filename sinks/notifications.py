"""Notices that wait for their channel, in the database, so that a crash neither loses nor multiplies them.

Guarantee: a notice waits until its channel has taken it; one that was taken and not yet noted so is given again, and a
digest with what it had the first time.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from schemas.alert_events import AlertEvent
from schemas.alerts import Alert, Severity
from schemas.errors import ServiceUnavailable
from sinks import notifications_sql as sql
from sinks.alert_sql import SESSION
from sinks.timescale_sql import ADD_ALERTS, alert_arrays


@dataclass(frozen=True)
class Waiting:
    """The oldest notice that is due to a channel.

    Attributes:
        number: which one.
        event: what it tells.
        gathered: whether it is part of a digest that may have been told.
        count: how many are due to the same channel.
    """

    number: int
    event: AlertEvent
    gathered: bool
    count: int


@dataclass(frozen=True)
class Digest:
    """Notices that are told as one.

    Attributes:
        number: the notice in whose place they are told.
        events: what some of them tell, the worst first.
        count: how many there are.
    """

    number: int
    events: Sequence[AlertEvent]
    count: int


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
            rows = sorted(await (await connection.execute(sql.UNROUTED, (limit,))).fetchall())
            wishes: list[Wish] = []
            yield [AlertEvent.model_validate_json(text) for _, text in rows], wishes
            columns = [
                (w.event.id, w.event.data.alert.alert_id, w.channel, w.event.data.change, w.due_at) for w in wishes
            ]
            if columns:
                await connection.execute(sql.ADD, [list(column) for column in zip(*columns, strict=True)])

    async def due(self, channel: str, now: datetime) -> Waiting | None:
        """Return the oldest notice that is due; what needs no telling any more is dropped."""
        async with self._connected() as connection:
            await connection.execute(sql.DROP.encode(), {"channel": channel, "now": now})
            row = await (await connection.execute(sql.DUE, (channel, now))).fetchone()
        return Waiting(row[0], AlertEvent.model_validate_json(row[1]), row[2], row[3]) if row else None

    async def digest(self, channel: str, now: datetime, shown: int) -> Digest | None:
        """Gather what is due into one, or return what was gathered and not noted as told, to be told as it was.

        Args:
            channel: its name.
            now: what is due later is left out.
            shown: events that it returns, at most.
        """
        async with self._connected() as connection, connection.transaction():
            row = await (await connection.execute(sql.OPEN_DIGEST, (channel,))).fetchone()
            if row is None or row[0] is None:
                gathered = await connection.execute(sql.GATHER.encode(), {"channel": channel, "now": now})
                row = await gathered.fetchone()
            if row is None:
                return None
            told = await connection.execute(sql.OF_DIGEST.encode(), {"digest": row[0], "limit": shown})
            rows = await told.fetchall()
        return Digest(row[0], [AlertEvent.model_validate_json(text) for text, _ in rows], rows[0][1])

    async def sent(self, number: int, now: datetime) -> None:
        """Note that a channel has taken a notice, or the digest that is told in its place."""
        await self._do(sql.SENT, {"number": number, "now": now})

    async def put_off(self, number: int, error: str) -> None:
        """Note that a channel does not take a notice now; it waits on."""
        await self._do(sql.PUT_OFF, {"number": number, "error": error})

    async def refused(self, number: int, error: str) -> None:
        """Note that a channel will never take a notice, or the digest that is told in its place."""
        await self._do(sql.REFUSED, {"number": number, "error": error})

    async def hand_over(self, channel: str, to: str, now: datetime, number: int | None = None) -> None:
        """Let another channel tell too what is due, or one notice or digest that waits."""
        parameters = {"channel": channel, "to": to, "now": now, "number": number}
        await self._do(sql.HAND_OVER_DUE if number is None else sql.HAND_OVER, parameters)

    async def unacknowledged(self, severities: Sequence[Severity], before: datetime) -> dict[str, datetime]:
        """Return alerts that nobody has acknowledged, by id, and since when somebody knows of each.

        Args:
            severities: others are left out.
            before: what somebody was told of later is, too.
        """
        async with self._connected() as connection:
            wanted = ([severity.value for severity in severities], before)
            return dict(await (await connection.execute(sql.UNACKNOWLEDGED.encode(), wanted)).fetchall())

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
