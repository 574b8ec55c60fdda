"""Local clocks and rest days of the regions: people live by the clock on the wall, the simulation counts in UTC."""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import holidays
import numpy as np

from schemas.layout import Floats, Mask
from simulators.regions import Region

#: Day 0 of every simulation: registers started to count here. 2010-01-01 UTC, in days since 1970-01-01.
EPOCH_DAY = 14_610
DAY_S = 86_400
DAY_MINUTES = 1_440
HALF_HOURS = 48

#: Holidays are worked out for this many days at once.
_HORIZON = 1_024


def day_of(moment: datetime) -> int:
    """Return the number of the UTC day [days since the simulation's epoch].

    Raises:
        ValueError: a time without offset, or one before the epoch.
    """
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no UTC offset")
    day = int(moment.timestamp() // DAY_S) - EPOCH_DAY
    if day < 0:
        raise ValueError(f"{moment.isoformat()} is before 2010-01-01, where registers start")
    return day


def date_of(day: int) -> date:
    """Return the calendar date of a day number."""
    return date(1970, 1, 1) + timedelta(days=EPOCH_DAY + day)


@lru_cache(maxsize=64)
def local_hours(region: Region, day: int) -> Floats:
    """Return the local clock in the middle of each half hour of a UTC day, float64[48] [hours].

    Hours count from local midnight of the date: values below 0 and from 24 on belong to the local days around it.
    """
    zone = ZoneInfo(region.timezone)
    middle = datetime.combine(date_of(day), datetime.min.time(), UTC) + timedelta(minutes=15)
    hours = np.empty(HALF_HOURS)
    for step in range(HALF_HOURS):
        utc = middle + timedelta(minutes=30 * step)
        offset = utc.astimezone(zone).utcoffset() or timedelta()
        hours[step] = (utc + offset - middle).total_seconds() / 3600 + 0.25
    return hours


def rest_days(region: Region, days: int) -> Mask:
    """Return which days are Saturdays, Sundays or public holidays, bool[days] from the epoch on."""
    return _rest_days(region, -(-days // _HORIZON) * _HORIZON)[:days]


@lru_cache(maxsize=64)
def _rest_days(region: Region, days: int) -> Mask:
    weekday = (np.arange(days) + EPOCH_DAY + 3) % 7
    rest = weekday >= 5
    years = range(date_of(0).year, date_of(days).year + 1)
    calendar = holidays.country_holidays(region.country, subdiv=region.subdivision, years=years)
    numbers = np.array([(day - date_of(0)).days for day in calendar], dtype=np.int64)
    rest[numbers[(numbers >= 0) & (numbers < days)]] = True
    return rest
