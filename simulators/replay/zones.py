"""Local clock times to UTC, with the hours that a zone has twice or not at all."""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from schemas.errors import ConfigurationError
from schemas.layout import Ints, Mask

_OFFSET = re.compile(r"(?:UTC|GMT)?([+-])(\d{1,2})(?::?(\d{2}))?")
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 (a local time; its zone is what is looked for)

# Clocks have been set forward and back at whole quarter hours only, ever since time zones became law.
_QUARTER_US = 15 * 60 * 1_000_000
_DAY = timedelta(days=1)
_DAY_US = 86_400 * 1_000_000


class UtcTimes(NamedTuple):
    """Local times as instants.

    Attributes:
        time_us: int64[n] [us since 1970-01-01 UTC]; meaningless where a mask is set.
        twice: bool[n], the clock showed this time twice (it was set back).
        never: bool[n], the clock never showed this time (it was set forward).
    """

    time_us: Ints
    twice: Mask
    never: Mask


def parse_zone(text: str) -> tzinfo:
    """Read `Europe/Paris`, `UTC`, `+10:00` or `UTC+10`.

    Raises:
        ConfigurationError: it is none of these.
    """
    match = _OFFSET.fullmatch(text.strip())
    if match:
        sign = -1 if match[1] == "-" else 1
        offset = timedelta(hours=int(match[2]), minutes=int(match[3] or 0))
        if offset < timedelta(hours=24):
            return timezone(sign * offset)
    try:
        return UTC if text == "UTC" else ZoneInfo(text)
    except (LookupError, ValueError, OSError):
        raise ConfigurationError(f"unknown time zone {text!r}; write Europe/Paris, UTC or +10:00") from None


def to_utc(local_us: Ints, zone: tzinfo) -> UtcTimes:
    """Turn clock times [us since 1970-01-01 00:00 on that clock] into instants."""
    days, place = np.unique(local_us // _DAY_US, return_inverse=True)
    edges = np.array(
        [(*_offsets_us(day, zone), *_offsets_us(day + _DAY, zone)) for day in _moments(days, _DAY_US)], dtype=np.int64
    ).reshape(-1, 4)
    first = second = edges[place, 0]
    # On almost every day the offset at its end is that of its beginning; on the others it is looked up by the quarter.
    seam = (edges != edges[:, :1]).any(axis=1)[place]
    if seam.any():
        quarters, which = np.unique(local_us[seam] // _QUARTER_US, return_inverse=True)
        offsets = np.array([_offsets_us(quarter, zone) for quarter in _moments(quarters, _QUARTER_US)])
        first, second = first.copy(), second.copy()
        first[seam], second[seam] = offsets[which].T
    return UtcTimes(local_us - first, first > second, first < second)


def _moments(counts: Ints, unit_us: int) -> list[datetime]:
    return [_EPOCH + timedelta(microseconds=count * unit_us) for count in counts.tolist()]


def _offsets_us(moment: datetime, zone: tzinfo) -> tuple[int, int]:
    """Return the offset from UTC [us] that a clock time has the first and the second time that the clock shows it."""
    first, second = (moment.replace(tzinfo=zone, fold=fold).utcoffset() or timedelta() for fold in (0, 1))
    return first // timedelta(microseconds=1), second // timedelta(microseconds=1)
