"""Which bars have news: those that new ticks fall in, of every length that says more than the ticks themselves."""

import numpy as np
import psycopg
import pyarrow.compute as pc

from processors.market.bars import BAR_LENGTHS_S, floor_to
from processors.market_time import day_start, settlement_day
from schemas.layout import Ints
from schemas.markets import DAY_S, Markets
from schemas.tick_rows import TickRows
from sinks.copy_binary import encode, instant, number
from sinks.journal import copy

#: Staging lives in the session, is emptied by each commit, and never written to the log.
STAGING = """
CREATE TEMP TABLE IF NOT EXISTS staged_bars_due (series_id bigint, bar_s integer, starts_at timestamptz)
ON COMMIT DELETE ROWS
"""
_COPY = "COPY staged_bars_due (series_id, bar_s, starts_at) FROM STDIN (FORMAT BINARY)"
_ADD = "INSERT INTO market_bars_due SELECT * FROM staged_bars_due ON CONFLICT DO NOTHING"
_MINUTE_US = 60_000_000
#: Bits of a minute since 1970, which serve until 2097.
_MINUTE_BITS = 26


async def note_due(connection: psycopg.AsyncConnection, rows: TickRows, markets: Markets) -> None:
    """Note, within a transaction, the bars that have news; a session is a day of its market."""
    span_us = rows.ends_us - rows.starts_us
    found = list[tuple[int, Ints]]()
    for length_s in BAR_LENGTHS_S:
        # A bar that is shorter than the interval of its tick would only repeat it.
        fits = span_us <= length_s * 1_000_000
        found.append((length_s, distinct(rows.series_id[fits], floor_to(rows.starts_us[fits], length_s))[0]))
    found.append((DAY_S, distinct(rows.series_id, session_starts(rows, markets))[0]))
    series, starts_us = np.concatenate([bars for _, bars in found], axis=1)
    lengths = np.repeat([length_s for length_s, _ in found], [bars.shape[1] for _, bars in found])
    await copy(connection, _COPY, encode([number(series, ">i8"), number(lengths, ">i4"), instant(starts_us)]))
    await connection.execute(_ADD)


def distinct(series: Ints, start_us: Ints) -> tuple[Ints, Ints]:
    """Return each pair of series and start once, in their order.

    Args:
        series: int64[n], below 2^37.
        start_us: int64[n], whole minutes [us since 1970-01-01 UTC].

    Returns: int64[2, k], series and starts; int64[n], the position of each row's pair among them.
    """
    # One number per pair: sorting pairs as such takes six times as long.
    packed, which = np.unique((series << _MINUTE_BITS) | (start_us // _MINUTE_US), return_inverse=True)
    pairs: Ints = np.stack([packed >> _MINUTE_BITS, (packed & ((1 << _MINUTE_BITS) - 1)) * _MINUTE_US])
    return pairs, which


def session_starts(rows: TickRows, markets: Markets) -> Ints:
    """Return the start of the market's own day that each tick falls in, int64[n] [us since 1970-01-01 UTC]."""
    named = pc.dictionary_encode(rows.batch.column("market"))
    code, starts = named.indices.to_numpy(), np.empty(len(rows), dtype=np.int64)
    for position, name in enumerate(named.dictionary.to_pylist()):
        mine, market = code == position, markets.named(name)
        starts[mine] = day_start(market, settlement_day(market, rows.starts_us[mine], label="start"))
    return starts
