"""Ticks to train on: from published files, from the engine's own database, or from simulated markets."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import psycopg

from schemas.errors import ConfigurationError
from schemas.layout import Ints
from schemas.markets import Markets
from schemas.ticks import TickBatch
from simulators.feeds.formats import find_feed
from simulators.market.feed import Feed
from simulators.market.listing import Listing
from simulators.market.moments import EPOCH_S
from simulators.profile import MarketProfile
from simulators.replay.recording import Findings
from simulators.schedule import Events
from stream.database import connected

#: So much is read from the database, and simulated, at once.
_AT_ONCE = timedelta(days=1)
_ROWS = 200_000
_TEXTS, _NUMBERS = ("market", "symbol", "kind", "currency"), TickBatch.layout.floats
_READ = f"""
SELECT s.market, s.symbol, nullif(s.kind, ''), t.currency, (extract(epoch FROM t.tick_time) * 1e6)::bigint, t.revision,
       t.interval_s, {", ".join(f"t.{name}" for name in _NUMBERS)}
FROM market_ticks t JOIN market_series s USING (series_id)
WHERE t.tick_time >= %s AND t.tick_time < %s ORDER BY t.tick_time, t.series_id, t.revision
"""  # noqa: S608 - names are those of columns


@dataclass(frozen=True)
class TickSource:
    """Ticks, each series' in the order of time.

    Attributes:
        name: where they come from, for the manifest.
        batches: of them.
    """

    name: str
    batches: Iterator[TickBatch]


def ticks_from_file(path: Path, format_name: str, markets: Markets) -> TickSource:
    """Open a published file.

    Raises:
        MeterstreamError: it cannot be read as that.
    """
    return TickSource(path.name, find_feed(format_name).read(path, markets, Findings()))


def ticks_from_markets(markets: Markets, seed: int, start: datetime, days: int) -> TickSource:
    """Simulate all symbols of some markets, in which nothing goes wrong."""
    listing = Listing.of([(market, market.symbols) for market in markets.values()], seed)
    feed = Feed(listing, MarketProfile().ticks, Events.none())
    begin_s = int(start.timestamp()) - EPOCH_S
    name = f"simulation: {len(listing.names)} symbols, seed {seed}, {days} days from {start:%Y-%m-%d}"
    return TickSource(name, iter(feed.run(begin_s, begin_s + days * 86_400, _ROWS)))


def ticks_from_database(url: str, span: timedelta) -> TickSource:
    """Open the stored ticks of so much time up to the newest one.

    Raises:
        ConfigurationError: there are none.
        ServiceUnavailable: the database does not answer.
    """
    with connected(url) as connection:
        row = connection.execute("SELECT max(tick_time) FROM market_ticks").fetchone()
    if row is None or row[0] is None:
        raise ConfigurationError("the database holds no ticks to train on")
    end = row[0].astimezone(UTC) + timedelta(microseconds=1)
    return TickSource(f"database: {end - span:%Y-%m-%dT%H:%M}Z to {end:%Y-%m-%dT%H:%M}Z", _stored(url, end - span, end))


def _stored(url: str, start: datetime, end: datetime) -> Iterator[TickBatch]:
    with connected(url) as connection:
        while start < end:
            until = min(start + _AT_ONCE, end)
            batch = _batch(connection, start, until)
            if len(batch):
                yield batch
            start = until


def _batch(connection: psycopg.Connection, start: datetime, end: datetime) -> TickBatch:
    rows = connection.execute(_READ, (start, end)).fetchall()
    names = (*_TEXTS, "tick_time", "revision", "interval_s", *_NUMBERS)
    columns = zip(*rows, strict=True) if rows else ((),) * len(names)
    found = {name: list(column) for name, column in zip(names, columns, strict=True)}
    times: Ints = np.array(found.pop("tick_time"), dtype=np.int64)
    return TickBatch.from_columns(tick_time=times, **found)
