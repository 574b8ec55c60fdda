"""Energy that went into a transformer and is in no meter behind it: how much, since when, and how sure that is.

What is left when customers and expected losses are taken off is judged over a day of complete hours at a time, so that
a thief who sleeps at night, clocks that are minutes apart and single odd hours do not matter. A spell is told once the
day's share has been beyond the tolerance for some hours; it begins where a cumulative sum turned (Page, Biometrika 41,
1954), which is before that.
"""

from dataclasses import dataclass

import numpy as np

from processors.losses import Hours, Losses
from processors.spells import held, stretches, switched
from schemas.layout import Floats, Positions


@dataclass(frozen=True)
class BalanceRules:
    """When energy is missing.

    Attributes:
        share: of what was supplied in a day of complete hours. Meters of class 1 and losses that are twice what was
            expected leave 5 % at most.
        deviations: and so many standard deviations.
        day: complete hours that are judged together; they lie in twice as many hours at most.
        breadth: so many of these by themselves, at half of the share: one odd reading makes no spell.
        hold: it is told after so many complete hours in a row, and over after as many with half of the share.
        metering: standard deviation of what meters count, as a share; does not average out.
    """

    share: float = 0.07
    deviations: float = 3.0
    day: int = 24
    breadth: int = 5
    hold: int = 6
    metering: float = 0.01


@dataclass(frozen=True)
class Spell:
    """A stretch in which energy of one transformer was missing; hours by position.

    Attributes:
        first: first hour.
        after: hour after its last; None while it lasts.
        told: hour with which it could first be told.
        hours: intp[k], its complete hours.
        missing_kwh: energy in these [kWh].
        supplied_kwh: what was supplied in these [kWh].
        deviation_kwh: standard deviation of what is missing [kWh].
    """

    first: int
    after: int | None
    told: int
    hours: Positions
    missing_kwh: float
    supplied_kwh: float
    deviation_kwh: float

    @property
    def share(self) -> float:
        """What is missing over what was supplied."""
        return self.missing_kwh / self.supplied_kwh


def residuals(hours: Hours, losses: Losses) -> Floats:
    """Return what is neither metered nor expected to be lost, float64[t, h] [kWh]; NaN of incomplete hours."""
    left: Floats = np.where(hours.complete, hours.lost_kwh - losses.expected_kwh(hours), np.nan)
    return left


def spells(
    left_kwh: Floats, supplied_kwh: Floats, scatter_kwh: float, rules: BalanceRules, sign: float = 1.0
) -> list[Spell]:
    """Find the spells of one transformer.

    Args:
        left_kwh: float64[h], of `residuals`.
        supplied_kwh: float64[h] [kWh].
        scatter_kwh: standard deviation of a sound hour [kWh].
        rules: what is enough.
        sign: 1 for what is missing, -1 for what is too much.
    """
    at = np.flatnonzero(~np.isnan(left_kwh))
    if len(at) < rules.day:
        return []
    left, supplied = sign * left_kwh[at], np.maximum(supplied_kwh[at], 0.0)
    day_left, day_supplied = _rolling(left, rules.day), np.maximum(_rolling(supplied, rules.day), 1e-9)
    together = np.zeros(len(at), dtype=bool)
    together[rules.day - 1 :] = at[rules.day - 1 :] - at[: len(at) - rules.day + 1] < 2 * rules.day
    deviation = _deviation(rules.day, day_supplied, scatter_kwh, rules)
    broad = _rolling((left >= 0.5 * rules.share * supplied).astype(np.float64), rules.day) >= rules.breadth
    beyond = together & broad & (day_left >= np.maximum(rules.share * day_supplied, rules.deviations * deviation))
    closed = together & ((day_left < 0.5 * rules.share * day_supplied) | ~broad)
    state = switched(held(beyond, rules.hold), held(closed, rules.hold))
    turns = np.concatenate([[0.0], np.cumsum(left - 0.5 * rules.share * supplied)])
    found, before = list[Spell](), 0
    for begin, end in zip(*stretches(state), strict=True):
        first = before + int(np.argmin(turns[before : begin + 1]))
        after = len(at) if end == len(at) else begin + 1 + int(np.argmax(turns[begin + 1 : end + 1]))
        rows, before = slice(first, after), after
        total = float(supplied[rows].sum())
        found.append(
            Spell(
                first=int(at[first]),
                after=None if end == len(at) else int(at[after - 1]) + 1,
                told=int(at[begin]),
                hours=at[rows],
                missing_kwh=float(left[rows].sum()),
                supplied_kwh=total,
                deviation_kwh=float(_deviation(after - first, np.array(total), scatter_kwh, rules)),
            )
        )
    return found


def _rolling(values: Floats, count: int) -> Floats:
    """Return sums over the last `count` values, float64[n]; of fewer at the beginning."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    sums: Floats = total[1:] - total[np.maximum(np.arange(1, len(total)) - count, 0)]
    return sums


def _deviation(hours: int, supplied_kwh: Floats, scatter_kwh: float, rules: BalanceRules) -> Floats:
    """Return the standard deviation of a residual's sum: what scatters, and what meters miscount [kWh]."""
    deviation: Floats = np.sqrt(hours * scatter_kwh**2 + (rules.metering * supplied_kwh) ** 2)
    return deviation
