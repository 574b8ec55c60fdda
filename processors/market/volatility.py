"""Volatility of price changes: realised per stretch of time, and exponentially weighted tick by tick.

Both work on differences in currency per unit, not on relative ones: prices cross zero.
"""

import numpy as np

from processors.rounds import rounds
from schemas.layout import Floats, Ints, Mask, Positions

#: Weight of the past per step: J.P. Morgan/Reuters, "RiskMetrics - Technical Document", 4th ed. (1996), daily data.
DECAY = 0.94


def realised(change: Floats, stretch: Ints) -> tuple[Ints, Floats]:
    """Return the realised volatility of each stretch: the root of the sum of squared changes.

    Source: Andersen, Bollerslev, Diebold, Labys, "Modeling and forecasting realized volatility", Econometrica 71
    (2003) 579-625.

    Args:
        change: float64[n], price changes [currency/unit]; NaN counts as none.
        stretch: int64[n], number of the stretch that each change falls in.

    Returns: int64[k] stretches in ascending order, float64[k] their volatility [currency/unit].
    """
    found, position = np.unique(stretch, return_inverse=True)
    squares = np.bincount(position, weights=np.nan_to_num(change) ** 2, minlength=len(found))
    return found, np.sqrt(squares)


def ewma(row: Positions, price: Floats, last_price: Floats, variance: Floats, decay: float = DECAY) -> Floats:
    """Follow the exponentially weighted variance of price changes, one series per row of the state.

    v = decay * v + (1 - decay) * change^2, begun with the first change. The result does not depend on where a stream
    was cut into batches.

    Args:
        row: intp[n], row of each tick's series, in the order of time.
        price: float64[n] [currency/unit]; NaN is passed over.
        last_price: float64[k], last price of each series, NaN before any; changed in place.
        variance: float64[k], variance so far [(currency/unit)^2], NaN before the first change; changed in place.
        decay: weight of the past per tick, 0 to 1.

    Returns: float64[n], volatility before each tick [currency/unit], what it is to be judged by; NaN while unknown.
    """
    before = np.full(len(price), np.nan)
    for turn in rounds(row):
        before[turn] = np.sqrt(variance[row[turn]])
        at = turn[~np.isnan(price[turn])]
        which, change = row[at], price[at] - last_price[row[at]]
        square = change * change
        known: Mask = ~np.isnan(variance[which])
        follow = np.where(known, decay * variance[which] + (1 - decay) * square, square)
        variance[which] = np.where(np.isnan(change), variance[which], follow)
        last_price[which] = price[at]
    return before
