"""Prices beyond what their market allows: do they look like another unit or currency?

What is beyond the limits is rejected in any case. That it is hundreds or thousands of times what is usual for its
series says more: a feed that has begun to say cents, or a price per kWh, is wrong by a power of ten from 100 to
100,000, while what limits of another year would allow is mostly of a usual size.
"""

import numpy as np

from processors.market.series import SeriesState
from processors.market.slips import power_of_ten
from schemas.layout import Floats, Mask, Positions


def in_other_unit(beyond: Mask, row: Positions, price: Floats, judged: Mask, usual: Floats, state: SeriesState) -> Mask:
    """Say of which prices beyond the limits a power of ten is the nearest to how often they are the usual size.

    The usual size is that of when the tick came: it changes only with ticks that were judged, so it is what the next
    one of these was judged by, or what the state has now. So nothing depends on where the stream was cut.

    Args:
        beyond: bool[n], ticks beyond the limits of their market, in the order of their partition.
        row: intp[n], state row of each tick's series; -1 for one never seen.
        price: float64[n] [currency/unit], NaN where there is none.
        judged: bool[n], ticks that the state has learned from; none of them beyond the limits.
        usual: float64[n], usual size of the series' price before each of these [currency/unit], NaN while unknown.
        state: the partition's state, as after these ticks; not changed.

    Returns: bool[n], false where a tick is not beyond the limits.
    """
    found = np.zeros(len(row), dtype=bool)
    at = np.flatnonzero(row >= 0)
    at = at[np.argsort(row[at], kind="stable")]
    # Of each tick, the next one of all that was judged; it says something where it is of the same series.
    following = np.where(judged[at], np.arange(len(at)), len(at))
    following = np.minimum.accumulate(following[::-1])[::-1]
    after = at[np.minimum(following, len(at) - 1)]
    same = (following < len(at)) & (row[after] == row[at])
    now = np.where(state.changes[row[at]] > 0, state.level[row[at]], np.nan)
    power, _ = power_of_ten(np.abs(price[at]), np.where(same, usual[after], now))
    found[at] = beyond[at] & (power > 0)
    return found
