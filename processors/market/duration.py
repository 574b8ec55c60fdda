"""Price duration: how much of the time a price was reached or exceeded."""

from dataclasses import dataclass

import numpy as np

from schemas.layout import Floats


@dataclass(frozen=True)
class DurationCurve:
    """Prices from the highest to the lowest, and how long each was reached.

    Attributes:
        price: float64[k], distinct prices, descending [currency/unit].
        hours: float64[k], time during which the price was at least this [h].
    """

    price: Floats
    hours: Floats

    def price_at(self, share: float) -> float:
        """Return the price that is reached during at least this share of the time (0 to 1)."""
        if not len(self.price):
            return float("nan")
        at = int(np.searchsorted(self.hours, share * self.hours[-1]))
        return float(self.price[min(at, len(self.price) - 1)])


def duration_curve(price: Floats, interval_s: Floats) -> DurationCurve:
    """Return the duration curve of interval prices.

    Args:
        price: float64[n] [currency/unit]; NaN is left out.
        interval_s: float64[n], length of each interval [s].
    """
    known = ~np.isnan(price)
    distinct, position = np.unique(-price[known], return_inverse=True)
    hours = np.bincount(position, weights=interval_s[known] / 3_600.0, minlength=len(distinct))
    return DurationCurve(-distinct + 0.0, np.cumsum(hours))


def hours_above(price: Floats, interval_s: Floats, level: float) -> float:
    """Return how long the price was above a level [h]."""
    return float(interval_s[price > level].sum() / 3_600.0)
