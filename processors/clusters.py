"""How far a meter's own outliers reach: scores are stretched until what it does again and again holds to the budget.

Tails say how rare one reading is. Unusual readings come in clusters, though, and what a household does in one evening,
or an empty flat in one week, is one event, not fifty. So the highest reading of each cluster is what counts (runs
declustering; Coles, "An Introduction to Statistical Modeling of Extreme Values", 2001, 5.3.2): on the scale of the
decimal logarithm of days these maxima exceed any level by 1 / ln 10 in the mean if the tails are right. Where a
meter's reach further, its scale is longer by as much, signal by signal: those of what customers do, since a transformer
that overheats every week has a fault, not a habit.
"""

import numpy as np

from processors.signals import OF_USE
from processors.state import MeterState
from schemas.layout import Floats, Mask, Positions

#: Mean excess of maxima that are as rare as they are said to be [decades].
EXPECTED_REACH = 1.0 / np.log(10.0)
#: What one cluster teaches, and the most that it may teach [decades]: a fault is one cluster, however long it lasts.
_WEIGHT, _MOST_DECADES = 0.1, 3.0
#: A cluster is over after so many readings that are none of it, as what an alert tells is (`processors.judge`): what
#: begins anew is an alert of its own, so it has to teach as one.
QUIET_READINGS = 4
_HABITS = np.flatnonzero(OF_USE)
_DAY_S = 86_400.0
_LEAST_SHARE = 1e-12


def stretch(state: MeterState, row: Positions, rare: Floats, known: Mask, interval_s: Floats) -> Floats:
    """Return how rare each signal is in the light of the meter's earlier clusters, and learn from those that end.

    Args:
        state: the partition's state; changed in place.
        row: intp[k], rows of the meters.
        rare: float64[k, s], share of readings that are as high, by signal, 1 where nothing is unusual.
        known: bool[k, s], signals that a reading has.
        interval_s: float64[k], the meters' usual interval [s].

    Returns: float64[k, s], shares; none is smaller than it was.
    """
    # Once a day, of all signals together (Bonferroni), is where clusters begin.
    daily = (interval_s / _DAY_S / np.maximum(known.sum(axis=1), 1))[:, None]
    decades = np.where(OF_USE, np.log10(daily / np.maximum(rare, _LEAST_SHARE)), 0.0)
    reach = np.full(rare.shape, EXPECTED_REACH)
    reach[:, _HABITS] = state.cluster_reach[row]
    _follow(state, row, decades, reach)
    stretched: Floats = daily * 10.0 ** (-decades * (EXPECTED_REACH / reach))
    return np.where(decades > 0.0, stretched, rare)


def _follow(state: MeterState, row: Positions, decades: Floats, reach: Floats) -> None:
    """Keep the peak of the cluster that is going on; let the one that ends teach its signal."""
    signal = decades.argmax(axis=1)
    height = decades[np.arange(len(row)), signal]
    peak, of = state.cluster_peak[row].astype(np.float64), state.cluster_signal[row].astype(np.intp)
    quiet = np.where(height > 0.0, 0, np.minimum(state.cluster_quiet[row] + 1, QUIET_READINGS))
    over = (quiet == QUIET_READINGS) & (peak > 0.0)
    at, ended = np.flatnonzero(over), of[over]
    excess = np.minimum(peak[over], _MOST_DECADES)
    reach = reach.copy()
    reach[at, ended] += _WEIGHT * (excess - reach[at, ended])
    state.cluster_reach[row] = np.maximum(reach, EXPECTED_REACH)[:, _HABITS]
    higher = height > peak
    state.cluster_signal[row] = np.where(higher, signal, of)
    state.cluster_peak[row] = np.where(over, 0.0, np.maximum(np.where(higher, height, peak), 0.0))
    state.cluster_quiet[row] = quiet
