"""Hours and profiles of neighbouring transformers, put side by side as their balance is examined.

There may be millions of rows, so they come some at a time: whoever else runs in the process goes on in between.
"""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import numpy as np
import psycopg

from processors.balance_findings import Neighbourhood
from processors.losses import Hours
from schemas.layout import Floats, Ints
from sinks import grid_physics_sql as sql

#: Rows that come at once.
_PIECE = 20_000


async def neighbourhoods(
    connection: psycopg.AsyncConnection, since_s: int, until_s: int
) -> AsyncIterator[tuple[Ints, Neighbourhood]]:
    """Yield the transformers with meters of their own, those of a substation together.

    Args:
        connection: with a transaction open.
        since_s: begin of the span, a whole hour [s].
        until_s: its end, too [s].

    Yields: numbers of the transformers, int64[t]; their hours, and the profiles of their customers.
    """
    span = {"since": since_s, "until": until_s}
    measured = await _numbers(connection, "hours", sql.HOURS, span, 6)
    present = np.unique(measured[:, 0]).astype(np.int64).tolist()
    metered = await (await connection.execute(sql.METERED, (present,))).fetchall()
    for substation in sorted({row[3] for row in metered}):
        mine = [row for row in metered if row[3] == substation]
        numbers = np.array([row[0] for row in mine], dtype=np.int64)
        count = (until_s - since_s) // 3_600
        asked = span | {"transformers": numbers.tolist()}
        profiles = await _numbers(connection, "profiles", sql.PROFILES, asked, 4)
        meters = np.unique(profiles[:, 0]).astype(np.int64)
        known = await (await connection.execute(sql.NUMBERS, (meters.tolist(),))).fetchall()
        who, hour = np.searchsorted(meters, profiles[:, 0]), _hour(profiles[:, 2], since_s)
        counted, stands = np.full((count, len(meters)), np.nan), np.zeros(len(meters), dtype=np.intp)
        counted[hour, who] = profiles[:, 3]
        stands[who] = np.searchsorted(numbers, profiles[:, 1])
        yield (
            numbers,
            Neighbourhood(
                names=[row[1] for row in mine],
                hours=_hours(measured[np.isin(measured[:, 0], numbers)], numbers, since_s, count),
                since_s=since_s,
                rating_kva=np.array([np.nan if row[2] is None else row[2] for row in mine]),
                customers=[row[1] for row in known],
                counted_kwh=counted,
                stands=stands,
            ),
        )


def _hours(rows: Floats, numbers: Ints, since_s: int, count: int) -> Hours:
    """Place rows of transformer, hour, own, customers, exported, complete; what is not there is not complete."""
    at = np.searchsorted(numbers, rows[:, 0]), _hour(rows[:, 1], since_s)
    own, customers, exported, complete = (np.zeros((len(numbers), count)) for _ in range(4))
    for values, column in zip((own, customers, exported, complete), rows.T[2:], strict=True):
        values[at] = column
    return Hours(own, customers, exported, complete > 0)


def _hour(time_s: Floats, since_s: int) -> Ints:
    return np.asarray((time_s - since_s) // 3_600).astype(np.int64)


async def _numbers(
    connection: psycopg.AsyncConnection, name: str, query: str, parameters: Mapping[str, Any], width: int
) -> Floats:
    """Return rows of numbers, float64[n, width]."""
    pieces = [np.empty((0, width))]
    async with connection.cursor(name) as cursor:
        await cursor.execute(query.encode(), parameters)
        while rows := await cursor.fetchmany(_PIECE):
            pieces.append(np.array(rows, dtype=np.float64))
    return np.concatenate(pieces)
