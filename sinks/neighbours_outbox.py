"""Settlement prices beside those of their neighbours: what leaves them is told once the interval is whole.

The symbols of a market come by different partitions, so that they meet in the database only. Guarantee: what is
remembered of a market, how far it was judged and the alerts are one transaction; alerts go out at least once, with the
same id. What comes after its interval was judged is not judged any more: like volatility, this goes by what was known.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import psycopg
from psycopg.rows import class_row

from processors.market.neighbour_watch import MarketPrices, Watched, watch, whole_until
from processors.market.neighbours import LEAST_SYMBOLS, Neighbourhood
from processors.state import NEVER_US
from schemas.alerts import Alert
from schemas.delivery import NO_WATERMARK_US
from schemas.layout import Ints, instant_of
from schemas.topics import MARKET_RAW
from sinks import timescale_sql as sql
from sinks.outbox import Outbox

#: Any number that nothing else locks.
_LOCK = 7_382_916
#: After a look that found nothing new, the next one comes so much later [s].
_PAUSE_S = 5.0
#: About so many prices of a market are judged in one transaction.
_AT_ONCE = 20_000

# A partition without news for a minute does not hold the others' intervals open.
_MARK = f"""
SELECT coalesce(min(watermark_us) FILTER (WHERE updated_at > now() - interval '1 minute'), min(watermark_us)) AS mark
FROM stream_offsets WHERE topic = '{MARKET_RAW.name}' AND watermark_us > {NO_WATERMARK_US}
"""  # noqa: S608 - constants
_MARKETS = f"""
SELECT s.market, d.currency, d.interval_s, array_agg(s.series_id ORDER BY s.series_id) AS series,
       array_agg(s.symbol ORDER BY s.series_id) AS symbols, array_agg(t.newest_us ORDER BY s.series_id) AS newest_us,
       coalesce((extract(epoch FROM m.until) * 1e6)::bigint, {NEVER_US}) AS until_us,
       coalesce(m.level, 0) AS level, coalesce(m.intervals, 0) AS intervals
FROM market_series s
JOIN markets d USING (market)
LEFT JOIN market_neighbour_marks m USING (market)
CROSS JOIN LATERAL (
    SELECT (extract(epoch FROM t.tick_time) * 1e6)::bigint AS newest_us FROM market_ticks t
    WHERE t.series_id = s.series_id ORDER BY t.tick_time DESC LIMIT 1
) t
WHERE s.kind = 'settlement'
GROUP BY s.market, d.currency, d.interval_s, m.until, m.level, m.intervals
HAVING count(*) >= {LEAST_SYMBOLS}
ORDER BY s.market
"""  # noqa: S608
_NEXT = """
SELECT min(t.tick_time) FROM unnest(%s::bigint[]) AS k (series_id)
CROSS JOIN LATERAL (
    SELECT tick_time FROM market_ticks t
    WHERE t.series_id = k.series_id AND t.tick_time > %s::timestamptz AND t.price IS NOT NULL
    ORDER BY t.tick_time LIMIT 1
) t
"""
_PRICES = """
SELECT k.position, (extract(epoch FROM t.tick_time) * 1e6)::bigint, (extract(epoch FROM t.starts_at) * 1e6)::bigint,
       (extract(epoch FROM t.ends_at) * 1e6)::bigint, t.price, (extract(epoch FROM t.arrived_at) * 1e6)::bigint
FROM unnest(%s::bigint[]) WITH ORDINALITY AS k (series_id, position)
CROSS JOIN LATERAL (
    SELECT DISTINCT ON (t.tick_time) t.* FROM market_ticks t
    WHERE t.series_id = k.series_id AND t.tick_time > %s::timestamptz
      AND t.tick_time <= %s::timestamptz + %s * interval '1 second'
    ORDER BY t.tick_time, t.revision DESC
) t
WHERE t.price IS NOT NULL
ORDER BY t.tick_time, k.position
"""
_REMEMBERED = """
SELECT k.position, n.mean, n.variance, n.seen, n.bound, n.calm
FROM unnest(%s::bigint[]) WITH ORDINALITY AS k (series_id, position) JOIN market_neighbours n USING (series_id)
"""
_REMEMBER = """
INSERT INTO market_neighbours AS n (series_id, mean, variance, seen, bound, calm, apart_at)
SELECT * FROM unnest(%s::bigint[], %s::float8[], %s::float8[], %s::bigint[], %s::float8[], %s::bigint[],
                     %s::timestamptz[])
ON CONFLICT (series_id) DO UPDATE SET mean = excluded.mean, variance = excluded.variance, seen = excluded.seen,
    bound = excluded.bound, calm = excluded.calm, apart_at = greatest(n.apart_at, excluded.apart_at)
