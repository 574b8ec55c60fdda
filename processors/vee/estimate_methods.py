"""Methods of estimation: each says what the missing intervals of a series may have been, all at once."""

from collections.abc import Callable, Mapping

import numpy as np

from processors.vee.calendar import HOUR_US
from processors.vee.estimation import Method, MethodLimits
from processors.vee.interval_series import IntervalSeries
from schemas.layout import Floats, Ints, Mask, Positions

#: Days that are like each other: Tuesday to Thursday; every other day only itself; holidays count as Sundays.
#: Source: Western Australia, Electricity Industry (Metering) Code 2012, appendix 3.
_LIKE = np.array([0, 1, 1, 1, 4, 5, 6])
#: So much of what a neighbour shows beyond its like days belongs to the gap, too; it fades within an hour.
_KEPT = 0.7
#: The line counts beside like days near its ends; farther away it fades within so long [h].
_LINE_FADES_H = 3.0
#: Known stretches on which the two are tried.
_TRIALS = 20
#: A temperature of a day is known where this share of its intervals has one.
_MEASURED = 0.5


def outage(series: IntervalSeries, at: Positions, _: MethodLimits) -> Floats:
    """Return zero where the supply is known to have been off."""
    return np.where(series.outage[at], 0.0, np.nan)


def linear(series: IntervalSeries, at: Positions, limits: MethodLimits) -> Floats:
    """Return the line between the nearest known values on both sides."""
    known = np.flatnonzero(~np.isnan(series.kwh))
    if not len(known):
        return np.full(len(at), np.nan)
    place = np.searchsorted(known, at)
    inside = (place > 0) & (place < len(known))
    if not limits.beside_outage:
        before, after = known[np.maximum(place - 1, 0)], known[np.minimum(place, len(known) - 1)]
        edges = np.concatenate([series.outage[1:], [False]]) | np.concatenate([[False], series.outage[:-1]])
        inside &= ~(edges | series.outage)[before] & ~(edges | series.outage)[after]
    return np.where(inside, np.interp(at, known, series.kwh[known]), np.nan)


def like_days(series: IntervalSeries, at: Positions, limits: MethodLimits) -> Floats:
    """Return the mean of the same interval on the nearest like days, brought nearer to the line near its ends.

    How near, the meter's own past says: both are tried on gaps as long as this one where everything is known, and each
    counts by the inverse of its squared error.

    Source of the weights: Bates and Granger, The combination of forecasts, Operational Research Quarterly 20 (1969).
    """
    found, line = _by_days(series, at, limits), linear(series, at, limits)
    known = np.flatnonzero(~np.isnan(series.kwh))
    if not len(known):
        return found
    place = np.searchsorted(known, at)
    before, after = known[np.maximum(place - 1, 0)], known[np.minimum(place, len(known) - 1)]
    away_us = np.minimum(at - before, after - at) * series.interval_us
    share = _share_of_line(series, at, limits) * np.exp(-away_us / (_LINE_FADES_H * HOUR_US))
    share = np.where(np.isnan(line), 0.0, share)
    return found * (1.0 - share) + np.nan_to_num(line) * share


def _by_days(series: IntervalSeries, at: Positions, limits: MethodLimits) -> Floats:
    """Return the mean of the same interval on the nearest like days, before or after, without outages.

    Beside a known interval it is brought nearer to what that one shows beyond its own like days: a house that is full
    or empty stays so for a while. A mean, since the median of days would be nearer to most intervals and lose a quarter
    of the energy, which comes in few of them.
    """
    values, kind = _without_outages(series), _LIKE[series.weekday]

    def mean(where: Positions) -> Floats:
        reference = _references(series, where, values, limits.weeks, kind)
        found = ~np.isnan(reference)
        chosen = found & (np.cumsum(found, axis=1) <= limits.days)
        count = chosen.sum(axis=1)
        total = np.where(chosen, reference, 0.0).sum(axis=1)
        return np.where(count >= limits.least_days, total / np.maximum(count, 1), np.nan)

    found = mean(at)
    known = np.flatnonzero(~np.isnan(series.kwh))
    if not len(known):
        return found
    place = np.searchsorted(known, at)
    hour = HOUR_US / series.interval_us
    for neighbour, there in (
        (known[np.maximum(place - 1, 0)], place > 0),
        (known[np.minimum(place, len(known) - 1)], place < len(known)),
    ):
        beyond = series.kwh[neighbour] - mean(neighbour)
        fading = _KEPT * np.exp(-np.abs(at - neighbour) / hour)
        found = found + np.where(
            there & ~series.outage[neighbour] & ~np.isnan(beyond), fading * np.nan_to_num(beyond), 0.0
        )
    return np.maximum(found, 0.0)


