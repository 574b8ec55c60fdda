"""Rejected ticks that contradict stored ones, asked whether their source labels intervals by the other side."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc

from processors.market.labels import Contradictions, contradictions
from processors.market.price import price_of
from schemas.codec import decode
from schemas.layout import Floats, Ints
from schemas.markets import Market, Markets
from schemas.rejected import Reason
from schemas.ticks import TickBatch
from schemas.topics import JSON, MARKET_RAW
from stream.database import connected
from stream.market.price_source import Name, Span

_REJECTED = """
SELECT payload FROM rejected_readings
WHERE reason = %s AND source LIKE %s AND payload_encoding = 'utf-8'
  AND rejected_at >= %s::timestamptz AND rejected_at < %s::timestamptz
ORDER BY rejected_at, reject_id LIMIT %s
"""
#: The same revision of the interval, and the ones before and after it; figures as they are compared.
_BESIDE = """
SELECT k.position, k.shift, coalesce(t.price, (t.bid + t.ask) / 2, t.quantity)
FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[]) WITH ORDINALITY AS w (time_us, length_us, revision, position)
CROSS JOIN LATERAL (SELECT w.position, s.shift FROM (VALUES (-1), (0), (1)) AS s (shift)) k
JOIN market_series m ON (m.market, m.symbol, m.kind) = (%s, %s, %s)
JOIN market_ticks t ON t.series_id = m.series_id AND t.revision = w.revision
 AND t.tick_time = timestamptz 'epoch' + (w.time_us + k.shift * w.length_us) * interval '1 microsecond'
"""
#: Rejects that are looked at; the oldest of the span.
MOST = 100_000


@dataclass(frozen=True)
class Suspect:
    """A series with ticks that contradicted it.

    Attributes:
        name: of the series.
        market: its definition.
        found: what they say.
    """

    name: Name
    market: Market
    found: Contradictions


def suspects(url: str, markets: Markets, span: Span) -> list[Suspect]:
    """Look at what was rejected in a span for contradicting what is stored.

    Raises:
        ServiceUnavailable: the database does not answer.
    """
    bounds = (span.since or "-infinity", span.until or "infinity")
    key = (Reason.CONFLICTING_DUPLICATE, f"{MARKET_RAW.name}[%", *bounds, MOST)
    with connected(url) as connection:
        payloads = [payload.encode() for (payload,) in connection.execute(_REJECTED, key).fetchall()]
        batch = decode(payloads, [JSON] * len(payloads), TickBatch).batch
        found = list[Suspect]()
        for name, part in _by_series(batch):
            market = markets.get(name.market)
            if market is None:
                continue
            lists = (part.time_us.tolist(), _length_us(part, market).tolist(), part.revisions.tolist())
            rows = connection.execute(_BESIDE, (*lists, *name)).fetchall()
            found.append(Suspect(name, market, contradictions(_figures(part), *_beside(rows, len(part)))))
    return sorted(found, key=lambda suspect: -suspect.found.count)


def _by_series(batch: TickBatch) -> Iterator[tuple[Name, TickBatch]]:
    columns = [pc.fill_null(batch.column(name), "").to_pylist() for name in ("market", "symbol", "kind")]
    names = [Name(*row) for row in zip(*columns, strict=True)]
    series = sorted(set(names))
    number = {name: position for position, name in enumerate(series)}
    which = np.array([number[name] for name in names], dtype=np.int64)
    for position, name in enumerate(series):
        yield name, batch.where(which == position)


def _length_us(part: TickBatch, market: Market) -> Ints:
    length: Ints = part.column("interval_s").fill_null(market.interval_s).to_numpy(zero_copy_only=False)
    return length * 1_000_000


def _figures(part: TickBatch) -> Floats:
    """Return what a tick says: its price, else its quantity."""
    price = price_of(part)
    return np.where(np.isnan(price), part.floats("quantity"), price)


def _beside(rows: list[tuple[int, int, float | None]], count: int) -> Floats:
    """Return what is stored before, at and after n times, float64[3, n]."""
    found = np.full((3, count), np.nan)
    if rows:
        position, shift, value = (np.array(column) for column in zip(*rows, strict=True))
        found[shift.astype(np.int64) + 1, position.astype(np.int64) - 1] = value.astype(np.float64)
    return found
