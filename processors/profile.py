"""What a meter usually uses at each hour of the week, and how far it usually is from that."""

import numpy as np
import numpy.typing as npt

from processors.state import MeterState
from schemas.layout import Floats, Ints, Positions

HOURS_OF_WEEK = 168
_HOUR_US = 3_600_000_000
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

_WEEKDAYS, _WEEKEND = np.arange(5) * 24, np.arange(5, 7) * 24


def hour_of_week(time_us: Ints) -> Ints:
    """Return the hour of the UTC week, 0 to 167; 0 begins on Monday."""
    hours = time_us // _HOUR_US
    found: Ints = (hours + 72) % HOURS_OF_WEEK  # 1970-01-01 was a Thursday
    return found


def expect(state: MeterState, row: Positions, hour: Ints, average: Floats) -> tuple[Floats, Floats]:
    """Return what at most one reading per meter is expected to be.

    An hour of the week is seen once a week; until it has been seen often it leans on the same hour of the other days of
    its kind (working days, weekend), and an hour that no day of its kind has shown on the same hour of the other kind.

    Args:
        state: the partition's state.
        row: intp[k], rows of the meters.
        hour: int64[k], hours of the week.
        average: float64[k], mean power of each meter [kW].

    Returns: expected power and its standard deviation, float64[k] [kW].
    """
    of_day = hour % 24
    own = state.week_kw[row, hour].astype(np.float64)
    working = _mean(state.week_kw[row, of_day + _WEEKDAYS[:, None]])
    resting = _mean(state.week_kw[row, of_day + _WEEKEND[:, None]])
    weekend = hour >= 120
    alike, other = np.where(weekend, resting, working), np.where(weekend, working, resting)
    alike = np.where(np.isnan(alike), np.where(np.isnan(other), average, other), alike)
    weeks = state.covered_s[row] / _WEEK_S
    trust = weeks / (weeks + 1.0)
    expected = np.where(np.isnan(own), alike, trust * own + (1.0 - trust) * alike)
    expected = np.where(average > _LARGEST_KW, average, expected)
    spread = state.hour_spread_kw[row, of_day].astype(np.float64)
    spread = np.where(np.isnan(spread), state.spread_kw[row], spread)
    return expected, _SIGMA_PER_SPREAD * spread + _FLOOR_SHARE * average + _FLOOR_KW


def learn(
    state: MeterState, row: Positions, hour: Ints, power: Floats, expected: Floats, sigma: Floats, interval_s: Floats
) -> None:
    """Move the profile towards at most one reading per meter, once known by no more than 3 sigma."""
    days = state.covered_s[row] / _DAY_S
    part = np.minimum(interval_s / _HOUR_S, 1.0)
    mean = state.week_kw[row, hour].astype(np.float64)
    bound = np.where((days >= 1.0) & ~np.isnan(mean), 3.0 * sigma, np.inf)
    power = np.clip(power, expected - bound, expected + bound)
    weekly = part * np.maximum(1.0 / (1.0 + days / 7.0), _LEAST_WEEKLY)
    mean = np.where(np.isnan(mean), power, mean + weekly * (power - mean))
    state.week_kw[row, hour] = np.clip(mean, -_LARGEST_KW, _LARGEST_KW)
    of_day = hour % 24
    spread = state.hour_spread_kw[row, of_day].astype(np.float64)
    # The very first reading deviates from nothing.
    off = np.where(days > 0, np.minimum(np.abs(power - expected), bound), 0.0)
    daily = part * np.maximum(1.0 / (1.0 + days), _LEAST_DAILY)
    spread = np.where(np.isnan(spread), np.maximum(off, state.spread_kw[row]), spread + daily * (off - spread))
    state.hour_spread_kw[row, of_day] = np.minimum(spread, _LARGEST_KW)


def _mean(values: npt.NDArray[np.float16]) -> Floats:
    """Return the mean of each column, leaving out what is not known; NaN where nothing is."""
    known = ~np.isnan(values)
    count = known.sum(axis=0)
    total = np.where(known, values, 0).sum(axis=0, dtype=np.float64)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
