"""Market time: settlement intervals, local days of 23 to 25 hours, and trading hours, for columns of instants."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np

from schemas.layout import Ints, Mask
from schemas.markets import DAY_MINUTES, DAY_S, WEEKDAYS, Label, Market

DAY_US = DAY_S * 1_000_000
_MINUTE_US = 60_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: Years whose clock changes are looked up; before and after them the nearest known offset holds.
_FIRST_YEAR, _LAST_YEAR = 1990, 2100
#: No zone changes its clock there and back within this time.
_LOOK = timedelta(days=7)
#: 1970-01-01 was a Thursday.
_FIRST_WEEKDAY = WEEKDAYS.index("thu")


@dataclass(frozen=True)
class Clock:
    """The clock of a zone, as stretches of time with one offset from UTC each.

    Attributes:
        starts_us: int64[k], first instant of each stretch [us since 1970-01-01 UTC].
        offsets_us: int64[k], local time less UTC [us].
    """

    starts_us: Ints
    offsets_us: Ints

    def local_us(self, time_us: Ints) -> Ints:
        """Return what the clock shows at some instants [us since 1970-01-01 00:00 on that clock]."""
        stretch = np.maximum(np.searchsorted(self.starts_us, time_us, side="right") - 1, 0)
        return time_us + self.offsets_us[stretch]

    def first_instant(self, local_us: Ints) -> Ints:
        """Return the first instants at which the clock shows these times or later ones [us since 1970-01-01 UTC]."""
        ends = np.append(self.starts_us[1:], np.iinfo(np.int64).max // 2) + self.offsets_us
        stretch = np.searchsorted(ends, local_us, side="right")
        instants: Ints = np.maximum(self.starts_us[stretch], local_us - self.offsets_us[stretch])
        return instants


@dataclass(frozen=True)
class Intervals:
    """The settlement interval that each tick speaks of.

    Attributes:
        day: int64[n], local settlement day [days since 1970-01-01].
        index: int64[n], position in that day, from 0; a day of 25 hours has more of them, one of 23 hours fewer.
        start_us: int64[n] [us since 1970-01-01 UTC].
        end_us: int64[n], the start of the next one [us since 1970-01-01 UTC].
    """

    day: Ints
    index: Ints
    start_us: Ints
    end_us: Ints


def intervals(
    market: Market, time_us: Ints, *, label: Label | None = None, interval_s: int | Ints | None = None
) -> Intervals:
    """Find the settlement intervals of a market that some times are in.

    Args:
        market: whose intervals.
        time_us: int64[n] [us since 1970-01-01 UTC].
        label: whether the times name interval starts or ends, the market's own by default. With `end`, a time that is
            an edge belongs to the interval before it; give `start` for moments, such as those of trades.
        interval_s: length [s], one or int64[n], where it is not the market's; a day, or a divisor of an hour.
    """
    length_us: Ints = np.asarray(market.interval_s if interval_s is None else interval_s, dtype=np.int64) * 1_000_000
    inside = time_us - 1 if (label or market.label) == "end" else time_us
    day = settlement_day(market, inside, label="start")
    start, end = day_start(market, day), day_start(market, day + 1)
    index: Ints = np.where(length_us == DAY_US, 0, (inside - start) // length_us)
    first = start + index * length_us
    return Intervals(day, index, first, np.where(length_us == DAY_US, end, np.minimum(first + length_us, end)))


def settlement_day(market: Market, time_us: Ints, *, label: Label | None = None) -> Ints:
    """Return the local day that each time belongs to, int64[n] [days since 1970-01-01]; arguments as `intervals`."""
    inside = time_us - 1 if (label or market.label) == "end" else time_us
    return clock_of(market.timezone).local_us(inside) // DAY_US


def day_start(market: Market, day: Ints) -> Ints:
    """Return the first instant of local days.

    Args:
        market: whose days.
        day: int64[n] [days since 1970-01-01].

    Returns: int64[n] [us since 1970-01-01 UTC].
    """
    return clock_of(market.timezone).first_instant(np.asarray(day, dtype=np.int64) * DAY_US)


def intervals_in_day(market: Market, day: Ints) -> Ints:
    """Return how many settlement intervals local days have, int64[n]: of 15 minutes 92, 96 or 100."""
    length = day_start(market, np.asarray(day) + 1) - day_start(market, day)
    return np.where(market.interval_s == DAY_S, 1, -(-length // (market.interval_s * 1_000_000)))


def is_trading(market: Market, time_us: Ints) -> Mask:
    """Say at which moments the market trades: its days of the week, its hours, and its holidays, by its clock.

    Args:
        market: whose hours.
        time_us: int64[n], moments [us since 1970-01-01 UTC].

    Returns: bool[n].
    """
    local = clock_of(market.timezone).local_us(time_us)
    day, minute = local // DAY_US, local % DAY_US // _MINUTE_US
    open_days = np.array([name in market.trading_days for name in WEEKDAYS])
    trading = open_days[(day + _FIRST_WEEKDAY) % 7]
    if (market.opens_minute, market.closes_minute) != (0, DAY_MINUTES):
        trading &= (minute >= market.opens_minute) & (minute < market.closes_minute)
    if market.closed_on_holidays:
        trading &= ~is_holiday(market, day)
    return trading


def is_holiday(market: Market, day: Ints) -> Mask:
    """Say which local days [days since 1970-01-01] are public holidays of the market's calendar, bool[n]."""
    if not len(day):
        return np.zeros(0, dtype=bool)
    first, last = (int(edge.astype("datetime64[D]").item().year) for edge in (day.min(), day.max()))
    return np.isin(day, _holidays(market, first, last))


@lru_cache(maxsize=128)
def clock_of(timezone: str) -> Clock:
    """Return the clock of a zone (IANA name)."""
    zone = ZoneInfo(timezone)
    starts, offsets = list[int](), list[int]()
    moment, last = datetime(_FIRST_YEAR, 1, 1, tzinfo=UTC), datetime(_LAST_YEAR, 1, 1, tzinfo=UTC)
    while moment < last:
        offset = _offset_us(zone, moment)
        if not offsets or offset != offsets[-1]:
            starts.append(_us(_changed(zone, moment - _LOOK, moment)) if offsets else -(2**62))
            offsets.append(offset)
        moment += _LOOK
    return Clock(np.array(starts, dtype=np.int64), np.array(offsets, dtype=np.int64))


def _changed(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """Return the first second of the offset that holds at `after`; clocks change at whole seconds."""
    new = _offset_us(zone, after)
    low, high = 0, int((after - before).total_seconds())
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _offset_us(zone, before + timedelta(seconds=middle)) == new else (middle, high)
    return before + timedelta(seconds=high)


def _offset_us(zone: ZoneInfo, moment: datetime) -> int:
    return (moment.astimezone(zone).utcoffset() or timedelta()) // timedelta(microseconds=1)


def _us(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


@lru_cache(maxsize=256)
def _holidays(market: Market, first_year: int, last_year: int) -> Ints:
    days = [(day - _EPOCH.date()).days for day in market.holidays_of(first_year, last_year)]
    return np.array(sorted(days), dtype=np.int64)
