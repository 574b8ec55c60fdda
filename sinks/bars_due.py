"""Which bars have news: those that new ticks fall in, of every length that says more than the ticks themselves."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import psycopg
import pyarrow.compute as pc

from processors.market.bars import BAR_LENGTHS_S, floor_to
from processors.market_time import day_start, settlement_day
from schemas.layout import Ints, Mask
from schemas.markets import DAY_S, Markets
from schemas.tick_rows import TickRows

# A bar that is due already gets what is new among its series.
_ADD = """
INSERT INTO market_bars_due AS d (source_partition, bar_s, starts_at, ends_at, series)
SELECT b.source_partition, b.bar_s, timestamptz 'epoch' + b.starts_us * interval '1 microsecond',
       timestamptz 'epoch' + b.ends_us * interval '1 microsecond', b.series::bigint[]
FROM unnest(%s::int[], %s::int[], %s::bigint[], %s::bigint[], %s::text[])
    AS b (source_partition, bar_s, starts_us, ends_us, series)
ON CONFLICT (source_partition, bar_s, starts_at, ends_at) DO UPDATE
SET series = (SELECT array_agg(DISTINCT one) FROM unnest(d.series || excluded.series) AS one)
"""
_MINUTE_US = 60_000_000
#: Bits of a minute since 1970, which serve until 2097, of a bar's minutes, and of a series id.
_MINUTE_BITS, _LENGTH_BITS, _SERIES_BITS = 26, 11, 40


@dataclass(frozen=True)
class DueBar:
    """A bar that has news.

    Attributes:
        partition: Kafka partition of its series: whoever has it writes of no bar of another.
        bar_s: length [s]; a day is a session.
        start_us: start [us since 1970-01-01 UTC].
        end_us: end [us].
        series: ids of the series that it is of.
    """

    partition: int
    bar_s: int
    start_us: int
    end_us: int
    series: list[int]


async def note_due(connection: psycopg.AsyncConnection, rows: TickRows, markets: Markets) -> None:
    """Note, within a transaction, the bars that have news."""
    await add_due(connection, list(due_bars(rows, markets)))


async def add_due(connection: psycopg.AsyncConnection, bars: list[DueBar]) -> None:
    """Note bars as due; in one order, so that no two transactions wait for each other."""
    if not bars:
        return
    bars = sorted(bars, key=lambda bar: (bar.partition, bar.bar_s, bar.start_us, bar.end_us))
    columns = [[getattr(bar, name) for bar in bars] for name in ("partition", "bar_s", "start_us", "end_us")]
    # Series as one text a bar: psycopg takes a microsecond for each number of a list.
    await connection.execute(_ADD, (*columns, [f"{{{','.join(map(str, bar.series))}}}" for bar in bars]))


def split(bars: list[DueBar], most: int) -> tuple[list[DueBar], list[DueBar]]:
    """Divide bars into those of up to so many series, together, and the others; a bar may be in both parts."""
    now, later = list[DueBar](), list[DueBar]()
    for bar in bars:
        taken, left = bar.series[:most], bar.series[most:]
        most -= len(taken)
        if taken:
            now.append(replace(bar, series=taken))
        if left:
            later.append(replace(bar, series=left))
    return now, later


def due_bars(rows: TickRows, markets: Markets) -> Iterator[DueBar]:
    """Find the bars that ticks fall in; a session is a day of its market."""
    span_us = rows.ends_us - rows.starts_us
    for length_s in BAR_LENGTHS_S:
        # A bar that is shorter than the interval of its tick would only repeat it.
        fits = span_us <= length_s * 1_000_000
        starts = floor_to(rows.starts_us[fits], length_s)
        yield from _together(rows, fits, length_s, starts, starts + length_s * 1_000_000)
    everything = np.ones(len(rows), dtype=bool)
    yield from _together(rows, everything, DAY_S, *sessions(rows, markets))


def _together(rows: TickRows, chosen: Mask, bar_s: int, starts_us: Ints, ends_us: Ints) -> Iterable[DueBar]:
    """Gather the series of each bar: distinct pairs of bar and series, in the order of both."""
    if not len(starts_us):
        return
    partition, series = rows.partition[chosen], rows.series_id[chosen]
    # One number for all: sorting tuples takes six times as long. Days of two zones may begin at once and end apart.
    bar_key = ((starts_us // _MINUTE_US) << _LENGTH_BITS) | ((ends_us - starts_us) // _MINUTE_US)
    named = (partition << (_MINUTE_BITS + _LENGTH_BITS)) | bar_key
    _, place, bar = np.unique(named, return_index=True, return_inverse=True)
    # Sorted: numpy.unique goes by hashes, which takes twenty times as long for numbers that are packed like these.
    packed = np.sort((bar << _SERIES_BITS) | series)
    pairs = packed[np.r_[True, packed[1:] != packed[:-1]]]
    edges = np.searchsorted(pairs >> _SERIES_BITS, np.arange(len(place) + 1))
    members = (pairs & ((1 << _SERIES_BITS) - 1)).tolist()
    for number, at in enumerate(place.tolist()):
        mine = members[edges[number] : edges[number + 1]]
        yield DueBar(int(partition[at]), bar_s, int(starts_us[at]), int(ends_us[at]), mine)


def distinct(series: Ints, start_us: Ints) -> tuple[Ints, Ints]:
    """Return each pair of series and start once, in their order.

    Args:
        series: int64[n], below 2^37.
        start_us: int64[n], whole minutes [us since 1970-01-01 UTC].

    Returns: int64[2, k], series and starts; int64[n], the position of each row's pair among them.
    """
    packed, which = np.unique((series << _MINUTE_BITS) | (start_us // _MINUTE_US), return_inverse=True)
    pairs: Ints = np.stack([packed >> _MINUTE_BITS, (packed & ((1 << _MINUTE_BITS) - 1)) * _MINUTE_US])
    return pairs, which


def sessions(rows: TickRows, markets: Markets) -> tuple[Ints, Ints]:
    """Return start and end of the market's own day that each tick falls in, int64[n] each [us since 1970-01-01 UTC]."""
    named = pc.dictionary_encode(rows.batch.column("market"))
    code, starts, ends = named.indices.to_numpy(), np.empty(len(rows), np.int64), np.empty(len(rows), np.int64)
    for position, name in enumerate(named.dictionary.to_pylist()):
        mine, market = code == position, markets.named(name)
        day = settlement_day(market, rows.starts_us[mine], label="start")
        starts[mine], ends[mine] = day_start(market, day), day_start(market, day + 1)
    return starts, ends
