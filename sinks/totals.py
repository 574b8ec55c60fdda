"""Totals per meter and hour, day and month: kept up with the readings they are made of.

On plain PostgreSQL the database is told to sum up what is new. TimescaleDB refreshes its continuous aggregates itself,
by policies that are kept here, and needs to be told of clocks that it has no days for.
Guarantee: whenever all is summed up, totals are exactly those of the stored readings, whatever order they came in.
"""

import asyncio
import time
from collections.abc import Callable

import psycopg
from psycopg import sql

from sinks.upkeep_log import noted

#: Longest time that one call spends on what is new, half of which it rests [s].
_BUSY_S = 120.0
#: Readings that are summed up at once: two seconds or so of a core, for which nobody can be let go first.
_PORTION = 50_000
#: A day must fit twice into what is refreshed [d].
_LEAST_DAYS = 3

_IS_PLAIN = "SELECT to_regclass('total_backlog') IS NOT NULL"
_CATCH_UP = f"SELECT catch_up_totals({_PORTION})"
_ADD_CLOCKS = """
WITH missing AS (SELECT DISTINCT timezone FROM region_clocks EXCEPT SELECT timezone FROM total_clocks)
SELECT add_total_clock(timezone), timezone FROM missing
"""
_AGGREGATES = """
SELECT c.view_name, j.job_id IS NOT NULL, j.config ->> 'start_offset',
       j.config ->> 'refresh_newest_first' = 'false'
FROM timescaledb_information.continuous_aggregates c
LEFT JOIN timescaledb_information.jobs j ON j.proc_name = 'policy_refresh_continuous_aggregate'
    AND (j.hypertable_schema, j.hypertable_name) IN
        ((c.view_schema, c.view_name), (c.materialization_hypertable_schema, c.materialization_hypertable_name))
WHERE c.view_schema = current_schema() AND c.view_name ~ '^meter_(hour|day)_totals'
"""


async def catch_up(url: str, readings_days: int, busy: Callable[[], bool] = lambda: False) -> list[str]:
    """Sum up what is new since the last time, or see to it that the database does.

    Args:
        url: `postgresql://...`.
        readings_days: how long readings are kept [d], 0 for ever: what is older is never refreshed, since the totals
            would be gone with the readings.
        busy: while true, one step is made: what waits to be stored goes first.

    Returns: what was changed in how it is done, in words; nothing for the work itself.

    Raises:
        ServiceUnavailable: try again later.
        ConfigurationError: this role may not do it.
    """
    async with noted(url, "totals") as connection:
        row = await (await connection.execute(_IS_PLAIN)).fetchone()
        if row and row[0]:
            await _sum_up(connection, busy)
            return []
        return await _clocks(connection) + await _policies(connection, readings_days)


async def _sum_up(connection: psycopg.AsyncConnection, busy: Callable[[], bool]) -> None:
    began = time.monotonic()
    await connection.execute("SET client_min_messages = warning")
    while (portion := time.monotonic()) < began + _BUSY_S:
        row = await (await connection.execute(_CATCH_UP)).fetchone()
        if not (row and row[0]) or busy():
            return
        # Readings are delivered meanwhile: of one core at most a half, that an alert need not wait for totals.
        await asyncio.sleep(time.monotonic() - portion)


async def _clocks(connection: psycopg.AsyncConnection) -> list[str]:
    added = await (await connection.execute(_ADD_CLOCKS)).fetchall()
    return [f"days by the clock of {name}" for _, name in added]


async def _policies(connection: psycopg.AsyncConnection, readings_days: int) -> list[str]:
    """Have every aggregate refreshed, as far back as late readings may come."""
    wanted = f"{max(readings_days, _LEAST_DAYS)} days" if readings_days else None
    done = list[str]()
    for name, exists, found, in_order in await (await connection.execute(_AGGREGATES)).fetchall():
        if exists and found == wanted and in_order:
            continue
        async with connection.transaction():
            if exists:
                await connection.execute("SELECT remove_continuous_aggregate_policy(%s)", (name,))
            since = sql.SQL("NULL") if wanted is None else sql.SQL("interval {}").format(sql.Literal(wanted))
            await connection.execute(
                sql.SQL(
                    # TimescaleDB (2.20 and later) would begin with the newest. What is not summed up yet would then be
                    # nowhere: views read the readings only from where the aggregate ends.
                    "SELECT add_continuous_aggregate_policy({}, start_offset => {}, end_offset => interval '1 hour', "
                    "schedule_interval => interval '10 minutes', refresh_newest_first => false)"
                ).format(sql.Literal(name), since)
            )
        done.append(f"{name}: refreshed as far back as {wanted or 'there are readings'} now")
    return done
