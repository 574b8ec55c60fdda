"""Who explains energy that is missing: the customer whose profile it follows, or one who stands elsewhere.

A bypass lets a fixed share of a customer's energy past the meter, so what is missing follows what the meter still
counts. A customer whom the registry has at the wrong transformer is missing at the one, hour by hour as much as the
meter counts, and too much at the other.
"""

from dataclasses import dataclass

import numpy as np

from schemas.layout import Floats, Positions

#: Hours of one load go with each other: so many say as much as one that is independent.
_HOURS_PER_FACT = 3.0


@dataclass(frozen=True)
class Explanation:
    """What explains missing energy best.

    Attributes:
        customer: position, None where no one customer explains it better than all together.
        confidence: its share of the likelihood of all that was tried.
        factor: energy that is missing over energy that the customer's meter counts.
    """

    customer: int | None
    confidence: float
    factor: float


@dataclass(frozen=True)
class Displaced:
    """A customer whom the registry has at a transformer that does not feed him.

    Attributes:
        customer: position among all customers.
        named: transformer of the registry, by position.
        feeds: the transformer that does, as far as it has a meter of its own; None where none of them does.
        confidence: 0 to 1.
        deviations: by how many standard errors the customer's profile is missing from what flows into `named`.
    """

    customer: int
    named: int
    feeds: int | None
    confidence: float
    deviations: float


@dataclass(frozen=True)
class DisplacedRules:
    """When a customer stands elsewhere.

    Attributes:
        hours: of complete hours at least.
        within: how far from 1 the factor of the profile may be.
        deviations: standard errors that the profile stands out by.
        confidence: at least.
        most: customers that are looked for at one transformer.
    """

    hours: int = 48
    within: float = 0.35
    deviations: float = 8.0
    confidence: float = 0.5
    most: int = 5


def explain(missing_kwh: Floats, counted_kwh: Floats, supplied_kwh: Floats, scatter_kwh: float) -> Explanation:
    """Compare what each customer could explain, by least squares with a factor of its own that is not negative.

    Args:
        missing_kwh: float64[h], hour by hour [kWh].
        counted_kwh: float64[h, m], what the meters of customers count [kWh].
        supplied_kwh: float64[h], of the whole transformer: nobody in particular [kWh].
        scatter_kwh: standard deviation of a sound hour [kWh].
    """
    tried = np.concatenate([np.nan_to_num(counted_kwh), supplied_kwh[:, None]], axis=1)
    power = np.maximum((tried * tried).sum(axis=0), 1e-12)
    factor = np.maximum(missing_kwh @ tried, 0.0) / power
    left = ((missing_kwh[:, None] - factor * tried) ** 2).mean(axis=0) + scatter_kwh**2
    weight = _weights(left, len(missing_kwh))
    best = int(np.argmax(weight))
    confidence = float(weight[best])
    return Explanation(None if best == counted_kwh.shape[1] else best, confidence, float(factor[best]))


def displaced(
    left_kwh: Floats, base: Floats, counted_kwh: Floats, stands: Positions, rules: DisplacedRules
) -> list[Displaced]:
    """Find customers who stand elsewhere, the most certain of each transformer first.

    Args:
        left_kwh: float64[t, h], of `residuals`, NaN where an hour is not complete [kWh].
        base: float64[t, h, k], what the expected losses were fitted on and may have taken up part of it.
        counted_kwh: float64[h, m], what the meters of all their customers count, NaN where nothing is known [kWh].
        stands: intp[m], transformer of each, by position.
        rules: what is enough.
    """
    there = np.isfinite(counted_kwh)
    # Hours of before anything came are held against nobody.
    known = there.sum(axis=0) >= 0.5 * np.count_nonzero(there.any(axis=1))
    counted = np.nan_to_num(counted_kwh)
    left = left_kwh.copy()
    found = list[Displaced]()
    # Twice, since those who were found first have hidden others.
    for named in [*range(len(left)), *range(len(left))]:
        mine = np.flatnonzero((stands == named) & known)
        mine = mine[~np.isin(mine, [one.customer for one in found])]
        for _ in range(rules.most):
            factor, error, rest = _standing_out(left[named], base[named], counted[:, mine], rules)
            deviations = np.divide(-factor, error, out=np.zeros_like(factor), where=error > 0)
            fits = (np.abs(factor + 1) <= rules.within) & (deviations >= rules.deviations)
            weight = _weights(rest, int(np.isfinite(left[named]).sum())) * fits
            if not (weight >= rules.confidence).any():
                break
            best = int(np.argmax(weight))
            customer = int(mine[best])
            feeds, certain = _feeder_of(counted_kwh[:, customer], named, left, base, rules)
            mine = np.delete(mine, best)
            if feeds is None and not _lacking(left[named], counted[:, customer]):
                continue
            found.append(Displaced(customer, named, feeds, float(weight[best]) * certain, float(deviations[best])))
            left[named] += counted[:, customer]
            if feeds is not None:
                left[feeds] -= counted[:, customer]
    return found


def _lacking(left_kwh: Floats, profile: Floats) -> bool:
    """Whether a customer's energy is lacking, and not only its changes.

    Where a bypass begins, a profile falls as what is missing rises, which looks the same hour by hour.
    """
    rows = np.isfinite(left_kwh)
    return bool(-left_kwh[rows].sum() >= 0.5 * profile[rows].sum())


def _feeder_of(
    profile: Floats, named: int, left: Floats, base: Floats, rules: DisplacedRules
) -> tuple[int | None, float]:
    """Return the transformer in whose residual a customer's profile stands out, and how certain that makes the find."""
    best, most = None, rules.deviations / 2
    for other in range(len(left)):
        if other == named:
            continue
        here = np.where(np.isfinite(profile), left[other], np.nan)
        factor, error, _ = _standing_out(here, base[other], np.nan_to_num(profile)[:, None], rules)
        if len(factor) and error[0] > 0 and abs(factor[0] - 1) <= rules.within and factor[0] / error[0] > most:
            best, most = other, float(factor[0] / error[0])
    return best, 0.9 if best is None else 1.0


def _standing_out(
    left_kwh: Floats, base: Floats, tried: Floats, rules: DisplacedRules
) -> tuple[Floats, Floats, Floats]:
    """Regress a residual on each profile beside what losses were fitted on.

    Returns: float64[m] each: factor, its standard error, mean square of what is left. None where there is too little.
    """
    rows = np.isfinite(left_kwh)
    if np.count_nonzero(rows) < rules.hours or not tried.shape[1]:
        return (np.empty(0),) * 3
    orthogonal, _ = np.linalg.qr(base[rows])
    own = left_kwh[rows] - orthogonal @ (orthogonal.T @ left_kwh[rows])
    profile = tried[rows] - orthogonal @ (orthogonal.T @ tried[rows])
    power = (profile * profile).sum(axis=0)
    flat = power < 1e-6 * np.count_nonzero(rows)
    factor = np.where(flat, 0.0, own @ profile / np.where(flat, 1.0, power))
    rest = ((own[:, None] - factor * profile) ** 2).mean(axis=0)
    error = np.where(flat, np.inf, np.sqrt(rest / np.where(flat, 1.0, power) * _HOURS_PER_FACT))
    return factor, error, rest


def _weights(left: Floats, hours: int) -> Floats:
    """Return the share of each in the likelihood of all, of normal errors of unknown size, float64[m]."""
    if not len(left):
        return left
    log = -0.5 * hours / _HOURS_PER_FACT * np.log(np.maximum(left, 1e-12))
    weight = np.exp(log - log.max())
    shares: Floats = weight / weight.sum()
    return shares
