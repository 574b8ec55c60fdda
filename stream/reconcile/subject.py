"""What is proved: readings or ticks, each with its topics, its validation and its table."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from processors.market import check as market_check
from processors.market.series import SEPARATOR, keys_of
from processors.market.terms import terms
from processors.validate import FAILURES, Codes, Limits, validate
from schemas.layout import ColumnBatch, Ints, instant_of
from schemas.markets import Markets
from schemas.readings import ReadingBatch
from schemas.rejected import Reason
from schemas.ticks import TickBatch
from schemas.topics import MARKET_RAW, MARKET_REJECTED, METERS_RAW, METERS_REJECTED


@dataclass(frozen=True)
class Subject:
    """One kind of row.

    Attributes:
        noun: what one is called.
        raw: Kafka topic.
        rejected: Kafka topic of what could not be taken.
        kind: its columns.
        validate: what the worker's validation says, given arrivals.
        failures: reason and detail of each code.
        names: text[n], what makes a row the same as another, its time left aside.
        key: columns that name a row.
        table: where rows are stored.
        join: from a looked-for row `s` to the stored one `r`, whose time is bounded by two parameters.
    """

    noun: str
    raw: str
    rejected: str
    kind: type[ColumnBatch]
    validate: Callable[[Any, Ints], Codes]
    failures: Sequence[tuple[Reason, str]]
    names: Callable[[Any], pa.StringArray]
    key: tuple[str, ...]
    table: str
    join: str

    def describe(self, batch: ColumnBatch, row: int) -> str:
        """Return what a row is, in words."""
        name = "/".join(str(batch.column(column)[row].as_py()) for column in batch.layout.identity)
        return f"{self.noun} {name} at {instant_of(int(batch.time_us[row])).isoformat()}"


def readings(limits: Limits) -> Subject:
    """Readings of meters, by the limits of the worker."""
    return Subject(
        noun="meter",
        raw=METERS_RAW.name,
        rejected=METERS_REJECTED.name,
        kind=ReadingBatch,
        validate=lambda batch, arrived_us: validate(batch, arrived_us, limits),
        failures=FAILURES,
        names=lambda batch: batch.meter_number,
        key=("meter_number", "reading_time"),
        table="meter_readings",
        join="LEFT JOIN smart_meters m USING (meter_number) LEFT JOIN meter_readings r "
        "ON r.meter_id = m.meter_id AND r.reading_time = s.reading_time AND r.reading_time BETWEEN %s AND %s",
    )


def ticks(markets: Markets) -> Subject:
    """Ticks of markets."""
    limits = market_check.TickLimits()
    return Subject(
        noun="tick",
        raw=MARKET_RAW.name,
        rejected=MARKET_REJECTED.name,
        kind=TickBatch,
        validate=lambda batch, arrived_us: market_check.check(batch, terms(batch, markets), arrived_us, limits),
        failures=market_check.FAILURES,
        names=_tick_names,
        key=("market", "symbol", "tick_time", "kind", "revision"),
        table="market_ticks",
        join="LEFT JOIN market_series m ON (m.market, m.symbol, m.kind) = (s.market, s.symbol, coalesce(s.kind, '')) "
        # A subquery of its own (OFFSET 0) is looked up by the whole key. Joined, PostgreSQL 18 may take time and
        # revision for the condition and the series for a filter: minutes in place of a second.
        "LEFT JOIN LATERAL (SELECT * FROM market_ticks t WHERE t.series_id = m.series_id AND t.tick_time = s.tick_time "
        "AND t.revision = coalesce(s.revision, 0) AND t.tick_time BETWEEN %s AND %s OFFSET 0) r ON true",
    )


def _tick_names(batch: TickBatch) -> pa.StringArray:
    return pc.binary_join_element_wise(
        keys_of(batch).cast(pa.string()), pa.array(batch.revisions).cast(pa.string()), SEPARATOR
    )
