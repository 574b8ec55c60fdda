"""The hours of the week, which profiles are of."""

from schemas.layout import Ints

HOURS_OF_WEEK = 168
_HOUR_US = 3_600_000_000


def hour_of_week(time_us: Ints) -> Ints:
    """Return the hour of the UTC week, 0 to 167; 0 begins on Monday."""
    hours = time_us // _HOUR_US
    found: Ints = (hours + 72) % HOURS_OF_WEEK  # 1970-01-01 was a Thursday
    return found
