"""A journal on PostgreSQL: rows of one kind, what follows from them, alerts and offsets in one transaction.

Guarantee: each delivery takes effect wholly and once. The first row of an identity stays, and a later one with other
values is reported as conflicting.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Generic, TypeVar

import numpy as np
import psycopg

from processors.rounds import repeats
from schemas.alerts import Alert
from schemas.delivery import Delivery, Position, Stored, StoredRows
from schemas.errors import OffsetConflict, RowsRefused, ServiceUnavailable
from schemas.layout import Positions
from sinks import timescale_sql as sql
from sinks.copy_binary import encode, number
from sinks.int_array import take_int_arrays
from sinks.sink import BeforeCommit
from sinks.table import Table

#: Deliveries without a duplicate before rows are written straight into the table again.
_STAGED_AFTER_DUPLICATE = 20

R = TypeVar("R", bound=StoredRows[Any])


class PostgresJournal(ABC, Generic[R]):
    """The part of a store that keeps rows and offsets, with or without TimescaleDB.

    Args:
        url: `postgresql://user:password@host:port/name`.
        table: where the rows go.
    """

    def __init__(self, url: str, table: Table[R]) -> None:
        self._url = url
        self._table = table
        self._staged_ahead = 0
        self._connection: psycopg.AsyncConnection | None = None
        # One transaction at a time: statements of another task must not slip into it.
        self._lock = asyncio.Lock()

    async def open(self) -> None:
        """Connect now, so that a wrong URL shows at start."""
        async with self._connected():
            pass

    async def close(self) -> None:
        """Disconnect."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            await connection.close()

    async def position(self, topic: str, topic_id: str, partition: int, first_offset: int) -> Position:
        """Return where a partition stands; one never seen starts at `first_offset`."""
        async with self._connected() as connection, connection.transaction():
            key = (topic, topic_id, partition)
            await connection.execute(sql.START_PARTITION, (*key, first_offset))
            row = await (await connection.execute(sql.READ_POSITION, key)).fetchone()
        assert row is not None  # noqa: S101 - the statement before made it
        return Position(*row)

    async def write(self, delivery: Delivery[R], before_commit: BeforeCommit) -> Stored:
        """Store a delivery in one transaction; see `Store.write`."""
        try:
            async with self._connected() as connection:
                await self._make_room(connection, delivery.rows)
                async with connection.transaction():
                    return await self._write(connection, delivery, before_commit)
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            refused = await self._refused(delivery.rows, np.arange(len(delivery.rows)))
            if not refused:
                raise
            raise RowsRefused(refused, error) from error

    async def keep_alerts(self, alerts: Sequence[Alert]) -> None:
        """Keep alerts that no row has shown; see `Journal.keep_alerts`."""
        async with self._connected() as connection:
            await connection.execute(sql.ADD_ALERTS, sql.alert_arrays(alerts))

    async def _write(
        self, connection: psycopg.AsyncConnection, delivery: Delivery[R], before_commit: BeforeCommit
    ) -> Stored:
        await _claim(connection, delivery)
        await self._foresee(connection, delivery)
        stored = await self._write_rows(connection, delivery)
        await self._follow(connection, delivery, stored)
        if delivery.alerts:
            await connection.execute(sql.ADD_ALERTS, sql.alert_arrays(delivery.alerts))
        await _advance(connection, delivery, stored)
        await _note_sources(connection, delivery)
        await before_commit(stored)
        return stored

    async def _refused(self, rows: R, positions: Positions) -> list[int]:
        """Find the rows that the table will not take, by halves, storing none."""
        try:
            async with self._connected() as connection, connection.transaction(force_rollback=True):
                await self._stage(connection, rows, positions)
                await connection.execute(self._table.add)
        except (psycopg.DataError, psycopg.IntegrityError):
            if len(positions) == 1:
                return [int(positions[0])]
            middle = len(positions) // 2
            return await self._refused(rows, positions[:middle]) + await self._refused(rows, positions[middle:])
        return []

    async def _prepare(self, connection: psycopg.AsyncConnection) -> None:
        """Make ready what a new session needs."""
        take_int_arrays(connection)
        await connection.execute(self._table.staging)

    async def _make_room(self, connection: psycopg.AsyncConnection, rows: R) -> None:
        """Make what the rows need to be stored at all, in a transaction of its own: nobody waits for it."""

    async def _foresee(self, connection: psycopg.AsyncConnection, delivery: Delivery[R]) -> None:
        """Learn what `_follow` has to know of the time before the rows."""

    @abstractmethod
    async def _follow(self, connection: psycopg.AsyncConnection, delivery: Delivery[R], stored: Stored) -> None:
        """Write what follows from the rows that were new."""

    async def _write_rows(self, connection: psycopg.AsyncConnection, delivery: Delivery[R]) -> Stored:
        """Write rows straight into the table while all are new, and through staging while some are not."""
        rows = delivery.rows
        again = repeats(*self._table.identities(rows))
        known = await self._add(connection, rows, np.flatnonzero(~again))
        if again.any():
            known += await self._stage(connection, rows, np.flatnonzero(again))
        fresh, conflicting = np.ones(len(rows), dtype=bool), np.zeros(len(rows), dtype=bool)
        if known:
            fresh[known] = False
            conflicting[await _positions(connection, self._table.find_differing, (known,))] = True
        return Stored(fresh, conflicting, rows.as_rejected(delivery.topic, conflicting, *self._table.conflict))

    async def _add(self, connection: psycopg.AsyncConnection, rows: R, positions: Positions) -> list[int]:
        """Add rows no two of which have one identity; return the positions of those there already."""
        chosen = rows if len(positions) == len(rows) else rows.take(positions)
        if not len(chosen) or await self._copy_new(connection, chosen):
            return []
        await self._stage(connection, rows, positions)
        known = await _positions(connection, self._table.add)
        if not known:
            self._staged_ahead -= 1
        return known

    async def _copy_new(self, connection: psycopg.AsyncConnection, rows: R) -> bool:
        """Try the direct way; after it has failed, do not for a while: duplicates come in crowds."""
        if self._staged_ahead > 0:
            return False
        try:
            async with connection.transaction():
                # In the order of the unique index, whose pages are then found warm: a third less work for PostgreSQL.
                ordered = rows.take(np.lexsort(self._table.identities(rows)[::-1]))
                await copy(connection, self._table.copy_new, encode(self._table.encode(ordered)))
        except psycopg.errors.UniqueViolation:
            self._staged_ahead = _STAGED_AFTER_DUPLICATE
            return False
        return True

    async def _stage(self, connection: psycopg.AsyncConnection, rows: R, positions: Positions) -> list[int]:
        """Bring rows into staging, each with its position, and return the positions."""
        columns = [number(positions, ">i4"), *self._table.encode(rows.take(positions))]
        await copy(connection, self._table.copy_staged, encode(columns))
        found: list[int] = positions.tolist()
        return found

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[psycopg.AsyncConnection]:
        """Give the connection, made anew where it was lost; a lost one surfaces as ServiceUnavailable."""
        async with self._lock:
            try:
                if self._connection is None or self._connection.closed:
                    self._connection = await psycopg.AsyncConnection.connect(
                        self._url, autocommit=True, connect_timeout=10
                    )
                    await self._prepare(self._connection)
                yield self._connection
            except BaseException as error:
                # Whatever went wrong, cancellation included, the connection may be in the middle of something.
                await self.close()
                if isinstance(error, psycopg.OperationalError):
                    raise ServiceUnavailable("database", error) from error
                raise


