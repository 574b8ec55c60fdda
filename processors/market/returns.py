"""Returns of prices that may be zero or negative, where a logarithm has no meaning.

Two measures, each where it is right:

- differences [currency/unit] for what is worth money: they add up over time, and a position of one unit gains them;
- differences of `asinh((price - centre) / scale)` for comparing markets: like a logarithm for large prices, linear
  around the centre, defined everywhere, odd, so that a spike of 17,500 does not outweigh a year. Source: Uniejewski,
  Weron, Ziel, "Variance stabilizing transformations for electricity spot price forecasting", IEEE Transactions on
  Power Systems 33 (2018) 2219-2229, with their median and median absolute deviation (0.6745 of a standard deviation).
"""

import numpy as np

from schemas.layout import Floats, Ints

#: Median absolute deviation of a standard normal distribution.
_MAD_OF_NORMAL = 0.6745


def differences(series: Ints, price: Floats) -> Floats:
    """Return each price less the one before of its series [currency/unit]; NaN for the first of a series.

    Args:
        series: int64[n], equal values stand together, in the order of time.
        price: float64[n] [currency/unit].
    """
    found = np.full(len(price), np.nan)
    same = np.diff(series) == 0
    found[1:][same] = np.diff(price)[same]
    return found


def scale_of(price: Floats) -> tuple[float, float]:
    """Return centre and scale of prices: their median, and their median absolute deviation over 0.6745.

    A market whose price hardly ever moves has a scale of 1, so that asinh stays defined.
    """
    known = price[~np.isnan(price)]
    if not len(known):
        return 0.0, 1.0
    centre = float(np.median(known))
    spread = float(np.median(np.abs(known - centre))) / _MAD_OF_NORMAL
    return centre, spread or 1.0


def asinh_returns(series: Ints, price: Floats, centre: float, scale: float) -> Floats:
    """Return the differences of asinh((price - centre) / scale), without unit; NaN for the first of a series."""
    return differences(series, np.arcsinh((price - centre) / scale))
