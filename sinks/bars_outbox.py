"""Closed bars, handed on once they have closed and again whenever they were restated.

Guarantee: that of `sinks.outbox`; of two of the same bar, the later one is right.
"""

import psycopg
from psycopg.rows import class_row

from schemas.bars import Bar
from schemas.delivery import NO_WATERMARK_US
from schemas.topics import MARKET_RAW
from sinks.outbox import Outbox

_AT_ONCE = 2_000
_LOCK = 7_382_913

# A partition without news for a minute does not hold the others' bars open.
_TAKE = f"""
WITH marks AS (
    SELECT coalesce(min(watermark_us) FILTER (WHERE updated_at > now() - interval '1 minute'),
                    min(watermark_us)) AS mark
    FROM stream_offsets WHERE topic = '{MARKET_RAW.name}' AND watermark_us > {NO_WATERMARK_US}
), closed AS (
    SELECT d.series_id, d.bar_s, d.starts_at
    FROM market_bars_due d JOIN market_series USING (series_id) JOIN markets m USING (market), marks
    WHERE (extract(epoch FROM market_bar_end(d.starts_at, d.bar_s, m.timezone)) + %(lateness_s)s::float8) * 1e6 <= mark
    LIMIT {_AT_ONCE}
)
DELETE FROM market_bars_due d USING closed c
WHERE (d.series_id, d.bar_s, d.starts_at) = (c.series_id, c.bar_s, c.starts_at)
RETURNING d.series_id, d.bar_s, d.starts_at
"""  # noqa: S608 - constants
_READ = """
SELECT b.market, b.symbol, b.kind, b.bar_s, b.bar_start, b.bar_end, b.ticks, b.open, b.high, b.low, b.close,
       b.volume, b.vwap, b.twap
FROM unnest(%s::bigint[], %s::int[], %s::timestamptz[]) AS k (series_id, bar_s, bar_start)
CROSS JOIN LATERAL market_bar(k.series_id, k.bar_s, k.bar_start) b
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
        keys = await (await connection.execute(_TAKE, {"lateness_s": self._lateness_s})).fetchall()
        if not keys:
            return []
        columns = [list(column) for column in zip(*sorted(keys), strict=True)]
        async with connection.cursor(row_factory=class_row(Bar)) as cursor:
            await cursor.execute(_READ, columns)
            return await cursor.fetchall()