"""
_ADVANCE = """
INSERT INTO market_neighbour_marks (market, until, level, intervals) VALUES (%s, %s, %s, %s)
ON CONFLICT (market) DO UPDATE SET until = excluded.until, level = excluded.level, intervals = excluded.intervals
"""
_STATE = ("mean", "variance", "seen", "bound", "calm")


@dataclass(frozen=True)
class _Market:
    """A market with enough symbols, and how far it was judged."""

    market: str
    currency: str
    interval_s: int
    series: list[int]
    symbols: list[str]
    newest_us: list[int]
    until_us: int
    level: float
    intervals: int


class NeighboursOutbox(Outbox[Alert]):
    """Finds prices that begin to be far from their neighbours'.

    Args:
        url: `postgresql://...`.
        lateness_s: a symbol that says nothing is waited for so long after the end of an interval [s].
    """

    def __init__(self, url: str, *, lateness_s: float) -> None:
        super().__init__(url, _LOCK)
        self._lateness_us = round(lateness_s * 1e6)
        self._look_at = -float("inf")

    async def _due(self, connection: psycopg.AsyncConnection) -> list[Alert]:
        """Judge some of the intervals that are whole."""
        if time.monotonic() < self._look_at:
            return []
        (mark_us,) = await (await connection.execute(_MARK)).fetchone() or (None,)
        async with connection.cursor(row_factory=class_row(_Market)) as cursor:
            markets = await (await cursor.execute(_MARKETS)).fetchall() if mark_us is not None else []
        watched = [await self._watch(connection, market, int(mark_us)) for market in markets]
        alerts = [alert for one in watched if one is not None for alert in one.alerts]
        if not any(watched):
            self._look_at = time.monotonic() + _PAUSE_S
        if alerts:
            await connection.execute(sql.ADD_ALERTS, sql.alert_arrays(alerts))
        return alerts

    async def _watch(self, connection: psycopg.AsyncConnection, market: _Market, mark_us: int) -> Watched | None:
        """Judge some intervals of a market; None where none is whole."""
        prices = await _prices(connection, market)
        if prices is None:
            return None
        now_us, newest_us = time.time_ns() // 1_000, np.array(market.newest_us, dtype=np.int64)
        until_us = whole_until(prices, newest_us, mark_us, now_us, self._lateness_us)
        if until_us is None:
            return None
        state = await _remembered(connection, market)
        found = watch(prices.until(until_us), state)
        await _remember(connection, market, state, found.apart_us)
        await connection.execute(_ADVANCE, (market.market, instant_of(until_us), state.level, state.intervals))
        return found


async def _prices(connection: psycopg.AsyncConnection, market: _Market) -> MarketPrices | None:
    """Read the next prices of a market, all of each time; None where there are none."""
    since = instant_of(max(market.until_us, 0))
    (first,) = await (await connection.execute(_NEXT, (market.series, since))).fetchone() or (None,)
    if first is None:
        return None
    span_s = market.interval_s * max(_AT_ONCE // len(market.series), 1)
    rows = await (await connection.execute(_PRICES, (market.series, since, first, span_s))).fetchall()
    position, time_us, start_us, end_us, price, arrived_us = zip(*rows, strict=True)
    return MarketPrices(
        market.market,
        market.symbols,
        market.currency,
        symbol=_whole(position) - 1,
        time_us=_whole(time_us),
        start_us=_whole(start_us),
        end_us=_whole(end_us),
        price=np.array(price, dtype=np.float64),
        arrived_us=_whole(arrived_us),
    )


async def _remembered(connection: psycopg.AsyncConnection, market: _Market) -> Neighbourhood:
    state = Neighbourhood.of(len(market.series))
    state.level, state.intervals = market.level, market.intervals
    rows = await (await connection.execute(_REMEMBERED, (market.series,))).fetchall()
    if rows:
        position, *columns = zip(*rows, strict=True)
        for name, values in zip(_STATE, columns, strict=True):
            getattr(state, name)[_whole(position) - 1] = values
    return state


async def _remember(connection: psycopg.AsyncConnection, market: _Market, state: Neighbourhood, apart_us: Ints) -> None:
    columns = [getattr(state, name).tolist() for name in _STATE]
    apart_at = [None if at_us == NEVER_US else instant_of(at_us) for at_us in apart_us.tolist()]
    await connection.execute(_REMEMBER, (market.series, *columns, apart_at))


def _whole(values: Sequence[int]) -> Ints:
    return np.array(values, dtype=np.int64)
