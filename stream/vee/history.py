"""What the database knows of meters: readings and decisions by the interval, outages, temperatures around."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import psycopg

from processors.vee.align import Grid, align, grid_of
from processors.vee.calendar import Calendar
from processors.vee.interval_series import IntervalSeries
from schemas.errors import ConfigurationError
from schemas.layout import Floats, Ints, Mask

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_METERS = """
SELECT m.meter_id, m.meter_number, m.customer_class, m.status, m.transformer_id, t.name
FROM smart_meters m LEFT JOIN transformers t USING (transformer_id)
WHERE %(meters)s::text[] IS NULL OR m.meter_number = ANY(%(meters)s) ORDER BY m.meter_number
"""
# Estimates are made from what was measured or decided, never from estimates.
_KNOWN = """
SELECT (extract(epoch FROM b.reading_time) * 1e6)::bigint,
       CASE WHEN b.kind <> 'estimate' THEN b.consumption_kwh END, r.register_kwh, r.temperature_c,
       r.meter_id IS NOT NULL,
       b.kind = 'reject' OR b.kind IN ('reading', 'rerun') AND b.failed_rules & %(replaced)s <> 0
           OR b.kind = 'estimate' AND r.consumption_kwh IS NOT NULL AND r.quality_flag <> 'rejected'
FROM best_values b
LEFT JOIN meter_readings r ON r.meter_id = b.meter_id AND r.reading_time = b.reading_time
WHERE b.meter_id = %(meter)s AND b.reading_time > %(since)s AND b.reading_time <= %(until)s
ORDER BY b.reading_time
"""
_TEMPERATURES = """
SELECT (extract(epoch FROM date_trunc('hour', r.reading_time)) * 1e6)::bigint, avg(r.temperature_c)
FROM meter_readings r JOIN smart_meters m USING (meter_id)
WHERE m.transformer_id = %(transformer)s AND r.reading_time > %(since)s AND r.reading_time <= %(until)s
  AND r.temperature_c IS NOT NULL
GROUP BY 1 ORDER BY 1
"""
_OUTAGES = """
SELECT (extract(epoch FROM starts_at) * 1e6)::bigint, (extract(epoch FROM ends_at) * 1e6)::bigint FROM outages
WHERE (meter_number = %(number)s OR transformer = %(transformer)s) AND ends_at > %(since)s AND starts_at < %(until)s
"""
_HOUR_US = 3_600_000_000


@dataclass(frozen=True)
class Meter:
    """One meter as the registry has it.

    Attributes:
        meter_id: key in the database.
        number: meter number.
        customer_class: its class, None where the registry does not say.
        status: its status, `unregistered` where the registry does not know it.
        transformer_id: key of its transformer, None without one.
        transformer: its name.
    """

    meter_id: int
    number: str
    customer_class: str | None
    status: str
    transformer_id: int | None
    transformer: str | None


@dataclass(frozen=True)
class MeterHistory:
    """The intervals of one meter.

    Attributes:
        series: what is known; failed values count as missing.
        failed: bool[n], there is a value, which is not to be used.
    """

    series: IntervalSeries
    failed: Mask


def find_meters(connection: psycopg.Connection, numbers: Sequence[str]) -> list[Meter]:
    """Return meters by number, all of them where none is named.

    Raises:
        ConfigurationError: the database has no such meter.
    """
    found = [Meter(*row) for row in connection.execute(_METERS, {"meters": list(numbers) or None})]
    unknown = set(numbers) - {meter.number for meter in found}
    if unknown:
        raise ConfigurationError(f"the database has no meter {', '.join(sorted(unknown))}")
    return found


class Histories:
    """Reads histories of meters over a span, with what all of them share.

    Args:
        connection: to the database.
        since: begin of the span.
        until: end of the span.
        calendar: the clock on the wall.
        replaced: mask of the rules whose failure makes a value count as missing.
        fill_until: a meter that has gone silent is missing intervals up to then.
    """

    def __init__(
        self,
        connection: psycopg.Connection,
        since: datetime,
        until: datetime,
        calendar: Calendar,
        replaced: int,
        fill_until: datetime,
    ) -> None:
        self._connection = connection
        self._span = {"since": since, "until": until}
        self._fill_until_us = micros(fill_until)
        self._calendar = calendar
        self._replaced = replaced
        self._temperatures: dict[int, tuple[Ints, Floats]] = {}

    def read(self, meter: Meter) -> MeterHistory | None:
        """Return the intervals of a meter, None where it has too few readings to have a grid."""
        rows = self._rows(_KNOWN, {"meter": meter.meter_id, "replaced": self._replaced})
        if not rows:
            return None
        time_us, kwh, register, temperature, read, failed = (np.array(column) for column in zip(*rows, strict=True))
        time_us, failed = time_us.astype(np.int64), failed.astype(bool)
        kwh, register, temperature = (column.astype(np.float64) for column in (kwh, register, temperature))
        grid = grid_of(time_us[read.astype(bool)], self._fill_until_us)
        if grid is None:
            return None
        aligned = align(time_us, kwh, register, grid)
        doubtful = np.zeros(grid.lines, dtype=bool)
        doubtful[aligned.place[failed & (aligned.place >= 0)]] = True
        warmth = np.full(grid.lines, np.nan)
        on_line = aligned.place >= 0
        warmth[aligned.place[on_line]] = temperature[on_line]
        series = IntervalSeries(
            grid.start_us,
            grid.interval_us,
            np.where(doubtful, np.nan, aligned.kwh),
            aligned.register_kwh,
            np.where(np.isnan(warmth), self._region(meter, grid), warmth),
            self._outages(meter, grid),
            self._calendar,
            np.empty(0),
        )
        return MeterHistory(series, doubtful)

    def _rows(self, query: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
        return self._connection.execute(query.encode(), self._span | values).fetchall()

    def _region(self, meter: Meter, grid: Grid) -> Floats:
        """Return the mean temperature that the meters of a transformer show, by the hour, at each line."""
        if meter.transformer_id is None:
            return np.full(grid.lines, np.nan)
        if meter.transformer_id not in self._temperatures:
            rows = self._rows(_TEMPERATURES, {"transformer": meter.transformer_id})
            hours, means = zip(*rows, strict=True) if rows else ((), ())
            known = np.array(hours, dtype=np.int64), np.array(means, dtype=np.float64)
            self._temperatures[meter.transformer_id] = known
        hours_us, mean_c = self._temperatures[meter.transformer_id]
        if not len(hours_us):
            return np.full(grid.lines, np.nan)
        hour_us = grid.time_us // _HOUR_US * _HOUR_US
        place = np.minimum(np.searchsorted(hours_us, hour_us), len(hours_us) - 1)
        return np.where(hours_us[place] == hour_us, mean_c[place], np.nan)

    def _outages(self, meter: Meter, grid: Grid) -> Mask:
        """Say which intervals lie within an outage, wholly."""
        found = np.zeros(grid.lines, dtype=bool)
        ends = grid.time_us
        for start_us, end_us in self._rows(_OUTAGES, {"number": meter.number, "transformer": meter.transformer}):
            found |= (ends - grid.interval_us >= start_us) & (ends <= end_us)
        return found


def micros(moment: datetime) -> int:
    """Return a time as microseconds since 1970."""
    return (moment - _EPOCH) // timedelta(microseconds=1)
