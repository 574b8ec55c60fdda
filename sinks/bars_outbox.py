"""Closed bars, handed on once they have closed and again whenever they were restated.

Guarantee: that of `sinks.outbox`; of two of the same bar, the later one is right.
"""

import psycopg
from psycopg.rows import class_row

from schemas.bars import Bar
from schemas.delivery import NO_WATERMARK_US
from schemas.topics import MARKET_RAW
from sinks.bars_due import DueBar, add_due, split
from sinks.outbox import Outbox

_AT_ONCE = 2_000
_LOCK = 7_382_913

# A partition without news for a minute does not hold the others' bars open. Bars are taken until they are enough.
_TAKE = f"""
WITH marks AS (
    SELECT coalesce(min(watermark_us) FILTER (WHERE updated_at > now() - interval '1 minute'),
                    min(watermark_us)) AS mark
    FROM stream_offsets WHERE topic = '{MARKET_RAW.name}' AND watermark_us > {NO_WATERMARK_US}
), closed AS (
    SELECT source_partition, bar_s, starts_at, ends_at,
           sum(cardinality(series)) OVER (ORDER BY ends_at, bar_s, starts_at, source_partition)
               - cardinality(series) AS before
    FROM market_bars_due, marks
    WHERE (extract(epoch FROM ends_at) + %(lateness_s)s::float8) * 1e6 <= mark
)
DELETE FROM market_bars_due d USING closed c
WHERE (d.source_partition, d.bar_s, d.starts_at, d.ends_at) = (c.source_partition, c.bar_s, c.starts_at, c.ends_at)
  AND c.before < {_AT_ONCE}
RETURNING d.source_partition AS partition, d.bar_s, d.series,
          (extract(epoch FROM d.starts_at) * 1e6)::bigint AS start_us,
          (extract(epoch FROM d.ends_at) * 1e6)::bigint AS end_us
"""  # noqa: S608 - constants
_READ = """
SELECT b.market, b.symbol, b.kind, b.bar_s, b.bar_start, b.bar_end, b.ticks, b.open, b.high, b.low, b.close,
       b.volume, b.vwap, b.twap
FROM unnest(%s::bigint[], %s::int[], %s::bigint[]) AS k (series_id, bar_s, start_us)
CROSS JOIN LATERAL market_bar(k.series_id, k.bar_s, timestamptz 'epoch' + k.start_us * interval '1 microsecond') b
"""


class BarOutbox(Outbox[Bar]):
    """Finds bars that have closed and were not handed on since their last news.

    Args:
        url: `postgresql://...`.
        lateness_s: a bar closes this long after its end [s].
    """

    def __init__(self, url: str, *, lateness_s: float) -> None:
        super().__init__(url, _LOCK)
        self._lateness_s = lateness_s

    async def _due(self, connection: psycopg.AsyncConnection) -> list[Bar]:
        """Take bars that have closed."""
        async with connection.cursor(row_factory=class_row(DueBar)) as cursor:
            due = await (await cursor.execute(_TAKE, {"lateness_s": self._lateness_s})).fetchall()
        if not due:
            return []
        now, later = split(due, _AT_ONCE)
        await add_due(connection, later)
        keys = sorted((series, bar.bar_s, bar.start_us) for bar in now for series in bar.series)
        columns = [list(column) for column in zip(*keys, strict=True)]
        async with connection.cursor(row_factory=class_row(Bar)) as cursor:
            await cursor.execute(_READ, columns)
            return await cursor.fetchall()
