"""TimescaleDB or PostgreSQL: readings, windows, alerts, rejects and offsets.

Guarantee: that of `sinks.journal`. A row is identified by (meter_id, reading_time).
"""

from collections.abc import Sequence

import numpy as np
import psycopg

from processors.months import months_of, start_of
from processors.windows import summarise
from schemas.delivery import Delivery, Rows, Stored
from schemas.layout import Ints, instant_of
from schemas.meter_class import Codes, class_codes, status_codes
from schemas.registry import RegistryEntry
from schemas.rejected import Rejected
from schemas.windows import WINDOW_LENGTHS_S
from sinks import timescale_sql as sql
from sinks.copy_binary import encode
from sinks.journal import PostgresJournal, copy
from sinks.readings_table import READINGS


class TimescaleStore(PostgresJournal[Rows]):
    """The store on PostgreSQL, with or without TimescaleDB.

    Args:
        url: `postgresql://user:password@host:port/name`.
        lateness_s: a window closes this long after its end [s].
    """

    def __init__(self, url: str, *, lateness_s: float) -> None:
        super().__init__(url, READINGS)
        self._lateness_s = lateness_s
        self._months = frozenset[int]()

    async def resolve(self, keys: Sequence[str]) -> tuple[Ints, Ints]:
        """Return meter ids and transformer ids (0 without one); unknown meters are made known first."""
        names = list(keys)
        async with self._connected() as connection:
            await connection.execute(sql.ADD_METERS, (sorted(set(names)),))
            rows = await (await connection.execute(sql.FIND_METERS, (names,))).fetchall()
        return (
            np.fromiter((row[0] for row in rows), dtype=np.int64, count=len(rows)),
            np.fromiter((row[1] for row in rows), dtype=np.int64, count=len(rows)),
        )

    async def standing(self, meter_numbers: Sequence[str]) -> tuple[Codes, Codes]:
        """Return codes of class and status of meters that `resolve` has made known."""
        async with self._connected() as connection:
            rows = await (await connection.execute(sql.FIND_STANDING, (list(meter_numbers),))).fetchall()
        return class_codes([row[0] for row in rows]), status_codes([row[1] for row in rows])

    async def register(self, entries: Sequence[RegistryEntry]) -> None:
        """Take over where meters stand in the grid; a newer entry replaces an older one."""
        async with self._connected() as connection, connection.transaction():
            await connection.execute(sql.REGISTER, sql.registry_arrays(entries))
            await connection.execute(sql.KEEP_ZONES, sql.zone_arrays(entries))

    async def keep_rejected(self, rejected: Sequence[Rejected]) -> None:
        """Keep what was rejected; one that is there already stays as it is."""
        async with self._connected() as connection:
            await connection.execute(sql.ADD_REJECTED, sql.rejected_arrays(rejected))

    async def _prepare(self, connection: psycopg.AsyncConnection) -> None:
        """Ask for the months anew: some may have been dropped meanwhile."""
        await super()._prepare(connection)
        self._months = frozenset()

    async def _make_room(self, connection: psycopg.AsyncConnection, rows: Rows) -> None:
        """Make partitions for months that have none; all but the latest of late data are there already."""
        if not len(rows):
            return
        months = frozenset(months_of(rows.batch.time_us).tolist())
        if not months <= self._months:
            wanted = [instant_of(int(start_us)) for start_us in start_of(np.array(sorted(months - self._months)))]
            await connection.execute(sql.ADD_PARTITIONS, (wanted,))
            self._months |= months

    async def _follow(self, connection: psycopg.AsyncConnection, delivery: Delivery[Rows], stored: Stored) -> None:
        """Write what new readings add to their windows, and why some of them are worth watching."""
        rows = delivery.rows.where(stored.fresh)
        if len(rows):
            partials = summarise(rows.batch, rows.group_id, rows.mark_us, WINDOW_LENGTHS_S, self._lateness_s)
            await copy(connection, sql.COPY_WINDOWS, encode(sql.window_columns(partials)))
        worth_watching = rows.where(rows.why.astype(bool))
        if len(worth_watching):
            await connection.execute(sql.ADD_EXPLANATIONS, sql.explanation_arrays(worth_watching))