def _share_of_line(series: IntervalSeries, at: Positions, limits: MethodLimits) -> Floats:
    """Return how much the line counts against like days for each interval, by the length of its gap."""
    begins = np.flatnonzero(np.r_[True, np.diff(at) > 1]) if len(at) else at
    length = np.diff(np.r_[begins, len(at)])
    if limits.line_share is not None:
        return np.full(len(at), limits.line_share)
    shares = {count: weigh_line(series, count, limits) for count in np.unique(length).tolist()}
    return np.repeat(np.array([shares[count] for count in length.tolist()], dtype=np.float64), length)


def weigh_line(series: IntervalSeries, count: int, limits: MethodLimits) -> float:
    """Try line and like days on known stretches of so many intervals; return the line's weight, 0 without any."""
    known = np.r_[0, np.cumsum(~np.isnan(series.kwh))]
    # Whole days and a golden section of one apart, so that every time of the day has its turn.
    step = series.per_day * (1 + -(-count // series.per_day)) + round(0.382 * series.per_day)
    first = np.arange(1, len(series.kwh) - count, step)
    first = first[known[first + count + 1] - known[first - 1] == count + 2]
    if len(first) > _TRIALS:
        first = first[np.linspace(0, len(first) - 1, _TRIALS).astype(np.intp)]
    there = (first[:, None] + np.arange(count)).reshape(-1)
    masked, truth = series.without(there), series.kwh[there]
    days, line = _by_days(masked, there, limits), linear(masked, there, limits)
    both = ~np.isnan(days) & ~np.isnan(line)
    if not both.any():
        return 0.0
    off_days, off_line = (float(((found - truth)[both] ** 2).mean()) for found in (days, line))
    return off_days / (off_days + off_line) if off_days > 0 else 0.0


def proxy_day(series: IntervalSeries, at: Positions, limits: MethodLimits) -> Floats:
    """Return the same interval on the day of the same kind whose mean temperature was nearest."""
    temperature = series.by_day(series.temperature_c)
    known = ~np.isnan(temperature)
    share = known.mean(axis=1)
    mean = np.where(known, temperature, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    mean = np.where(share >= _MEASURED, mean, np.nan)
    # A working day may stand for any other one.
    kind = np.where(series.weekday < 5, 0, series.weekday)
    offsets = _offsets(limits.weeks)
    days = series.day[at][:, None] + offsets
    reference = _references(series, at, _without_outages(series), limits.weeks, kind)
    inside = (days >= 0) & (days < len(mean))
    apart = np.abs(mean[np.clip(days, 0, len(mean) - 1)] - mean[series.day[at]][:, None])
    apart = np.where(inside & ~np.isnan(reference) & ~np.isnan(apart), apart, np.inf)
    best = apart.argmin(axis=1)
    rows = np.arange(len(at))
    return np.where(np.isinf(apart[rows, best]), np.nan, reference[rows, best])


def profile(series: IntervalSeries, at: Positions, _: MethodLimits) -> Floats:
    """Return the class's profile at the meter's own level, the meter's own mean by the slot without one."""
    own = series.by_day(series.kwh)
    known = ~np.isnan(own)
    count = known.sum(axis=0)
    mean = np.where(count > 0, np.where(known, own, 0.0).sum(axis=0) / np.maximum(count, 1), np.nan)
    if len(series.profile) == series.per_day:
        both = np.where(np.isnan(mean), 0.0, count)
        level = float((np.nan_to_num(mean) * both).sum())
        share = float((series.profile * both).sum())
        mean = series.profile * (level / share) if share > 0 else np.full(series.per_day, np.nan)
    return np.asarray(mean[series.slot[at]])


CANDIDATES: Mapping[Method, Callable[[IntervalSeries, Positions, MethodLimits], Floats]] = {
    Method.OUTAGE: outage,
    Method.LINEAR: linear,
    Method.LIKE_DAYS: like_days,
    Method.PROXY_DAY: proxy_day,
    Method.PROFILE: profile,
}


def _without_outages(series: IntervalSeries) -> Floats:
    """Return known values by day and slot; days with an outage are never a reference."""
    values = series.by_day(series.kwh)
    values[np.unique(series.day[series.outage])] = np.nan
    return values


def _offsets(weeks: int) -> Ints:
    """Return how far reference days lie away, the nearest first, those before ahead of those after [days]."""
    away = np.arange(1, 7 * weeks + 1)
    return np.stack([-away, away], axis=1).reshape(-1)


def _references(series: IntervalSeries, at: Positions, values: Floats, weeks: int, kind: Ints) -> Floats:
    """Return the same slot on days of the same kind around, float64[p, days]; NaN where there is none."""
    days = series.day[at][:, None] + _offsets(weeks)
    inside: Mask = (days >= 0) & (days < len(kind))
    days = np.clip(days, 0, len(kind) - 1)
    same = inside & (kind[days] == kind[series.day[at]][:, None])
    return np.where(same, values[days, series.slot[at][:, None]], np.nan)
