"""What the database knows of meters: readings and decisions by the interval, outages, and what is around a meter."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import psycopg

from processors.vee.align import Grid, align, grid_of
from processors.vee.catalogue import BY_ID
from processors.vee.interval_series import IntervalSeries, slots
from processors.vee.rule_set import RuleSet
from schemas.errors import ConfigurationError
from schemas.layout import Floats, Ints, Mask

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: Meters of a class that make its profile, at most.
_CLASS_METERS = 200
_METERS = """
SELECT m.meter_id, m.meter_number, m.customer_class, m.status, m.transformer_id, t.name
FROM smart_meters m LEFT JOIN transformers t USING (transformer_id)
WHERE %(meters)s::text[] IS NULL OR m.meter_number = ANY(%(meters)s) ORDER BY m.meter_number
"""
# Estimates are made from what was measured or decided, never from estimates; a register told in another unit says
# nothing of the energy since the one before.
_KNOWN = """
SELECT (extract(epoch FROM b.reading_time) * 1e6)::bigint,
       CASE WHEN b.kind <> 'estimate' THEN b.consumption_kwh END,
       CASE WHEN r.failed_rules & %(other_unit)s = 0 THEN r.register_kwh END, r.temperature_c,
       r.meter_id IS NOT NULL,
       b.kind = 'reject' OR b.kind IN ('reading', 'rerun') AND b.failed_rules & %(replaced)s <> 0
           OR b.kind = 'estimate' AND r.consumption_kwh IS NOT NULL AND r.quality_flag <> 'rejected',
       CASE WHEN b.kind <> 'estimate' THEN b.export_kwh
            WHEN b.export_method IS NULL AND r.quality_flag <> 'rejected' THEN r.export_kwh END,
       b.kind <> 'reject' AND coalesce(r.quality_flag <> 'rejected', b.kind <> 'estimate') AND b.export_method IS NULL
FROM best_values b
LEFT JOIN meter_readings r ON r.meter_id = b.meter_id AND r.reading_time = b.reading_time
WHERE b.meter_id = %(meter)s AND b.reading_time > %(since)s AND b.reading_time <= %(until)s
ORDER BY b.reading_time
"""
# Sums of whole numbers, here and below: they do not depend on the order in which the database adds.
_TEMPERATURES = """
SELECT (extract(epoch FROM date_trunc('hour', r.reading_time)) * 1e6)::bigint,
       sum(round(r.temperature_c * 1e3)::bigint)::float8 / count(*) / 1e3
FROM meter_readings r JOIN smart_meters m USING (meter_id)
WHERE m.transformer_id = %(transformer)s AND r.reading_time > %(since)s AND r.reading_time <= %(until)s
  AND r.temperature_c IS NOT NULL
GROUP BY 1 ORDER BY 1
"""
_OUTAGES = """
SELECT (extract(epoch FROM starts_at) * 1e6)::bigint, (extract(epoch FROM ends_at) * 1e6)::bigint FROM outages
WHERE (meter_number = %(number)s OR transformer = %(transformer)s) AND ends_at > %(since)s AND starts_at < %(until)s
"""
# What meters of a class use at each time, as a share of each one's own mean.
_CLASS = f"""
WITH chosen AS (
    SELECT meter_id FROM smart_meters WHERE customer_class = %(class)s ORDER BY meter_id LIMIT {_CLASS_METERS}
), means AS (
    SELECT r.meter_id, sum(round(r.consumption_kwh * 1e9)::bigint)::float8 / count(*) / 1e9 AS mean
    FROM chosen JOIN meter_readings r USING (meter_id)
    WHERE r.reading_time > %(since)s AND r.reading_time <= %(until)s AND r.consumption_kwh IS NOT NULL
      AND r.failed_rules & %(replaced)s = 0
    GROUP BY 1
)
SELECT (extract(epoch FROM r.reading_time) * 1e6)::bigint,
       sum(round(r.consumption_kwh / m.mean * 1e6)::bigint)::float8 / 1e6, count(*)
FROM means m JOIN meter_readings r USING (meter_id)
WHERE m.mean > 0 AND r.reading_time > %(since)s AND r.reading_time <= %(until)s AND r.consumption_kwh IS NOT NULL
  AND r.failed_rules & %(replaced)s = 0
