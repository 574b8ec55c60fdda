"""Transformers beside the stream: load against rating, energy balance, imbalance of phases; what is wrong is told.

Each examination looks at a span of event time that ends with the newest that has closed, whenever that has moved on,
and finds all there is in it anew; so late data restates what was found. Guarantee: what was found and its signs are one
transaction; signs go out at least once, with the same id.
"""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import pairwise
from typing import Any

import numpy as np
import psycopg

from processors.balance_findings import Neighbourhood, examine
from processors.conditions import Condition
from processors.energy_balance import BalanceRules
from processors.imbalance import ImbalanceRules, Phases, imbalances
from processors.loading import LoadingRules, Loads, overloads
from processors.losses import Losses
from processors.suspects import DisplacedRules
from schemas.alerts import Alert, AlertKind
from schemas.layout import Ints
from sinks import grid_physics_sql as sql
from sinks import timescale_sql
from sinks.grid_conditions import restate
from sinks.neighbourhoods import neighbourhoods
from sinks.outbox import Outbox
from sinks.transformer_hours import count_hours

#: Any number that nothing else locks.
_LOCK = 7_382_932
#: How far each examination looks back, and how often in event time it looks [s].
_LOADING_REACH_S, _LOADING_EVERY_S = 86_400, 900
_BALANCE_REACH_S, _BALANCE_EVERY_S = 10 * 86_400, 6 * 3_600
_PHASES_REACH_S, _PHASES_EVERY_S = 86_400, 3_600
#: Hours of phases are averaged again for so long, for what comes late [s].
_PHASES_AGAIN_S = 3 * 3_600


class GridPhysicsOutbox(Outbox[Alert]):
    """Examines transformers, and raises a sign of each condition, and again when it has become worse.

    Args:
        url: `postgresql://...`.
        loading, balance, imbalance: when something is wrong.
    """

    def __init__(self, url: str, loading: LoadingRules, balance: BalanceRules, imbalance: ImbalanceRules) -> None:
        super().__init__(url, _LOCK)
        self._loading, self._balance, self._imbalance = loading, balance, imbalance

    async def _due(self, connection: psycopg.AsyncConnection) -> list[Alert]:
        """Count hours that have changed; with none left, examine what has moved on."""
        if await count_hours(connection):
            return []
        looked: dict[str, int] = dict(await (await connection.execute(sql.EXAMINED)).fetchall())
        quarter, hour = await _one(connection, sql.NEWEST_QUARTER), await _one(connection, sql.NEWEST_HOUR)
        signs = list[Alert]()
        for name, until_s, every_s, look in (
            ("loading", quarter, _LOADING_EVERY_S, self._look_at_loads),
            ("balance", hour, _BALANCE_EVERY_S, self._look_at_balances),
            ("phases", quarter, _PHASES_EVERY_S, self._look_at_phases),
        ):
            signs += await _if_due(connection, name, looked.get(name, 0), until_s, every_s, look)
        if signs:
            await connection.execute(timescale_sql.ADD_ALERTS, timescale_sql.alert_arrays(signs))
        return signs

    async def _look_at_loads(self, connection: psycopg.AsyncConnection, _looked_s: int, until_s: int) -> list[Alert]:
        asked: dict[str, Any] = {"since": until_s - _LOADING_REACH_S, "until": until_s, "share": self._loading.begin}
        busy = [row[0] for row in await (await connection.execute(sql.BUSY, asked)).fetchall()]
        rows = await (await connection.execute(sql.LOADS, asked | {"transformers": busy})).fetchall()
        found = list[Condition]()
        for start, end in _groups([row[0] for row in rows]):
            part = rows[start:end]
            number = np.array([row[2:4] for row in part], dtype=np.float64)
            loads = Loads(part[0][1], number[:, 0].astype(np.int64), number[:, 1], *part[-1][4:])
            found += overloads(loads, self._loading)
        return await restate(
            connection, [AlertKind.TRANSFORMER_OVERLOAD], found, asked["since"], until_s, gone_s=asked["since"]
        )

    async def _look_at_balances(self, connection: psycopg.AsyncConnection, _looked_s: int, until_s: int) -> list[Alert]:
        since_s = until_s - _BALANCE_REACH_S
        found = list[Condition]()
        async for numbers, near in neighbourhoods(connection, since_s, until_s):
            conditions, losses = await asyncio.to_thread(examine, near, self._balance, DisplacedRules())
            found += conditions
            await _keep_losses(connection, numbers, near, losses, until_s)
        kinds = AlertKind.UNACCOUNTED_ENERGY, AlertKind.WRONG_TRANSFORMER
        # All of the span says it, so that it is over since now.
        return await restate(connection, kinds, found, since_s, until_s, gone_s=until_s)

    async def _look_at_phases(self, connection: psycopg.AsyncConnection, looked_s: int, until_s: int) -> list[Alert]:
        # Hours that have ended only.
        until_s -= until_s % 3_600
        asked = {"since": until_s - _PHASES_REACH_S, "until": until_s}
        news_s = max(asked["since"], min(looked_s - looked_s % 3_600, until_s - _PHASES_AGAIN_S))
        await connection.execute(sql.KEEP_PHASES, {"since": news_s, "until": until_s})
        rows = await (await connection.execute(sql.PHASES, asked)).fetchall()
        found = list[Condition]()
        for start, end in _groups([row[0] for row in rows]):
            found += imbalances(_phases(rows[start:end]), self._imbalance)
        return await restate(
            connection, [AlertKind.PHASE_IMBALANCE], found, asked["since"], until_s, gone_s=asked["since"]
        )


