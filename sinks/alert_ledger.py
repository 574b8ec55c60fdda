"""The ledger of alerts in the database: signs in, states and their history out, one transaction at a time.

Guarantee: a sign is taken in the transaction that keeps what it changed, so each counts once; whoever changes alerts, a
desk or an operator, finds them as the one before has left them.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import dict_row

from processors.lifecycle.advance import Turn
from processors.lifecycle.changes import Key
from processors.lifecycle.place import LEVELS, Place
from processors.lifecycle.silences import Silence
from schemas.alert_events import AlertEvent, AlertState
from schemas.alerts import Alert
from schemas.errors import ServiceUnavailable
from sinks import alert_sql as sql
from sinks.alert_conditions import Conditions

#: The head of the grid that related alerts stand below: kind, condition, name.
Head = tuple[str, str, str]


#: Elements of which it is known where they stand.
_PLACED = ("meter", *LEVELS, "region")


class Page:
    """The ledger inside one transaction; nobody else changes alerts while it is open.

    Args:
        connection: in a transaction that holds the lock.

    Attributes:
        conditions: what stored readings say of those that alerts tell of.
    """

    def __init__(self, connection: psycopg.AsyncConnection) -> None:
        self._connection = connection
        self.conditions = Conditions(connection)

    async def take_signs(self, limit: int) -> list[Alert]:
        """Take signs that nobody has taken, in the order in which their readings arrived."""
        found = [Alert.model_validate(row) for row in await self._rows(sql.TAKE_SIGNS, (limit,))]
        return sorted(found, key=lambda sign: (sign.arrived_at, sign.occurred_at, sign.alert_id))

    async def newest(self, keys: Collection[Key]) -> dict[Key, AlertState]:
        """Return the newest alert of each key."""
        wanted = [list(column) for column in zip(*keys, strict=True)] or [[], [], []]
        found = await self._states(sql.NEWEST, wanted)
        return {(state.element, state.kind, state.condition): state for state in found}

    async def places(self, elements: Iterable[str]) -> dict[str, Place]:
        """Return where meters and other elements of the grid stand, by element."""
        rows = await (await self._connection.execute(sql.PLACES, _by_level(elements, _PLACED))).fetchall()
        return {element: Place(*place) for element, *place in rows}

    async def related(self, heads: Collection[Head]) -> list[AlertState]:
        """Return alerts that stand below some heads of the grid: those without a parent, and those of groups."""
        return await self._states(sql.RELATED, [list(column) for column in zip(*heads, strict=True)] or [[], [], []])

    async def meters_below(self, elements: Iterable[str]) -> dict[str, int]:
        """Return how many meters there are below some elements of the grid."""
        names = _by_level(elements, LEVELS)
        return dict(await (await self._connection.execute(sql.METERS_BELOW, names)).fetchall())

    async def standing(self, after: str, limit: int) -> list[AlertState]:
        """Return some alerts that are not over, in the order of their ids."""
        return await self._states(sql.STANDING_AFTER, (after, limit))

    async def with_ids(self, alert_ids: Collection[str]) -> list[AlertState]:
        """Return some alerts as they are now, in the order of their ids."""
        return await self._states(sql.WITH_IDS, (list(alert_ids),))

    async def find(self, beginning: str) -> list[AlertState]:
        """Return the alerts whose id begins so, two at most."""
        return await self._states(sql.BEGINNING_WITH, {"beginning": beginning})

    async def children(self, alert_id: str) -> list[AlertState]:
        """Return the alerts that are part of another one and stand."""
        return await self._states(sql.CHILDREN, (alert_id,))

    async def bereft(self) -> list[tuple[AlertState, datetime]]:
        """Return the alerts of groups that stand though none of their children does, and when the last one ended."""
        rows = await self._rows(sql.BEREFT, ())
        ends = [row.pop("children_ended_at") for row in rows]
        return list(zip(map(AlertState.model_validate, rows), ends, strict=True))

    async def restored(self, states: Sequence[AlertState]) -> dict[str, datetime]:
        """Return when conditions were over, of alerts of those none of which lasts; of what was none, the last sign."""
        if not states:
            return {}
        asked = zip(*((s.alert_id, s.kind, s.element, s.first_seen) for s in states), strict=True)
        rows = await (await self._connection.execute(sql.RESTORED, [list(column) for column in asked])).fetchall()
        seen = {state.alert_id: state.last_seen for state in states}
        return {alert_id: ended_at or seen[alert_id] for alert_id, ended_at in rows}

    async def silences(self, now: datetime) -> list[Silence]:
        """Return what is silenced now or will be."""
        return [Silence(**row) for row in await self._rows(sql.SILENCES, {"now": now})]

    async def add_silence(self, silence: Silence) -> int:
        """Keep a silence; return its number."""
        of = (silence.element, silence.kind, silence.begins_at, silence.ends_at, silence.by, silence.reason)
        again = (silence.every_days, silence.timezone, silence.until)
        ((number,),) = await (await self._connection.execute(sql.ADD_SILENCE, (*of, *again))).fetchall()
        return int(number)

    async def withdraw_silence(self, number: int, by: str, now: datetime) -> bool:
        """Take a silence back; return whether there was one to take back."""
        return (await self._connection.execute(sql.WITHDRAW_SILENCE, (now, by, number))).rowcount > 0

    async def keep(self, turn: Turn, recorded_at: datetime) -> list[AlertEvent]:
        """Keep the states and the history of a turn; return its events."""
        events = [AlertEvent.of(news, recorded_at) for news in turn.news]
        if events:
            states = ",".join(state.model_dump_json() for state in turn.changed)
            await self._connection.execute(sql.KEEP_STATES, (f"[{states}]",))
            rows = [
                (e.id, e.data.alert.alert_id, e.data.change, e.time, e.data.by, e.data.note, e.model_dump_json())
                for e in events
            ]
            await self._connection.execute(sql.KEEP_HISTORY, [list(column) for column in zip(*rows, strict=True)])
        return events

    async def tell(self) -> None:
        """Wake the desk once the transaction has been committed."""
        await self._connection.execute(f"NOTIFY {sql.CHANNEL}")

    async def _rows(self, query: str, parameters: Sequence[Any] | Mapping[str, Any]) -> list[dict[str, Any]]:
        async with self._connection.cursor(row_factory=dict_row) as cursor:
            return await (await cursor.execute(query.encode(), parameters)).fetchall()

    async def _states(self, query: str, parameters: Sequence[Any] | Mapping[str, Any]) -> list[AlertState]:
        return [AlertState.model_validate(row) for row in await self._rows(query, parameters)]


class AlertLedger:
    """Opens pages, and waits for news.

    Args:
        url: `postgresql://...`.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: psycopg.AsyncConnection | None = None
        self._leads = False

    @asynccontextmanager
    async def page(self) -> AsyncIterator[Page]:
        """Give the ledger inside a transaction, which is committed at the end.

        Raises:
            ServiceUnavailable: the database is away; nothing was kept.
        """
        async with self._connected() as connection, connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock(%s)", (sql.CHANGING,))
            yield Page(connection)

    async def leads(self) -> bool:
        """Whether this desk is the active one; it stays so until its connection ends."""
        async with self._connected() as connection:
            if not self._leads:
                row = await (await connection.execute("SELECT pg_try_advisory_lock(%s)", (sql.ACTIVE,))).fetchone()
                self._leads = bool(row and row[0])
            return self._leads

    async def wait(self, timeout_s: float) -> None:
        """Return when there is news, or after some time [s]."""
        async with self._connected() as connection:
            async for _ in connection.notifies(timeout=timeout_s, stop_after=1):
                pass

    async def close(self) -> None:
        """Disconnect."""
        self._leads = False
        if self._connection is not None:
            connection, self._connection = self._connection, None
            await asyncio.shield(connection.close())

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[psycopg.AsyncConnection]:
        try:
            if self._connection is None or self._connection.closed:
                self._leads = False
                self._connection = await psycopg.AsyncConnection.connect(
                    self._url, autocommit=True, connect_timeout=10, options=sql.SESSION
                )
                await self._connection.execute(f"LISTEN {sql.CHANNEL}")
            yield self._connection
        except psycopg.OperationalError as error:
            await self.close()
            raise ServiceUnavailable("database", error) from error


def _by_level(elements: Iterable[str], levels: Iterable[str]) -> dict[str, list[str]]:
    """Return the names of elements by the level of the grid that they are of; those of others are left out."""
    names: dict[str, list[str]] = {level: [] for level in levels}
    for element in elements:
        level, _, name = element.partition("/")
        names.get(level, []).append(name)
    return names
