"""The two sides of a book: orders that nobody means fill one of them far beyond what stands at its best price.

Each side's depth is measured by the quantity at its own best price, so that a book that grows as a whole is nothing;
the logarithm of one over the other is compared with what is usual for the series.
"""

import numpy as np

from processors.market import usual
from processors.market.series import SeriesState
from schemas.layout import Floats, Positions
from schemas.ticks import TickBatch

#: Beyond so many standard deviations a book is one-sided.
UNUSUAL_Z = 4.0
#: A book whose sides are always alike may still differ by a quarter [logarithm].
_LEAST = 0.25
#: Weight of each quote in what is usual.
_WEIGHT = 0.02
#: Quotes after which a series is known.
_SETTLED = 30


def sidedness(batch: TickBatch) -> Floats:
    """Return ln of the bid side's depth over its best quantity, less that of the ask side; NaN where not all is there.

    0 is a book whose sides are alike; positive is a bid side that is deeper than its best price explains.
    """
    names = ("bid_depth", "bid_quantity", "ask_depth", "ask_quantity")
    if any(batch.column(name).null_count == len(batch) for name in names):
        return np.full(len(batch), np.nan)
    figures = [batch.floats(name) for name in names]
    sound = np.logical_and.reduce([values > 0 for values in figures])
    found = np.full(len(batch), np.nan)
    logs = [np.log(values[sound]) for values in figures]
    found[sound] = logs[0] - logs[1] - logs[2] + logs[3]
    return found


def judge(sided: Floats, row: Positions, state: SeriesState) -> Floats:
    """Score at most one quote per series, then let it learn: exponentially weighted mean and variance.

    Args:
        sided: float64[n], as of `sidedness`, none NaN.
        row: intp[n], distinct state rows.
        state: the partition's state; changed in place.

    Returns: float64[n], 0 to 1, 0.5 at the bound; NaN while too little is known of the series.
    """
    seen, off = state.quotes[row], sided - state.sided_mean[row]
    spread = np.maximum(np.sqrt(state.sided_variance[row]), _LEAST)
    z = np.abs(off) / spread
    score = np.where(seen >= _SETTLED, z * z / (z * z + UNUSUAL_Z**2), np.nan)
    state.sided_mean[row], state.sided_variance[row] = usual.learn(
        state.sided_mean[row], state.sided_variance[row], seen, off, spread, settled=_SETTLED, weight=_WEIGHT
    )
    state.quotes[row] += 1
    return score
