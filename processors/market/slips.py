"""Slips of unit or currency: a price that is at a power of ten of what it was, and stays there.

A feed that begins to say cents for euros, or a price per kWh for one per MWh, moves every price by the same power of
ten and leaves their course as it was. That is one event, told once it has lasted, and not a spike with each tick.
"""

import numpy as np

from processors.market.series import SeriesState
from schemas.layout import Floats, Mask, Positions

#: Powers of ten that units and currencies differ by: cents and paise are 100, kWh 1,000, both together 100,000.
#: Ten (EUR/MWh and cents/kWh) is what a price does by itself on any windy day: only neighbours tell it.
_LEAST, _MOST = 2, 5
#: How far from a power of ten the price may be with which it begins, and those that follow it [log10]: 1.4 and 2 times.
BEGINS_WITHIN, STAYS_WITHIN = 0.15, 0.3
#: Ticks in a row at the new level after which it is told.
TOLD_AFTER = 6
#: The price before must itself be usual: from almost nothing to a little is no slip.
_USUAL_SHARE = 0.2


def power_of_ten(price: Floats, base: Floats) -> tuple[Floats, Floats]:
    """Return the power of ten between prices, and how far they are from it.

    Args:
        price: float64[n] [currency/unit].
        base: float64[n], prices before [currency/unit].

    Returns: float64[n], of the powers that units and currencies differ by, 0 where it is none of them; float64[n], how
        far from it [log10], NaN where the two have not one sign.
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        decades = np.log10(price / base)
    power = np.rint(np.nan_to_num(decades, nan=0.0, posinf=0.0, neginf=0.0))
    sized = (np.abs(power) >= _LEAST) & (np.abs(power) <= _MOST)
    return np.where(sized, power, 0.0), np.abs(decades - power)


def slipped(price: Floats, row: Positions, state: SeriesState) -> tuple[Mask, Floats]:
    """Follow at most one price per series.

    Args:
        price: float64[n] [currency/unit], none NaN.
        row: intp[n], distinct state rows.
        state: the partition's state, as before these prices; `slip_base`, `slip_power` and `slip_ticks` are changed.

    Returns: bool[n], a slip that has lasted long enough to be told; float64[n], the price before it [currency/unit].
    """
    going = state.slip_ticks[row] > 0
    base = np.where(going, state.slip_base[row], state.last_price[row])
    power, off = power_of_ten(price, base)
    begins = ~going & (power != 0) & (off <= BEGINS_WITHIN) & (np.abs(base) >= _USUAL_SHARE * state.level[row])
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        off = np.abs(np.log10(price / base) - state.slip_power[row])
    holds = begins | (going & (off <= STAYS_WITHIN))
    power = np.where(going, state.slip_power[row], power)
    state.slip_ticks[row] = np.where(holds, np.where(going, state.slip_ticks[row] + 1, 1), 0)
    state.slip_base[row] = np.where(holds, base, 0.0)
    state.slip_power[row] = np.where(holds, power, 0)
    return np.asarray(holds & (state.slip_ticks[row] == TOLD_AFTER)), base


def returns(price: Floats, row: Positions, state: SeriesState) -> Mask:
    """Say which prices end a slip that was told, and are where they were before it: no spike; before `slipped`."""
    told = state.slip_ticks[row] >= TOLD_AFTER
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.asarray(told & (np.abs(np.log10(price / state.slip_base[row])) <= STAYS_WITHIN))