async def copy(connection: psycopg.AsyncConnection, statement: str, data: memoryview) -> None:
    """Copy a binary stream into a table."""
    async with connection.cursor() as cursor, cursor.copy(statement) as stream:
        await stream.write(data)


async def _positions(connection: psycopg.AsyncConnection, statement: str, *parameters: Any) -> list[int]:
    """Return the first column of what a statement answers."""
    return [row[0] for row in await (await connection.execute(statement, *parameters)).fetchall()]


async def _claim(connection: psycopg.AsyncConnection, delivery: Delivery[Any]) -> None:
    """Lock the partitions' rows and make sure that they stand where this worker believes.

    A worker that slept through a rebalance fails here, before it has written anything.
    """
    key = (delivery.topic, delivery.topic_id, [step.partition for step in delivery.progress])
    rows: list[tuple[int, int]] = await (await connection.execute(sql.CLAIM, key)).fetchall()
    found = dict(rows)
    for step in delivery.progress:
        if found.get(step.partition, -1) != step.expected:
            raise OffsetConflict(delivery.topic, step.partition, step.expected, found.get(step.partition, -1))


async def _advance(connection: psycopg.AsyncConnection, delivery: Delivery[Any], stored: Stored) -> None:
    moves = [
        {
            "partition": step.partition,
            "next_offset": step.next_offset,
            "watermark_us": step.watermark_us,
            **stored.account(delivery.rows, step),
        }
        for step in delivery.progress
    ]
    columns = [[move[name] for move in moves] for name in sql.ADVANCE_COLUMNS]
    await connection.execute(sql.ADVANCE, (*columns, delivery.topic, delivery.topic_id))


async def _note_sources(connection: psycopg.AsyncConnection, delivery: Delivery[Any]) -> None:
    """Write where the source of records changes; most deliveries change nothing."""
    found = [(step.partition, first, name) for step in delivery.progress for first, name in step.sources]
    if found:
        columns = [list(column) for column in zip(*found, strict=True)]
        await connection.execute(sql.ADD_SOURCES, (delivery.topic, delivery.topic_id, *columns))