async def _if_due(
    connection: psycopg.AsyncConnection,
    name: str,
    looked_s: int,
    until_s: int | None,
    every_s: int,
    look: Callable[[psycopg.AsyncConnection, int, int], Awaitable[list[Alert]]],
) -> list[Alert]:
    if until_s is None or until_s < looked_s + every_s:
        return []
    await connection.execute(sql.NOTE_EXAMINED, (name, until_s))
    return await look(connection, looked_s, until_s)


async def _keep_losses(
    connection: psycopg.AsyncConnection, numbers: Ints, near: Neighbourhood, losses: Losses, until_s: int
) -> None:
    columns = [numbers, *losses.terms.T, near.hours.complete.sum(axis=1), losses.sound, losses.scatter_kwh]
    await connection.execute(sql.KEEP_LOSSES, (near.since_s, until_s, *(column.tolist() for column in columns)))


def _phases(rows: list[tuple[Any, ...]]) -> Phases:
    """Return the phases of one transformer: by its own meter where that says all three."""
    numbers = np.array([row[2:] for row in rows], dtype=np.float64)
    own = bool((numbers[:, 1] * (numbers[:, 2] == 3) * np.isfinite(numbers[:, 4])).any())
    numbers = numbers[numbers[:, 1] == own]
    hours, at = np.unique(numbers[:, 0].astype(np.int64), return_inverse=True)
    voltage, meters = np.full((len(hours), 3), np.nan), np.zeros((len(hours), 3), dtype=np.int64)
    phase = numbers[:, 2].astype(np.int64) - 1
    voltage[at, phase], meters[at, phase] = numbers[:, 4], numbers[:, 3].astype(np.int64)
    return Phases(rows[0][1], hours, voltage, meters, own)


def _groups(keys: list[int]) -> list[tuple[int, int]]:
    """Return where runs of equal keys begin and end."""
    of: Ints = np.array(keys, dtype=np.int64)
    edges = [0, *(np.flatnonzero(np.diff(of)) + 1).tolist(), len(keys)]
    return [(start, end) for start, end in pairwise(edges) if end > start]


async def _one(connection: psycopg.AsyncConnection, query: str) -> int | None:
    row = await (await connection.execute(query.encode())).fetchone()
    return row[0] if row else None
