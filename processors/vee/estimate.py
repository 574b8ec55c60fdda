"""Estimates for what is missing from an interval series: the first method that serves, scaled to the register."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from processors.vee.calendar import HOUR_US
from processors.vee.estimate_methods import CANDIDATES, weigh_line
from processors.vee.estimation import Method, MethodLimits
from processors.vee.interval_series import IntervalSeries, gaps
from schemas.layout import Floats, Ints, Mask, Positions

#: Known stretches on which a method is tried, at the same hours of other days, to say how far it is to be trusted.
_TRIALS = 4
#: A register may be behind the sum of its intervals by so much, from rounding [kWh].
_RESOLUTION_KWH = 0.011


@dataclass(frozen=True)
class Estimates:
    """What was estimated, one value per missing interval that a method had something for.

    Attributes:
        at: intp[k], positions in the series.
        kwh: float64[k], estimate [kWh].
        method: int8[k], code of a `Method`.
        scaled: bool[k], made to add up to the register.
        confidence: float64[k], 0 to 1: one less the method's error, as a share of use, where it is tried on the same
            hours of other days that are known; NaN where there are none.
    """

    at: Positions
    kwh: Floats
    method: npt.NDArray[np.int8]
    scaled: Mask
    confidence: Floats


class _Chosen(NamedTuple):
    kwh: Floats
    method: npt.NDArray[np.int8]


def estimate(series: IntervalSeries, limits: MethodLimits) -> Estimates:
    """Estimate what is missing; an interval that no method serves stays missing.

    Args:
        series: of one meter.
        limits: what its class allows.

    Returns: estimates; where the register is known on both sides of a gap, they add up to it.
    """
    missing, begins = gaps(series)
    if not len(missing):
        return _nothing()
    chosen = _choose(series, limits, missing, begins)
    kwh, scaled = chosen.kwh, np.zeros(len(missing), dtype=bool)
    if limits.scale:
        kwh, scaled = to_register(series, missing, kwh, chosen.method == Method.OUTAGE)
    confidence = np.full(len(missing), np.nan)
    for first, last in zip(begins.tolist(), [*begins[1:].tolist(), len(missing)], strict=True):
        confidence[first:last] = _confidence(
            series, limits, missing[first:last], Method(int(chosen.method[first])), scaled=bool(scaled[first])
        )
    has = ~np.isnan(kwh)
    return Estimates(missing[has], kwh[has], chosen.method[has], scaled[has], confidence[has])


def _nothing() -> Estimates:
    none = np.empty(0)
    return Estimates(np.empty(0, np.intp), none, np.empty(0, np.int8), np.empty(0, dtype=bool), none)


def _choose(series: IntervalSeries, limits: MethodLimits, missing: Positions, begins: Positions) -> _Chosen:
    """Take, for each gap, the first method that has something for all of it."""
    kwh, method = np.full(len(missing), np.nan), np.zeros(len(missing), dtype=np.int8)
    length = np.diff(np.r_[begins, len(missing)])
    hours = length * series.interval_us / HOUR_US
    waiting = np.ones(len(begins), dtype=bool)
    for name in limits.methods:
        tried = waiting & (hours <= limits.most_h[name])
        mine = np.repeat(tried, length)
        if not mine.any():
            continue
        found = np.full(len(missing), np.nan)
        found[mine] = CANDIDATES[name](series, missing[mine], limits)
        whole = tried & np.logical_and.reduceat(~np.isnan(found), begins)
        filled = np.repeat(whole, length)
        kwh[filled], method[filled] = found[filled], name
        waiting &= ~whole
    return _Chosen(kwh, method)


def to_register(series: IntervalSeries, missing: Positions, kwh: Floats, fixed: Mask) -> tuple[Floats, Mask]:
    """Scale estimates so that they and the known intervals between two registers add up to their difference.

    Args:
        series: with what is known.
        missing: intp[p], what is not.
        kwh: float64[p], estimates [kWh], NaN without one.
        fixed: bool[p], estimates that are not to be changed.

    Returns: estimates, and which of them were scaled. Where a register went back, or counted less than the known
        intervals, it explains nothing and nothing is scaled.
    """
    read = np.flatnonzero(~np.isnan(series.register_kwh))
    if len(read) < 2:
        return kwh, np.zeros(len(missing), dtype=bool)
    counted = np.diff(series.register_kwh[read])
    stretch = np.searchsorted(read, missing) - 1
    inside = (stretch >= 0) & (stretch < len(counted))
    stretch = np.where(inside, stretch, 0)
    known = np.cumsum(np.nan_to_num(series.kwh))[read]
    left = counted - np.diff(known)
    movable = inside & ~fixed & ~np.isnan(kwh)
    left -= _sums(stretch, inside & fixed, kwh, len(counted))
    left = np.where(np.abs(left) <= _RESOLUTION_KWH, np.maximum(left, 0.0), left)
    total = _sums(stretch, movable, kwh, len(counted))
    count = _sums(stretch, movable, np.ones(len(kwh)), len(counted))
    open_ = _sums(stretch, inside & np.isnan(kwh), np.ones(len(kwh)), len(counted))
    sound = (counted >= 0) & (left >= 0) & (open_ == 0) & (count > 0)
    mine = movable & sound[stretch]
    level = left[stretch] / np.maximum(count[stretch], 1)
    share = np.where(total[stretch] > 0, kwh / np.where(total[stretch] > 0, total[stretch], 1.0), np.nan)
    fitted = np.where(np.isnan(share), level, share * left[stretch])
    return np.where(mine, fitted, kwh), mine


def _sums(stretch: Ints, where: Mask, values: Floats, count: int) -> Floats:
    return np.bincount(stretch[where], weights=values[where], minlength=count).astype(np.float64)


def _confidence(series: IntervalSeries, limits: MethodLimits, at: Positions, method: Method, *, scaled: bool) -> float:
    """Try a method on the same hours of other days, which are known."""
    if method is Method.NONE:
        return np.nan
    if method is Method.OUTAGE:
        return 1.0
    if method is Method.LIKE_DAYS:
        limits = replace(limits, line_share=weigh_line(series, len(at), limits))
    error, size, trials = 0.0, 0.0, 0
    for days in (-7, 7, -14, 14, -1, 1, -2, 2, -21, 21):
        there = at + days * series.per_day
        if there[0] < 1 or there[-1] >= len(series.kwh) - 1 or np.isnan(series.kwh[there]).any():
            continue
        found = CANDIDATES[method](series.without(there), there, limits)
        truth = series.kwh[there]
        if np.isnan(found).any():
            continue
        if scaled and found.sum() > 0:
            found = found * (truth.sum() / found.sum())
        error, size, trials = error + float(np.abs(found - truth).sum()), size + float(np.abs(truth).sum()), trials + 1
        if trials == _TRIALS:
            break
    if not trials:
        return np.nan
    return max(0.0, 1.0 - error / size) if size > 0 else float(error == 0)
