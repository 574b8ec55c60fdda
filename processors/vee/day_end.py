"""The end of a meter's day: what was usual moves on, and the day that has ended is held against it. Compiled."""

import numpy as np

from processors.compiled import part
from processors.vee.calendar import SUNDAY
from processors.vee.facts import Past
from processors.vee.memory import Memory
from schemas.layout import Ints
from schemas.windows import UWH_PER_KWH

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
_FADES = np.float32(0.9)


@part
def close(memory: Memory, row: int, day: int, holidays: Ints, past: Past, at: int) -> None:  # pragma: no cover
    """Close the newest day of a meter, and say of the reading that comes after it what is to be said of that day.

    Args:
        memory: of the partition's meters; changed in place.
        row: of the meter.
        day: local day of the meter's next reading, later than the newest.
        holidays: local days that count as Sundays, ascending.
        past: of a batch's readings; filled in.
        at: which of these comes next.
    """
    was, usual_s = int(memory.vee_day[row]), float(memory.vee_usual_s[row])
    month = month_of(was)
    complete = usual_s > 0 and memory.vee_readings[row] * usual_s >= _COMPLETE * _DAY_S
    energy, weekday = memory.vee_day_uwh[row] / UWH_PER_KWH, weekday_of(was, holidays)
    if complete:
        past.day_kwh[at], past.own_kwh[at] = energy, mean_day(memory, row)
        past.like_kwh[at], past.year_kwh[at] = (
            memory.vee_weekday_kwh[row, weekday],
            memory.vee_year_kwh[row, month % 12],
        )
        _learn_energy(memory, row, energy, weekday)
    _learn_month(memory, row, energy if complete else 0.0, complete, month, month_of(day))
    _learn_shape(memory, row)
    memory.vee_readings[row] = memory.vee_day_uwh[row] = memory.vee_on_grid[row] = memory.vee_zero_hours[row] = 0
    for place in range(3):
        memory.vee_highest[row, place] = 0


@part
def mean_day(memory: Memory, row: int) -> float:  # pragma: no cover
    """Return the mean over the weekdays of a meter that are known [kWh]; NaN without any."""
    total, known = 0.0, 0
    for weekday in range(7):
        value = memory.vee_weekday_kwh[row, weekday]
        if not np.isnan(value):
            total += value
            known += 1
    return total / known if known else np.nan


@part
def weekday_of(day: int, holidays: Ints) -> int:  # pragma: no cover
    """Return the weekday of a local day, as `Calendar.weekday` does of many."""
    for holiday in holidays:
        if holiday == day:
            return SUNDAY
    return (day + 3) % 7


@part
def month_of(day: int) -> int:  # pragma: no cover
    """Return the month that a local day lies in [months since 1970-01].

    Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`: years begin in March, and
    400 of them are a whole number of days.
    """
    since_march = day + 719_468
    era = since_march // 146_097
    of_era = since_march - era * 146_097
    year = (of_era - of_era // 1_460 + of_era // 36_524 - of_era // 146_096) // 365
    month = (5 * (of_era - (365 * year + year // 4 - year // 100)) + 2) // 153
    return (era * 400 + year - 1970) * 12 + month + 2


@part
def _learn_energy(memory: Memory, row: int, energy: float, weekday: int) -> None:  # pragma: no cover
    before = float(memory.vee_weekday_kwh[row, weekday])
    rate = max(1.0 / (memory.vee_days[row] // 7 + 1.0), _SLOWEST)
    memory.vee_weekday_kwh[row, weekday] = energy if np.isnan(before) else before + rate * (energy - before)
    memory.vee_days[row] = min(int(memory.vee_days[row]), 65_000) + 1


@part
def _learn_month(
    memory: Memory, row: int, energy: float, complete: bool, month: int, now: int
) -> None:  # pragma: no cover
    if memory.vee_month[row] != month:
        memory.vee_month[row], memory.vee_month_kwh[row], memory.vee_month_days[row] = month, 0, 0
    memory.vee_month_kwh[row] += energy
    memory.vee_month_days[row] = int(memory.vee_month_days[row]) + (1 if complete else 0)
    if now > month and memory.vee_month_days[row] >= _MONTH_DAYS:
        memory.vee_year_kwh[row, month % 12] = memory.vee_month_kwh[row] / memory.vee_month_days[row]


@part
def _learn_shape(memory: Memory, row: int) -> None:  # pragma: no cover
    for hour in range(24):
        zero = (int(memory.vee_zero_hours[row]) >> hour) & 1
        days = int(memory.vee_zero_days[row, hour]) + (1 if zero else -1)
        memory.vee_zero_days[row, hour] = min(max(days, 0), _MOST_ZERO_DAYS)
    readings = memory.vee_readings[row]
    if readings > 0:
        share = memory.vee_on_grid[row] / readings
        memory.vee_grid_share[row] += np.float32((share - memory.vee_grid_share[row]) * 0.25)
    faded, third = memory.vee_third[row] * _FADES, memory.vee_highest[row, 2]
    memory.vee_third[row] = third if third > 0 and not faded > third else faded
