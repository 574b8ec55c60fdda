"""What is usual of a figure of a series: an exponentially weighted mean and variance that outliers hardly move."""

import numpy as np

from schemas.layout import Floats, Ints

#: What is further off than so many deviations counts no more than that, or an outlier would soon be usual.
_PULL = 2.0


def learn(
    mean: Floats, variance: Floats, seen: Ints, off: Floats, spread: Floats, *, settled: int, weight: float
) -> tuple[Floats, Floats]:
    """Return mean and variance after one more figure of each series; the first figures are a plain mean.

    Args:
        mean: float64[n], before it.
        variance: float64[n], before it.
        seen: int64[n], figures before it.
        off: float64[n], how far it is above the mean.
        spread: float64[n], the deviation that it is measured by.
        settled: figures after which an outlier is one.
        weight: of each figure from then on.
    """
    kept = np.where(seen >= settled, np.clip(off, -_PULL * spread, _PULL * spread), off)
    share = np.maximum(weight, 1 / (seen + 1.0))
    return mean + share * kept, (1 - share) * (variance + share * kept * kept)
