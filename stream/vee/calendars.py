"""The clock on the wall of a zone as plain numbers, with the public holidays of a country."""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import holidays as public
import numpy as np

from processors.vee.calendar import Calendar
from schemas.errors import ConfigurationError

#: Smart meters are younger, and nobody can know the clocks of later years.
_YEARS = range(2000, 2051)
_EPOCH = date(1970, 1, 1)
_HOUR = timedelta(hours=1)


@lru_cache(maxsize=16)
def calendar(zone: str, country: str = "") -> Calendar:
    """Return the calendar of a zone.

    Args:
        zone: such as `Europe/Amsterdam`.
        country: ISO code whose public holidays count, empty for none; `AU-NSW` names a part of a country.

    Raises:
        ConfigurationError: there is no such zone or country.
    """
    try:
        clock = ZoneInfo(zone)
    except (LookupError, ValueError, OSError):
        raise ConfigurationError(f"zone: there is no time zone {zone!r}; write Europe/Amsterdam or UTC") from None
    changes, offsets = _changes(clock)
    return Calendar(
        np.array([_us(moment) for moment in changes], dtype=np.int64),
        np.array([round(offset.total_seconds() * 1e6) for offset in offsets], dtype=np.int64),
        _holidays(country),
    )


def _changes(clock: ZoneInfo) -> tuple[list[datetime], list[timedelta]]:
    """Find the instants at which clocks are set: a look at every day, then closer at those with one."""

    def offset(moment: datetime) -> timedelta:
        return moment.astimezone(clock).utcoffset() or timedelta()

    moment, end = datetime(_YEARS.start, 1, 1, tzinfo=UTC), datetime(_YEARS.stop, 1, 1, tzinfo=UTC)
    found, offsets = list[datetime](), [offset(moment)]
    while moment < end:
        after = moment + timedelta(days=1)
        if offset(after) != offsets[-1]:
            for step in (_HOUR, timedelta(minutes=1)):
                while offset(moment + step) == offsets[-1]:
                    moment += step
            after = moment + timedelta(minutes=1)
            found.append(after)
            offsets.append(offset(after))
        moment = after
    return found, offsets


def _us(moment: datetime) -> int:
    return round(moment.timestamp() * 1e6)


def _holidays(country: str) -> np.typing.NDArray[np.int64]:
    if not country:
        return np.empty(0, dtype=np.int64)
    code, _, part = country.partition("-")
    try:
        found = public.country_holidays(code, subdiv=part or None, years=_YEARS)
    except NotImplementedError as error:
        raise ConfigurationError(f"country: {country!r} is not known: {error}") from None
    return np.array(sorted((day - _EPOCH).days for day in found), dtype=np.int64)
