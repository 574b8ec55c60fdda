"""How rare a value is for its own meter: the upper tail of each signal, learned as it goes."""

import numpy as np

from processors.compiled import part

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


@part
def rarity(value: float, threshold: float, excess: float, shape: float) -> float:  # pragma: no cover - runs compiled
    """Return which share of a meter's readings is as high, 0 to 1; 1 where the value is not known.

    The excess over a high threshold follows a generalised Pareto distribution (Pickands, 1975).

    Args:
        value: of a signal, NaN where absent.
        threshold: what BEYOND of the meter's readings exceed.
        excess: by how much they do, in the mean.
        shape: above 0: how heavy the tail is; towards 0 it is exponential.
    """
    beyond = (value - threshold) / excess
    # NaN is not above 0, and few values are: a power costs as much as all the rest.
    return BEYOND * (1.0 + shape * beyond) ** (-1.0 / shape) if beyond > 0 else 1.0


@part
def pace(days: float) -> tuple[float, float]:  # pragma: no cover
    """Return how far one reading moves a threshold [mean excesses], and the mean excess, by the days that are known."""
    first = 1.0 / (1.0 + days)
    return max(_STEP, _FIRST_STEP * first), max(_WEIGHT, _FIRST_WEIGHT * first)


@part
def follow(
    value: float, share: float, threshold: float, excess: float, step: float, weight: float
) -> tuple[float, float]:  # pragma: no cover
    """Return threshold and mean excess after one more reading.

    The threshold is a stochastic approximation of a quantile (Robbins and Monro, 1951), the mean excess a mean that
    forgets; together they are the peaks-over-threshold method of Siffer et al. (2017) without its memory of peaks.

    Args:
        value: of a signal, NaN where absent.
        share: how rare it is.
        threshold: as it was.
        excess: as it was.
        step: of the threshold; see `pace`.
        weight: of the mean excess.
    """
    if np.isnan(value):
        return threshold, excess
    if not value > threshold:
        return threshold - step * excess * BEYOND, excess
    teaches = _RARE_TEACHES if share < _RARE_SHARE else 1.0
    by = min(value - threshold, _MOST_EXCESSES * excess)
    return threshold + step * excess * teaches * (1.0 - BEYOND), excess + weight * teaches * (by - excess)
