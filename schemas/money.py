"""Money as whole micro-units: sums of it are exact and do not depend on their order."""

import numpy as np

from schemas.layout import Floats, Ints

#: Micro-units of a currency's main unit. 64 bits hold 9.2e12 units: no price, and no bill of a grid, comes near.
MICROS = 1_000_000


def to_micros(amounts: Floats) -> Ints:
    """Return amounts of money, or prices, as whole micro-units.

    Args:
        amounts: float64[n] [currency, or currency per unit]; up to six decimals of 15 digits survive unchanged.

    Returns: int64[n] [1e-6 of the same], halves to even.

    Raises:
        ValueError: an amount that is not finite or does not fit; nulls have to be left out before.
    """
    scaled = np.rint(amounts * MICROS)
    if not (np.abs(scaled) < 2.0**63).all():
        raise ValueError("an amount of money is null, infinite, or above 9.2e12")
    micros: Ints = scaled.astype(np.int64)
    return micros


def from_micros(micros: Ints) -> Floats:
    """Return whole micro-units as float64[n] of the main unit: the nearest number there is."""
    amounts: Floats = micros / MICROS
    return amounts
