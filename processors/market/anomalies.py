"""How unusual a price is, by its own volatility; a spike is an event of the market, never an error."""

import numpy as np
import numpy.typing as npt

from schemas.layout import Floats, Mask

#: Changes beyond this many volatilities are unusual. Prices have far heavier tails than a normal distribution: with
#: the 3.5 that serves for meters, one interval in fifty of the Australian market would alarm.
UNUSUAL_Z = 8.0


def score(price: Floats, last_price: Floats, volatility: Floats, floor: float | Floats) -> Floats:
    """Return z^2 / (z^2 + UNUSUAL_Z^2) of each price change, 0 to 1, 0.5 at the bound; NaN where nothing is known.

    Args:
        price: float64[n] [currency/unit].
        last_price: float64[n], price before [currency/unit].
        volatility: float64[n], usual size of a change, before this one [currency/unit].
        floor: smallest volatility that counts [currency/unit]: a price that stood still may move by a cent.
    """
    z = (price - last_price) / np.maximum(volatility, floor)
    squared = z * z
    return squared / (squared + UNUSUAL_Z**2)


def unusual(scores: npt.NDArray[np.floating]) -> Mask:
    """Say which scores stand for a change of UNUSUAL_Z volatilities or more."""
    return np.asarray(scores >= 0.5)
