"""How rare a value is for its own meter: the upper tail of each signal, learned as it goes."""

import numpy as np
import numpy.typing as npt

from schemas.layout import Floats

Tails = npt.NDArray[np.float32]

#: Share of readings beyond a tail's threshold.
BEYOND = 0.02
#: How far one reading moves the threshold, in mean excesses, and the mean excess itself: in the long run ...
_STEP, _WEIGHT = 0.05, 0.02
#: ... and in the first days, when every reading is news.
_FIRST_STEP, _FIRST_WEIGHT = 0.3, 0.2
#: What is very rare teaches this much less: an anomaly is no habit yet.
_RARE_SHARE, _RARE_TEACHES = 1e-3, 0.1
#: An excess teaches no more than this many mean excesses.
_MOST_EXCESSES = 8.0


def rarity(values: Floats, threshold: Tails, excess: Tails, shape: Tails) -> Floats:
    """Return which share of a meter's readings is as high, float64[k, s], 0 to 1; 1 where a value is not known.

    The excess over a high threshold follows a generalised Pareto distribution (Pickands, 1975).

    Args:
        values: float64[k, s], signals of at most one reading per meter, NaN where absent.
        threshold: float32[k, s], what BEYOND of the meter's readings exceed.
        excess: float32[k, s], by how much they do, in the mean.
        shape: float32[s], above 0: how heavy the tails are; towards 0 they are exponential.
    """
    beyond = (values - threshold) / excess
    found: Floats = np.ones_like(beyond)
    # A power costs as much as all the rest, and few values lie beyond their thresholds.
    at = np.nonzero(beyond > 0)
    found[at] = BEYOND * (1.0 + shape[at[1]] * beyond[at]) ** (-1.0 / shape[at[1]])
    return found


def follow(
    values: Floats, share: Floats, threshold: Tails, excess: Tails, least: tuple[Tails, Tails], days: Floats
) -> tuple[Tails, Tails]:
    """Return threshold and mean excess after one more reading.

    The threshold is a stochastic approximation of a quantile (Robbins and Monro, 1951), the mean excess a mean that
    forgets; together they are the peaks-over-threshold method of Siffer et al. (2017) without its memory of peaks.

    Args:
        values: float64[k, s], signals of at most one reading per meter, NaN where absent.
        share: float64[k, s], how rare they are.
        threshold: float32[k, s].
        excess: float32[k, s].
        least: float32[s] each: neither falls below.
        days: float64[k], how much of each meter's past is known [d].
    """
    first = 1.0 / (1.0 + days)
    step, weight = np.maximum(_STEP, _FIRST_STEP * first), np.maximum(_WEIGHT, _FIRST_WEIGHT * first)
    by_step = step[:, None] * excess
    moved = threshold + by_step * np.where(np.isnan(values), 0.0, -BEYOND)
    grown = excess.astype(np.float64)
    # Few values lie beyond their thresholds: only they teach how far.
    at = np.nonzero(values > threshold)
    teaches = np.where(share[at] < _RARE_SHARE, _RARE_TEACHES, 1.0)
    by = np.minimum(values[at] - threshold[at], _MOST_EXCESSES * excess[at])
    moved[at] = threshold[at] + by_step[at] * teaches * (1.0 - BEYOND)
    grown[at] += weight[at[0]] * teaches * (by - grown[at])
    return np.maximum(moved, least[0]).astype(np.float32), np.maximum(grown, least[1]).astype(np.float32)
