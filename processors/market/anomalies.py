"""How unusual a price is, by its own volatility; a spike is an event of the market, never an error."""

import numpy as np
import numpy.typing as npt

from schemas.layout import Floats, Mask

#: Changes beyond this many volatilities are unusual. Prices have far heavier tails than a normal distribution: with
#: the 3.5 that serves for meters, one interval in fifty of the Australian market would alarm.
UNUSUAL_Z = 8.0
#: How often a series may be beyond its own bound, per tick: one whose price jumps more often has a higher bound.
_RATE = 1 / 1_000
#: By how much a bound rises with each change beyond it; between two, it falls so that the two balance at that rate.
_RISE = 0.25
_MOST_Z = 100.0


def score(
    price: Floats, last_price: Floats, volatility: Floats, floor: float | Floats, bound: float | Floats = UNUSUAL_Z
) -> Floats:
    """Return z^2 / (z^2 + bound^2) of each price change, 0 to 1, 0.5 at the bound; NaN where nothing is known.

    Args:
        price: float64[n] [currency/unit].
        last_price: float64[n], price before [currency/unit].
        volatility: float64[n], usual size of a change, before this one [currency/unit].
        floor: smallest volatility that counts [currency/unit]: a price that stood still may move by a cent.
        bound: beyond so many volatilities a change is unusual.
    """
    z = (price - last_price) / np.maximum(volatility, floor)
    squared = z * z
    return squared / (squared + np.square(bound))


def next_bound(bound: Floats, scores: Floats) -> Floats:
    """Return the bound of each series after a change that was scored by the one before; NaN changes nothing.

    Stochastic approximation of a quantile (Robbins, Monro, "A stochastic approximation method", 1951).
    """
    step = np.where(scores >= 0.5, 1 + _RISE, 1 - _RATE * _RISE)
    found: Floats = np.where(np.isnan(scores), bound, np.clip(bound * step, UNUSUAL_Z, _MOST_Z))
    return found


def unusual(scores: npt.NDArray[np.floating]) -> Mask:
    """Say which scores stand for what is at its bound or beyond."""
    return np.asarray(scores >= 0.5)
