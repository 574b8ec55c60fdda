"""The interval series of one meter: a value for every interval of its grid, and the gaps in it."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from processors.vee.calendar import DAY_US, Calendar
from schemas.layout import Floats, Ints, Mask, Positions


def slots(time_us: Ints, interval_us: int, calendar: Calendar) -> Ints:
    """Return which interval of its local day each one is, by the clock on the wall, from the end of each [us]."""
    within: Ints = (calendar.local_us(time_us) - 1) % DAY_US // interval_us
    return within


@dataclass(frozen=True)
class IntervalSeries:
    """Energy of a meter by the interval; the k-th interval ends `k * interval_us` after the first one.

    Attributes:
        start_us: end of the first interval [us].
        interval_us: length [us].
        kwh: float64[n], energy [kWh], NaN where it is missing or not to be used.
        register_kwh: float64[n], the register's standing at the end of each interval [kWh], NaN where unknown.
        temperature_c: float64[n], temperature of the region [degree Celsius], NaN where unknown.
        outage: bool[n], the supply is known to have been off.
        calendar: the clock on the wall.
        profile: float64[p], what meters of the class use by the interval of a day, in any unit; empty without one.
    """

    start_us: int
    interval_us: int
    kwh: Floats
    register_kwh: Floats
    temperature_c: Floats
    outage: Mask
    calendar: Calendar
    profile: Floats

    @classmethod
    def of(cls, start_us: int, interval_us: int, kwh: Floats, calendar: Calendar | None = None) -> "IntervalSeries":
        """Return a series of which nothing but the energy is known."""
        nothing = np.full(len(kwh), np.nan)
        outage = np.zeros(len(kwh), dtype=bool)
        return cls(start_us, interval_us, kwh, nothing, nothing, outage, calendar or Calendar(), np.empty(0))

    @property
    def per_day(self) -> int:
        """Intervals of a day of 24 hours."""
        return int(DAY_US // self.interval_us)

    @cached_property
    def time_us(self) -> Ints:
        """End of each interval [us]."""
        return self.start_us + self.interval_us * np.arange(len(self.kwh), dtype=np.int64)

    @cached_property
    def day(self) -> Ints:
        """Local day of each interval, counted from the first one's."""
        days = self.calendar.day(self.time_us)
        return days - days[0] if len(days) else days

    @cached_property
    def slot(self) -> Ints:
        """Which interval of its local day each is, by the clock on the wall."""
        return slots(self.time_us, self.interval_us, self.calendar)

    @cached_property
    def weekday(self) -> Ints:
        """Weekday of each local day from the first one's on, Monday is 0; a holiday counts as a Sunday."""
        first = int(self.calendar.day(self.time_us[:1])[0]) if len(self.kwh) else 0
        count = int(self.day[-1]) + 1 if len(self.kwh) else 0
        return self.calendar.weekday(first + np.arange(count, dtype=np.int64))

    def by_day(self, values: Floats) -> Floats:
        """Return known values by day and slot, float64[days, slots]; NaN where there is none."""
        table = np.full((len(self.weekday), self.per_day), np.nan)
        known = np.flatnonzero(~np.isnan(values))
        table[self.day[known], self.slot[known]] = values[known]
        return table

    def without(self, at: Positions) -> "IntervalSeries":
        """Return the same with the energy of some intervals missing."""
        kwh = self.kwh.copy()
        kwh[at] = np.nan
        return replace(self, kwh=kwh)


def gaps(series: IntervalSeries) -> tuple[Positions, Positions]:
    """Find what is missing.

    Returns: positions of all missing intervals, and where among these each gap begins; where an outage begins or ends
        within a gap, another gap begins.
    """
    missing = np.flatnonzero(np.isnan(series.kwh))
    apart = (np.diff(missing) > 1) | (np.diff(series.outage[missing].astype(np.int8)) != 0)
    return missing, np.flatnonzero(np.r_[True, apart]) if len(missing) else missing