GROUP BY 1 ORDER BY 1
"""  # noqa: S608 - a constant of this module
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
        fed_in: the same for energy fed in; None for a meter that never says any.
        absent: bool[n], nothing that came says what was fed in.
    """

    series: IntervalSeries
    failed: Mask
    fed_in: IntervalSeries | None
    absent: Mask


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
        rules: the rule set: its clock on the wall, its periods of maintenance, and what makes a value count as missing.
        fill_until: a meter that has gone silent is missing intervals up to then.
    """

    def __init__(
        self,
        connection: psycopg.Connection,
        since: datetime,
        until: datetime,
        rules: RuleSet,
        fill_until: datetime,
    ) -> None:
        self._connection = connection
        self._span = {"since": since, "until": until}
        self._fill_until_us = micros(fill_until)
        self._rules = rules
        self._replaced = rules.estimation.replaced
        self._temperatures: dict[int, tuple[Ints, Floats]] = {}
        self._profiles: dict[tuple[str, int], Floats] = {}

    def read(self, meter: Meter) -> MeterHistory | None:
        """Return the intervals of a meter, None where it has too few readings to have a grid."""
        masks = {"replaced": self._replaced, "other_unit": 1 << BY_ID["energy_unit"].bit}
        rows = self._rows(_KNOWN, {"meter": meter.meter_id} | masks)
        if not rows:
            return None
        columns = [np.array(column) for column in zip(*rows, strict=True)]
        time_us = columns[0].astype(np.int64)
        kwh, register, temperature, fed_in = (columns[place].astype(np.float64) for place in (1, 2, 3, 6))
        read, failed, told = (columns[place].astype(bool) for place in (4, 5, 7))
        grid = grid_of(time_us[read], self._fill_until_us)
        if grid is None:
            return None
        aligned = align(time_us, kwh, register, grid)
        on_line = aligned.place >= 0
        doubtful, absent = np.zeros(grid.lines, dtype=bool), np.ones(grid.lines, dtype=bool)
        doubtful[aligned.place[failed & on_line]] = True
        absent[aligned.place[told & on_line]] = False
        warmth, exported = np.full(grid.lines, np.nan), np.full(grid.lines, np.nan)
        warmth[aligned.place[on_line]] = temperature[on_line]
        exported[aligned.place[on_line]] = fed_in[on_line]
        series = IntervalSeries(
            grid.start_us,
            grid.interval_us,
            np.where(doubtful, np.nan, aligned.kwh),
            aligned.register_kwh,
            warmth,
            self._outages(meter, grid),
            self._rules.calendar,
            np.empty(0),
        )
        other = replace(series, kwh=exported, register_kwh=np.full(grid.lines, np.nan))
        return MeterHistory(series, doubtful, None if np.isnan(exported).all() else other, absent)

    def with_surroundings(self, meter: Meter, series: IntervalSeries) -> IntervalSeries:
        """Add the temperatures of other meters of the transformer where the meter has none, and the class's profile."""
        grid = Grid(series.start_us, series.interval_us, len(series.kwh))
        warmth = np.where(np.isnan(series.temperature_c), self._region(meter, grid), series.temperature_c)
        return replace(series, temperature_c=warmth, profile=self._profile(meter.customer_class, series))

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

    def _profile(self, customer_class: str | None, series: IntervalSeries) -> Floats:
        """Return what meters of a class use by the interval of a local day, as a share of their mean."""
        if customer_class is None:
            return np.empty(0)
        key = customer_class, series.interval_us
        if key not in self._profiles:
            rows = self._rows(_CLASS, {"class": customer_class, "replaced": self._replaced})
            self._profiles[key] = self._by_slot(rows, series)
        return self._profiles[key]

    @staticmethod
    def _by_slot(rows: list[tuple[Any, ...]], series: IntervalSeries) -> Floats:
        if not rows:
            return np.empty(0)
        time_us, total, count = (np.array(column) for column in zip(*rows, strict=True))
        slot = slots(time_us.astype(np.int64), series.interval_us, series.calendar)
        counts = np.bincount(slot, weights=count, minlength=series.per_day)
        sums = np.bincount(slot, weights=total, minlength=series.per_day)
        known = np.flatnonzero(counts)
        return np.interp(np.arange(series.per_day), known, sums[known] / counts[known], period=series.per_day)

    def _outages(self, meter: Meter, grid: Grid) -> Mask:
        """Say which intervals lie within an outage, wholly: one of the database's, or maintenance without supply."""
        found = np.zeros(grid.lines, dtype=bool)
        ends = grid.time_us
        mine = {"number": meter.number, "transformer": meter.transformer}
        spans: list[tuple[int, int]] = [(begin, end) for begin, end in self._rows(_OUTAGES, mine)]
        spans += [
            (period.start_us, period.end_us)
            for period in self._rules.periods
            if period.outage and meter.number in period.meters
        ]
        for start_us, end_us in spans:
            found |= (ends - grid.interval_us >= start_us) & (ends <= end_us)
        return found


def micros(moment: datetime) -> int:
    """Return a time as microseconds since 1970."""
    return (moment - _EPOCH) // timedelta(microseconds=1)
