"""TimescaleDB or PostgreSQL: rows, windows, alerts, rejects and offsets in one transaction.

Guarantee: each delivery takes effect wholly and once. A row is identified by (meter_id, reading_time); the first
one stored stays, and a later one with other values is reported as conflicting.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import psycopg

from processors.rounds import repeats
from processors.windows import summarise
from schemas.delivery import CONFLICT, Delivery, Position, Rows, Stored
from schemas.errors import OffsetConflict, RowsRefused, ServiceUnavailable
from schemas.layout import Ints, Positions
from schemas.registry import RegistryEntry
from schemas.rejected import Rejected
from schemas.windows import WINDOW_LENGTHS_S
from sinks import timescale_sql as sql
from sinks.copy_binary import encode
from sinks.sink import BeforeCommit

#: Deliveries without a duplicate before rows are written straight into the table again.
_STAGED_AFTER_DUPLICATE = 20


class TimescaleStore:
    """The store on PostgreSQL, with or without TimescaleDB.

    Args:
        url: `postgresql://user:password@host:port/name`.
        lateness_s: a window closes this long after its end [s].
    """

    def __init__(self, url: str, *, lateness_s: float) -> None:
        self._url = url
        self._lateness_s = lateness_s
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

    async def resolve(self, meter_numbers: Sequence[str]) -> tuple[Ints, Ints]:
        """Return meter ids and transformer ids (0 without one); unknown meters are made known first."""
        names = list(meter_numbers)
        async with self._connected() as connection:
            await connection.execute(sql.ADD_METERS, (sorted(set(names)),))
            rows = await (await connection.execute(sql.FIND_METERS, (names,))).fetchall()
        return (
            np.fromiter((row[0] for row in rows), dtype=np.int64, count=len(rows)),
            np.fromiter((row[1] for row in rows), dtype=np.int64, count=len(rows)),
        )

    async def write(self, delivery: Delivery, before_commit: BeforeCommit) -> Stored:
        """Store a delivery in one transaction; see `Store.write`."""
        try:
            async with self._connected() as connection, connection.transaction():
                return await self._write(connection, delivery, before_commit)
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            refused = await self._refused(delivery.rows, np.arange(len(delivery.rows)))
            if not refused:
                raise
            raise RowsRefused(refused, error) from error

    async def _write(
        self, connection: psycopg.AsyncConnection, delivery: Delivery, before_commit: BeforeCommit
    ) -> Stored:
        await _claim(connection, delivery)
        stored = await self._write_rows(connection, delivery)
        await self._write_windows(connection, delivery, stored)
        if delivery.alerts:
            await connection.execute(sql.ADD_ALERTS, sql.alert_arrays(delivery.alerts))
        await _advance(connection, delivery, stored)
        await before_commit(stored)
        return stored

    async def _refused(self, rows: Rows, positions: Positions) -> list[int]:
        """Find the rows that the table will not take, by halves, storing none."""
        try:
            async with self._connected() as connection, connection.transaction(force_rollback=True):
                await _stage(connection, rows, positions)
                await connection.execute(sql.ADD_READINGS)
        except (psycopg.DataError, psycopg.IntegrityError):
            if len(positions) == 1:
                return [int(positions[0])]
            middle = len(positions) // 2
            return await self._refused(rows, positions[:middle]) + await self._refused(rows, positions[middle:])
        return []

    async def register(self, entries: Sequence[RegistryEntry]) -> None:
        """Take over where meters stand in the grid; a newer entry replaces an older one."""
        async with self._connected() as connection:
            await connection.execute(sql.REGISTER, sql.registry_arrays(entries))

    async def keep_rejected(self, rejected: Sequence[Rejected]) -> None:
        """Keep what was rejected; one that is there already stays as it is."""
        async with self._connected() as connection:
            await connection.execute(sql.ADD_REJECTED, sql.rejected_arrays(rejected))

    async def _write_rows(self, connection: psycopg.AsyncConnection, delivery: Delivery) -> Stored:
        """Write rows straight into the table while all are new, and through staging while some are not."""
        rows = delivery.rows
        again = repeats(rows.meter_id, rows.batch.time_us)
        known = await self._add(connection, rows, np.flatnonzero(~again))
        if again.any():
            known += await _stage(connection, rows, np.flatnonzero(again))
        fresh, conflicting = np.ones(len(rows), dtype=bool), np.zeros(len(rows), dtype=bool)
        if known:
            fresh[known] = False
            conflicting[await _positions(connection, sql.FIND_DIFFERING, (known,))] = True
        return Stored(fresh, conflicting, rows.as_rejected(delivery.topic, conflicting, *CONFLICT))

    async def _add(self, connection: psycopg.AsyncConnection, rows: Rows, positions: Positions) -> list[int]:
        """Add rows of which no two are of one meter and time; return the positions of those there already."""
        chosen = rows if len(positions) == len(rows) else rows.take(positions)
        if not len(chosen) or await self._copy_new(connection, chosen):
            return []
        await _stage(connection, rows, positions)
        known = await _positions(connection, sql.ADD_READINGS)
        if not known:
            self._staged_ahead -= 1
        return known

    async def _copy_new(self, connection: psycopg.AsyncConnection, rows: Rows) -> bool:
        """Try the direct way; after it has failed, do not for a while: duplicates come in crowds."""
        if self._staged_ahead > 0:
            return False
        try:
            async with connection.transaction():
                await _copy(connection, sql.COPY_NEW, encode(sql.reading_columns(rows)))
        except psycopg.errors.UniqueViolation:
            self._staged_ahead = _STAGED_AFTER_DUPLICATE
            return False
        return True

    async def _write_windows(self, connection: psycopg.AsyncConnection, delivery: Delivery, stored: Stored) -> None:
        rows = delivery.rows.where(stored.fresh)
        if len(rows):
            partials = summarise(rows.batch, rows.group_id, rows.mark_us, WINDOW_LENGTHS_S, self._lateness_s)
            await _copy(connection, sql.COPY_WINDOWS, encode(sql.window_columns(partials)))

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[psycopg.AsyncConnection]:
        """Give the connection, made anew where it was lost; a lost one surfaces as ServiceUnavailable."""
        async with self._lock:
            try:
                if self._connection is None or self._connection.closed:
                    self._connection = await psycopg.AsyncConnection.connect(
                        self._url, autocommit=True, connect_timeout=10
                    )
                    await self._connection.execute(sql.STAGING)
                yield self._connection
            except BaseException as error:
                # Whatever went wrong, cancellation included, the connection may be in the middle of something.
                await self.close()
                if isinstance(error, psycopg.OperationalError):
                    raise ServiceUnavailable("database", error) from error
                raise


async def _copy(connection: psycopg.AsyncConnection, statement: str, data: bytes) -> None:
    async with connection.cursor() as cursor, cursor.copy(statement) as copy:
        await copy.write(data)


async def _stage(connection: psycopg.AsyncConnection, rows: Rows, positions: Positions) -> list[int]:
    """Bring rows into staging, each with its position, and return the positions."""
    columns = sql.staged_columns(rows.take(positions), positions)
    await _copy(connection, sql.COPY_READINGS, encode(columns))
    found: list[int] = positions.tolist()
    return found


async def _positions(connection: psycopg.AsyncConnection, statement: str, *parameters: Any) -> list[int]:
    """Return the first column of what a statement answers."""
    return [row[0] for row in await (await connection.execute(statement, *parameters)).fetchall()]


async def _claim(connection: psycopg.AsyncConnection, delivery: Delivery) -> None:
    """Lock the partitions' rows and make sure that they stand where this worker believes.

    A worker that slept through a rebalance fails here, before it has written anything.
    """
    key = (delivery.topic, delivery.topic_id, [step.partition for step in delivery.progress])
    rows: list[tuple[int, int]] = await (await connection.execute(sql.CLAIM, key)).fetchall()
    found = dict(rows)
    for step in delivery.progress:
        if found.get(step.partition, -1) != step.expected:
            raise OffsetConflict(delivery.topic, step.partition, step.expected, found.get(step.partition, -1))


async def _advance(connection: psycopg.AsyncConnection, delivery: Delivery, stored: Stored) -> None:
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
