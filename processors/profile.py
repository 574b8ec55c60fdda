"""What a meter usually uses at each hour of the week, and how far it usually is from that."""

import numpy as np

from processors.compiled import part
from processors.halves import VALUE, half_of
from processors.hours import HOURS_OF_WEEK
from processors.learned import Learned

_HOUR_S = 3_600.0
_DAY_S = 86_400.0
_WEEK_S = 7 * _DAY_S
#: Mean absolute deviation to standard deviation of a normal distribution: sqrt(pi / 2).
_SIGMA_PER_SPREAD = 1.2533
#: What a visit to an hour of the week, or to an hour of the day, counts for at least.
_LEAST_WEEKLY, _LEAST_DAILY = 0.15, 0.05
#: The largest power that half precision holds; a meter beyond it has no profile, only an average [kW].
_LARGEST_KW = 60_000.0
#: Keeps an almost constant load from finding every flicker unusual: share of the average, and 1 W.
_FLOOR_SHARE, _FLOOR_KW = 0.01, 0.001

#: Hour of the week with which Saturday begins.
_WEEKEND = 120


@part
def expect(learned: Learned, row: int, hour: int, average: float) -> tuple[float, float]:  # pragma: no cover
    """Return the power that a meter is expected to have in an hour, and its standard deviation [kW].

    An hour of the week is seen once a week; until it has been seen often it leans on the same hour of the other days of
    its kind (working days, weekend), and an hour that no day of its kind has shown on the same hour of the other kind.

    Args:
        learned: of the partition's meters.
        row: of the meter.
        hour: of the week.
        average: mean power of the meter [kW].
    """
    of_day, own = hour % 24, VALUE[learned.week_kw[row, hour]]
    working = _mean(learned, row, of_day, of_day + _WEEKEND)
    resting = _mean(learned, row, of_day + _WEEKEND, HOURS_OF_WEEK)
    alike, other = (resting, working) if hour >= _WEEKEND else (working, resting)
    if np.isnan(alike):
        alike = average if np.isnan(other) else other
    weeks = learned.covered_s[row] / _WEEK_S
    trust = weeks / (weeks + 1.0)
    expected = alike if np.isnan(own) else trust * own + (1.0 - trust) * alike
    if average > _LARGEST_KW:
        expected = average
    spread = VALUE[learned.hour_spread_kw[row, of_day]]
    if np.isnan(spread):
        spread = float(learned.spread_kw[row])
    return expected, _SIGMA_PER_SPREAD * spread + _FLOOR_SHARE * average + _FLOOR_KW


@part
def learn(
    learned: Learned, row: int, hour: int, power: float, expected: float, sigma: float, interval_s: float
) -> None:  # pragma: no cover
    """Move the profile of a meter towards one reading, once known by no more than 3 sigma."""
    days, part, of_day = learned.covered_s[row] / _DAY_S, min(interval_s / _HOUR_S, 1.0), hour % 24
    mean = VALUE[learned.week_kw[row, hour]]
    bound = 3.0 * sigma if days >= 1.0 and not np.isnan(mean) else np.inf
    power = min(max(power, expected - bound), expected + bound)
    if np.isnan(mean):
        mean = power
    else:
        mean += part * max(1.0 / (1.0 + days / 7.0), _LEAST_WEEKLY) * (power - mean)
    learned.week_kw[row, hour] = half_of(min(max(mean, -_LARGEST_KW), _LARGEST_KW))
    # The very first reading deviates from nothing.
    off = min(abs(power - expected), bound) if days > 0 else 0.0
    spread = VALUE[learned.hour_spread_kw[row, of_day]]
    if np.isnan(spread):
        spread = max(off, float(learned.spread_kw[row]))
    else:
        spread += part * max(1.0 / (1.0 + days), _LEAST_DAILY) * (off - spread)
    learned.hour_spread_kw[row, of_day] = half_of(min(spread, _LARGEST_KW))


@part
def _mean(learned: Learned, row: int, first: int, end: int) -> float:  # pragma: no cover
    """Return the mean of the same hour of some days, leaving out what is not known; NaN where nothing is."""
    total, known = 0.0, 0
    for hour in range(first, end, 24):
        value = VALUE[learned.week_kw[row, hour]]
        if not np.isnan(value):
            total += value
            known += 1
    return total / known if known else np.nan
