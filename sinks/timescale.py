"""TimescaleDB or PostgreSQL: readings, windows, alerts, rejects and offsets.

Guarantee: that of `sinks.journal`. A row is identified by (meter_id, reading_time).
"""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import psycopg

from processors.months import months_of, start_of
from processors.rounds import rounds
from processors.windows import Windowing
from schemas.delivery import Delivery, Rows, Stored
from schemas.layout import Ints, instant_of
from schemas.meter_class import Codes, class_codes, status_codes
from schemas.registry import RegistryEntry
from schemas.rejected import Rejected
from schemas.windows import EN_50160, WINDOW_LENGTHS_S, VoltageBand
from sinks import registry_sql
from sinks import timescale_sql as sql
from sinks.journal import PostgresJournal
from sinks.meter_book import PLACES_LOCK
from sinks.readings_table import READINGS
from sinks.sink import BeforeCommit
from sinks.supply_table import write_supply
from sinks.windows_writer import WindowWriter


class TimescaleStore(PostgresJournal[Rows]):
    """The store on PostgreSQL, with or without TimescaleDB.

    Args:
        url: `postgresql://user:password@host:port/name`.
        lateness_s: a window closes this long after its end [s].
        band: voltages outside of it are counted.
    """

    def __init__(self, url: str, *, lateness_s: float, band: VoltageBand = EN_50160) -> None:
        super().__init__(url, READINGS)
        self._months = frozenset[int]()
        self._windows = WindowWriter(Windowing(WINDOW_LENGTHS_S, lateness_s, band))

    async def write(self, delivery: Delivery[Rows], before_commit: BeforeCommit) -> Stored:
        """Store a delivery in one transaction; see `Store.write`."""
        try:
            return await super().write(delivery, before_commit)
        except BaseException:
            # Whether it was committed may not be known.
            self._windows.forget()
            raise

    async def resolve(self, keys: Sequence[str]) -> tuple[Ints, Ints]:
        """Return meter ids and transformer ids (0 without one); unknown meters are made known first."""
        names = list(keys)
        async with self._connected() as connection:
            rows = await (await connection.execute(sql.FIND_METERS, (names,))).fetchall()
            if len(rows) < len(names):
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

    async def register(self, entries: Sequence[RegistryEntry], arrived_at: Sequence[datetime] = ()) -> None:
        """Take over where meters stand in the grid, and since when; see `Store.register`."""
        if not entries:
            return
        arrived = arrived_at or [datetime.now(UTC)] * len(entries)
        names = [entry.meter_number for entry in entries]
        async with self._connected() as connection, connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock(%s)", (PLACES_LOCK,))
            everything = registry_sql.entry_arrays(entries, arrived)
            await connection.execute(registry_sql.REGISTER, everything)
            await connection.execute(registry_sql.KEEP_CLOCKS, everything)
            _, meter = np.unique(names, return_inverse=True)
            for chosen in rounds(meter):
                one_each = registry_sql.entry_arrays([entries[k] for k in chosen], [arrived[k] for k in chosen])
                await connection.execute(registry_sql.MOVE, one_each)
            await connection.execute(registry_sql.FORGET_REPEATS, (names,))
            await connection.execute(registry_sql.PLACE_NEWEST, (names,))

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

    async def _foresee(self, connection: psycopg.AsyncConnection, delivery: Delivery[Rows]) -> None:
        await self._windows.foresee(connection, delivery)

    async def _follow(self, connection: psycopg.AsyncConnection, delivery: Delivery[Rows], stored: Stored) -> None:
        """Write what new readings add to their windows, who has lost power by them, and why some are worth watching."""
        await self._windows.write(connection, delivery, stored.fresh)
        await write_supply(connection, delivery, stored.fresh)
        fresh = delivery.rows.where(stored.fresh)
        worth_watching = fresh.where(fresh.why.astype(bool))
        if len(worth_watching):
            await connection.execute(sql.ADD_EXPLANATIONS, sql.explanation_arrays(worth_watching))
