"""The end of a meter's day: what was usual moves on, and the day that has ended is held against it."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from processors.vee.calendar import Calendar, month_of
from schemas.layout import Floats, Mask
from schemas.windows import UWH_PER_KWH

Columns = dict[str, npt.NDArray[Any]]

_DAY_S = 86_400.0
#: A day counts where at least so much of it was measured.
_COMPLETE = 0.9
#: A month counts for next year's comparison where so many of its days did.
_MONTH_DAYS = 10
#: How far one day moves what is usual: the mean of about the last eight of its kind.
_SLOWEST = 0.125
#: Zeros at an hour are counted up to this many days.
_MOST_ZERO_DAYS = 14
#: A day's third highest counts this much a day later: a week halves it.
_FADES = 0.9


class Closed(NamedTuple):
    """The day that ended before a run of readings, one value per run; NaN where none ended or nothing is known.

    Attributes:
        day_kwh: energy of that day, where it was measured completely [kWh].
        own_kwh: the meter's mean day before it [kWh].
        like_kwh: its mean day of that weekday [kWh].
        year_kwh: its mean day in that month of the last year known [kWh].
    """

    day_kwh: Floats
    own_kwh: Floats
    like_kwh: Floats
    year_kwh: Floats


def close(past: Columns, day: npt.NDArray[np.int64], calendar: Calendar) -> Closed:
    """Close the days that are over.

    Args:
        past: memory of m meters; changed in place.
        day: int64[m], local day of each meter's next readings.
        calendar: which weekday and month a day is.

    Returns: what is to be said of the days that were closed.
    """
    ended = (past["vee_day"] > 0) & (day > past["vee_day"])
    was = past["vee_day"].astype(np.int64)
    usual_s = past["vee_usual_s"].astype(np.float64)
    complete = ended & (usual_s > 0) & (past["vee_readings"] * usual_s >= _COMPLETE * _DAY_S)
    energy = past["vee_day_uwh"] / UWH_PER_KWH
    weekday, month = calendar.weekday(was), month_of(was)
    rows = np.arange(len(day))

    def of(values: Floats) -> Floats:
        return np.where(complete, values, np.nan)

    found = Closed(
        day_kwh=of(energy),
        own_kwh=of(mean_day(past["vee_weekday_kwh"])),
        like_kwh=of(past["vee_weekday_kwh"][rows, weekday].astype(np.float64)),
        year_kwh=of(past["vee_year_kwh"][rows, month % 12].astype(np.float64)),
    )
    _learn_energy(past, complete, energy, weekday)
    _learn_month(past, ended, complete, energy, month, month_of(day))
    _learn_shape(past, ended)
    for name in ("vee_readings", "vee_day_uwh", "vee_on_grid", "vee_zero_hours"):
        past[name] = np.where(ended, 0, past[name]).astype(past[name].dtype)
    past["vee_highest"] = np.where(ended[:, None], np.float32(0), past["vee_highest"])
    past["vee_day"] = np.maximum(past["vee_day"], day).astype(np.int32)
    return found


def mean_day(weekday_kwh: npt.NDArray[np.float32]) -> Floats:
    """Return the mean over the weekdays that are known, float64[m] [kWh]; NaN without any."""
    known = ~np.isnan(weekday_kwh)
    count = known.sum(axis=1)
    total = np.where(known, weekday_kwh, 0).astype(np.float64).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _learn_energy(past: Columns, complete: Mask, energy: Floats, weekday: npt.NDArray[np.int64]) -> None:
    rows = np.flatnonzero(complete)
    at = (rows, weekday[rows])
    before = past["vee_weekday_kwh"][at].astype(np.float64)
    weeks = past["vee_days"][rows] // 7
    rate = np.maximum(1.0 / (weeks + 1.0), _SLOWEST)
    past["vee_weekday_kwh"][at] = np.where(np.isnan(before), energy[rows], before + rate * (energy[rows] - before))
    past["vee_days"][rows] = np.minimum(past["vee_days"][rows], 65_000) + 1


def _learn_month(
    past: Columns,
    ended: Mask,
    complete: Mask,
    energy: Floats,
    month: npt.NDArray[np.int64],
    now: npt.NDArray[np.int64],
) -> None:
    stale = ended & (past["vee_month"] != month)
    past["vee_month_kwh"] = np.where(stale, 0, past["vee_month_kwh"]) + np.where(complete, energy, 0)
    past["vee_month_days"] = (np.where(stale, 0, past["vee_month_days"]) + complete).astype(np.uint8)
    past["vee_month"] = np.where(ended, month, past["vee_month"]).astype(np.int16)
    rows = np.flatnonzero(ended & (now > month) & (past["vee_month_days"] >= _MONTH_DAYS))
    past["vee_year_kwh"][rows, month[rows] % 12] = past["vee_month_kwh"][rows] / past["vee_month_days"][rows]


def _learn_shape(past: Columns, ended: Mask) -> None:
    rows = np.flatnonzero(ended)
    zero = (past["vee_zero_hours"][rows, None] >> np.arange(24, dtype=np.uint32)) & 1
    days = past["vee_zero_days"][rows].astype(np.int16) + np.where(zero > 0, 1, -1)
    past["vee_zero_days"][rows] = np.clip(days, 0, _MOST_ZERO_DAYS).astype(np.uint8)
    readings = past["vee_readings"][rows]
    share = past["vee_on_grid"][rows] / np.maximum(readings, 1)
    past["vee_grid_share"][rows] += ((share - past["vee_grid_share"][rows]) * np.where(readings > 0, 0.25, 0)).astype(
        np.float32
    )
    faded = past["vee_third"][rows] * np.float32(_FADES)
    third = past["vee_highest"][rows, 2]
    past["vee_third"][rows] = np.where(third > 0, np.fmax(faded, third), faded)
