"""TimescaleDB or PostgreSQL: market ticks, every revision of them, bars, alerts and offsets.

Guarantee: that of `sinks.journal`. A tick is identified by series (market, symbol, kind), time and revision; bars are
exactly those of the ticks that are stored, with the highest revision of each: those of trades and quotes are summed up
as they come, those of what names an interval are read from the ticks (`infra/sql`).
"""

from collections.abc import Sequence

import numpy as np
import psycopg

from processors.market.bars import BAR_LENGTHS_S, BarPartials, floor_to, summarise
from processors.market.price import price_of
from processors.market.series import SEPARATOR
from schemas.delivery import Delivery, Stored
from schemas.layout import Floats, Ints
from schemas.markets import Markets
from schemas.tick_rows import TickRows
from sinks.bars_due import distinct, note_due
from sinks.copy_binary import CopyColumn, encode, instant, number
from sinks.journal import PostgresJournal, copy
from sinks.ticks_table import TICKS

#: The shortest bar: what is stored; longer ones are views of it.
_BASE_S = BAR_LENGTHS_S[0]
_BASE_US = _BASE_S * 1_000_000

_KEEP_MARKETS = """
INSERT INTO markets SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::int[])
ON CONFLICT (market) DO UPDATE
SET currency = excluded.currency, timezone = excluded.timezone, interval_s = excluded.interval_s
"""
_DEFINITION = ("market", "currency", "timezone", "interval_s")
_ADD_SERIES = (
    "INSERT INTO market_series (market, symbol, kind) SELECT * FROM unnest(%s::text[], %s::text[], %s::text[]) "
    "ON CONFLICT DO NOTHING"
)
_FIND_SERIES = """
SELECT s.series_id
FROM unnest(%s::text[], %s::text[], %s::text[]) WITH ORDINALITY AS wanted (market, symbol, kind, position)
JOIN market_series s USING (market, symbol, kind) ORDER BY wanted.position
"""
_COPY_BARS = (
    "COPY market_bar_partials (series_id, starts_at, ends_at, ticks, first_at, last_at, open, high, low, close, "
    "volume_u, notional_u, held) FROM STDIN (FORMAT BINARY)"
)
_TAKE_BACK = """
DELETE FROM market_bar_partials p USING unnest(%s::bigint[], %s::bigint[]) AS k (series_id, start_s)
WHERE p.series_id = k.series_id AND p.starts_at = to_timestamp(k.start_s)
"""
_READ_AGAIN = """
SELECT p.series_id, (extract(epoch FROM p.tick_time) * 1e6)::bigint, coalesce(p.price, (p.bid + p.ask) / 2), p.quantity
FROM unnest(%s::bigint[], %s::bigint[]) AS k (series_id, start_s)
JOIN market_prices p ON p.series_id = k.series_id
 AND p.tick_time >= to_timestamp(k.start_s) AND p.tick_time < to_timestamp(k.start_s + %s)
WHERE coalesce(p.price, (p.bid + p.ask) / 2) IS NOT NULL
"""


class TimescaleTicks(PostgresJournal[TickRows]):
    """The journal of ticks on PostgreSQL, with or without TimescaleDB.

    Args:
        url: `postgresql://user:password@host:port/name`.
        markets: the definitions, which sessions and settlement go by.
    """

    def __init__(self, url: str, markets: Markets) -> None:
        super().__init__(url, TICKS)
        self._markets = markets

    async def _prepare(self, connection: psycopg.AsyncConnection) -> None:
        """Make ready what a new session needs, and write the definitions down."""
        await super()._prepare(connection)
        found = list(self._markets.values())
        columns = [[getattr(market, name) for market in found] for name in _DEFINITION]
        await connection.execute(_KEEP_MARKETS, columns)

    async def resolve(self, keys: Sequence[str]) -> tuple[Ints, Ints]:
        """Return series ids, and 0 for each: no series is in a group; unknown ones are made known first."""
        columns = [list(column) for column in zip(*(key.split(SEPARATOR) for key in keys), strict=True)]
        async with self._connected() as connection:
            await connection.execute(_ADD_SERIES, columns)
            rows = await (await connection.execute(_FIND_SERIES, columns)).fetchall()
        found = np.fromiter((row[0] for row in rows), dtype=np.int64, count=len(rows))
        return found, np.zeros(len(found), dtype=np.int64)

    async def _follow(self, connection: psycopg.AsyncConnection, delivery: Delivery[TickRows], stored: Stored) -> None:
        """Bring the bars of new ticks up to date."""
        rows = delivery.rows.where(stored.fresh)
        price = price_of(rows.batch)
        priced = ~np.isnan(price)
        if not priced.any():
            return
        rows, price = rows.where(priced), price[priced]
        # What names an interval is a bar by itself; of moments, a minute can hold any number.
        moment = rows.starts_us == rows.ends_us
        if moment.any():
            await _sum_up(connection, rows.where(moment), price[moment])
        await note_due(connection, rows, self._markets)


async def _sum_up(connection: psycopg.AsyncConnection, rows: TickRows, price: Floats) -> None:
    """Add trades and quotes to their minutes."""
    minutes, minute = distinct(rows.series_id, floor_to(rows.starts_us, _BASE_S))
    # Only what comes after everything before it in its series can be appended to its minute.
    again = np.zeros(minutes.shape[1], dtype=bool)
    again[minute[~rows.in_order]] = True
    appended = ~again[minute]
    quantity = rows.batch.floats("quantity")
    partials = [_minutes(rows.series_id[appended], rows.starts_us[appended], price[appended], quantity[appended])]
    if again.any():
        partials.append(await _again(connection, minutes[:, again]))
    await copy(connection, _COPY_BARS, encode(_bar_columns(BarPartials.concat(partials))))


async def _again(connection: psycopg.AsyncConnection, minutes: Ints) -> BarPartials:
    """Take minutes back and sum them up from what is stored."""
    await connection.execute(_TAKE_BACK, _keys(minutes))
    rows = await (await connection.execute(_READ_AGAIN, (*_keys(minutes), _BASE_S))).fetchall()
    series, starts_us, price, quantity = zip(*rows, strict=True) if rows else ((), (), (), ())
    return _minutes(
        np.array(series, dtype=np.int64),
        np.array(starts_us, dtype=np.int64),
        np.array(price, dtype=np.float64),
        np.array(quantity, dtype=np.float64),
    )


def _minutes(series: Ints, time_us: Ints, price: Floats, quantity: Floats) -> BarPartials:
    start = floor_to(time_us, _BASE_S)
    return summarise(series, start, start + _BASE_US, time_us, price, quantity)


def _keys(minutes: Ints) -> tuple[list[int], list[int]]:
    """Return series and start [s since 1970], which are whole."""
    return minutes[0].tolist(), (minutes[1] // 1_000_000).tolist()


def _bar_columns(bars: BarPartials) -> list[CopyColumn]:
    return [
        number(bars.series, ">i8"),
        instant(bars.start_us),
        instant(bars.end_us),
        number(bars.ticks, ">i8"),
        instant(bars.first_us),
        instant(bars.last_us),
        *(number(values, ">f8") for values in (bars.open, bars.high, bars.low, bars.close)),
        number(bars.volume_u, ">i8"),
        number(bars.notional_u, ">i8"),
        number(bars.held, ">f8"),
    ]
