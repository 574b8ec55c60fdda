"""Series of figures to ask questions of: from the database, or from files as markets publish them."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import pyarrow.compute as pc

from processors.market.price import price_of
from processors.market.terms import terms
from schemas.errors import ConfigurationError
from schemas.layout import Floats, Ints, Mask
from schemas.markets import Market, Markets
from schemas.ticks import KINDS, TickBatch
from simulators.feeds.feed import Feed
from simulators.replay.recording import Findings
from stream.database import connected

#: A tick's time is one of its interval's ends, and no interval is longer than a local day.
_STORED = """
SELECT (extract(epoch FROM starts_at) * 1e6)::bigint, (extract(epoch FROM ends_at) * 1e6)::bigint,
       coalesce(price, (bid + ask) / 2), quantity
FROM market_prices
WHERE (market, symbol, kind) = (%s, %s, %s)
  AND tick_time >= %s::timestamptz AND tick_time <= %s::timestamptz + interval '25 hours'
  AND starts_at >= %s::timestamptz AND starts_at < %s::timestamptz
ORDER BY tick_time, revision
"""


class Name(NamedTuple):
    """Which series: a kind of tick of one symbol of one market."""

    market: str
    symbol: str
    kind: str = "settlement"

    def __str__(self) -> str:
        return "/".join(self if self.kind != "settlement" else self[:2])

    @classmethod
    def parse(cls, text: str) -> "Name":
        """Read `market/symbol` or `market/symbol/kind`.

        Raises:
            ConfigurationError: it is neither.
        """
        parts = text.split("/")
        if not 2 <= len(parts) <= 3 or not all(parts) or (len(parts) == 3 and parts[2] not in KINDS):
            raise ConfigurationError(
                f"{text!r} is no series such as aemo_nem/NSW1, or aemo_nem/NSW1/demand; kinds: {', '.join(KINDS)}"
            )
        return cls(*parts)


class Span(NamedTuple):
    """From when to when; None is open."""

    since: datetime | None
    until: datetime | None


@dataclass(frozen=True)
class Series:
    """Figures in the order of time, one per interval; of trades and quotes, each holds until the next.

    Attributes:
        name: of the series.
        market: its definition.
        start_us: int64[n] [us since 1970-01-01 UTC].
        end_us: int64[n] [us].
        price: float64[n] [currency/unit], NaN where there is none.
        quantity: float64[n], in its unit, NaN likewise.
    """

    name: Name
    market: Market
    start_us: Ints
    end_us: Ints
    price: Floats
    quantity: Floats

    def __len__(self) -> int:
        return len(self.start_us)

    @property
    def length_s(self) -> Floats:
        """How long each figure holds, float64[n] [s]."""
        length: Floats = (self.end_us - self.start_us) / 1e6
        return length

    def where(self, mask: Mask) -> "Series":
        """Return some of the intervals."""
        columns = {name: getattr(self, name)[mask] for name in ("start_us", "end_us", "price", "quantity")}
        return replace(self, **columns)


class Source(Protocol):
    """Where series come from."""

    def read(self, name: Name, span: Span) -> Series:
        """Return a series.

        Raises:
            ConfigurationError: there is nothing of it in that span.
            MeterstreamError: the source cannot be read.
        """


@dataclass(frozen=True)
class StoredFigures:
    """What the engine has stored: of each interval the revision that counts.

    Attributes:
        url: of the database.
        markets: the definitions.
    """

    url: str
    markets: Markets

    def read(self, name: Name, span: Span) -> Series:
        """Return a series; see `Source`."""
        market = self.markets.named(name.market)
        bounds = (span.since or "-infinity", span.until or "infinity")
        with connected(self.url) as connection:
            rows = connection.execute(_STORED, (*name, *bounds, *bounds)).fetchall()
        start, end, price, quantity = zip(*rows, strict=True) if rows else ((),) * 4
        start_us, end_us = (np.array(values, dtype=np.int64) for values in (start, end))
        prices, quantities = (np.array(values, dtype=np.float64) for values in (price, quantity))
        return _some(_series(name, market, start_us, end_us, prices, quantities), span)


@dataclass(frozen=True)
class PublishedFigures:
    """Files of one published format; of a series that several of them hold, the later one counts.

    Attributes:
        paths: of the files.
        feed: their format.
        markets: the definitions.
        findings: what could not be read.
    """

    paths: Sequence[Path]
    feed: Feed
    markets: Markets
    findings: Findings = field(default_factory=Findings)

    def read(self, name: Name, span: Span) -> Series:
        """Return a series; see `Source`."""
        market = self.markets.named(name.market)
        batch = self._batch.where(self._of(name))
        facts = terms(batch, self.markets)
        order = np.lexsort((np.arange(len(batch)), batch.revisions, facts.start_us))
        start_us, end_us = facts.start_us[order], facts.end_us[order]
        found = _series(name, market, start_us, end_us, price_of(batch)[order], batch.floats("quantity")[order])
        since_us, until_us = (None if at is None else round(at.timestamp() * 1e6) for at in span)
        inside = np.ones(len(found), dtype=bool)
        inside &= True if since_us is None else found.start_us >= since_us
        inside &= True if until_us is None else found.start_us < until_us
        return _some(found.where(inside), span)

    def _of(self, name: Name) -> Mask:
        mask: Mask = np.ones(len(self._batch), dtype=bool)
        for column, value in zip(("market", "symbol", "kind"), name, strict=True):
            mask &= pc.fill_null(pc.equal(self._batch.column(column), value), False).to_numpy(zero_copy_only=False)
        return mask

    @cached_property
    def _batch(self) -> TickBatch:
        batches = [batch for path in self.paths for batch in self.feed.read(path, self.markets, self.findings)]
        return TickBatch.concat(batches)


def _series(name: Name, market: Market, start: Ints, end: Ints, price: Floats, quantity: Floats) -> Series:
    """Make a series of sorted ticks: the last of an interval counts, and a moment lasts until the next one."""
    last = np.r_[start[1:] != start[:-1], np.ones(min(len(start), 1), dtype=bool)]
    start, end, price, quantity = start[last], end[last], price[last], quantity[last]
    until_next = np.r_[start[1:], start[-1:]]
    return Series(name, market, start, np.where(end > start, end, until_next), price, quantity)


def _some(series: Series, span: Span) -> Series:
    """Return a series that holds something.

    Raises:
        ConfigurationError: it does not.
    """
    if len(series):
        return series
    bounds = zip(("since", "until"), span, strict=True)
    said = "".join(f" {word} {at:%Y-%m-%dT%H:%MZ}" for word, at in bounds if at is not None)
    raise ConfigurationError(f"nothing is known of {series.name}{said}")
