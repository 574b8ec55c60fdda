"""How far a meter's own outliers reach: scores are stretched until what it does again and again holds to the budget.

Tails say how rare one reading is. Unusual readings come in clusters, though, and what a household does in one evening,
or an empty flat in one week, is one event, not fifty. So the highest reading of each cluster is what counts (runs
declustering; Coles, "An Introduction to Statistical Modeling of Extreme Values", 2001, 5.3.2): on the scale of the
decimal logarithm of days these maxima exceed any level by 1 / ln 10 in the mean if the tails are right. Where a
meter's reach further, its scale is longer by as much, signal by signal: those of what customers do, since a transformer
that overheats every week has a fault, not a habit.
"""

import math

import numpy as np

from processors.compiled import part
from processors.halves import VALUE, half_of
from processors.learned import Learned
from processors.signals import OF_USE
from schemas.layout import Floats

#: Mean excess of maxima that are as rare as they are said to be [decades].
EXPECTED_REACH = 1.0 / math.log(10.0)
#: What one cluster teaches, and the most that it may teach [decades]: a fault is one cluster, however long it lasts.
_WEIGHT, _MOST_DECADES = 0.1, 3.0
#: A cluster is over after so many readings that are none of it, as what an alert tells is (`processors.judge`): what
#: begins anew is an alert of its own, so it has to teach as one.
QUIET_READINGS = 4
#: Where a signal of use has its reach.
_PLACE = np.cumsum(OF_USE) - 1
_DAY_S = 86_400.0
_LEAST_SHARE = 1e-12


@part
def stretch(
    learned: Learned, row: int, rare: Floats, decades: Floats, known: int, interval_s: float
) -> None:  # pragma: no cover - runs compiled
    """Make the shares of a reading less rare in the light of the meter's earlier clusters; learn from those that end.

    Args:
        learned: of the partition's meters; changed in place.
        row: of the meter.
        rare: float64[s], share of readings that are as high, by signal, 1 where nothing is unusual; changed in place.
        decades: float64[s], room to work in.
        known: signals that the reading has.
        interval_s: the meter's usual interval [s].
    """
    # Once a day, of all signals together (Bonferroni), is where clusters begin.
    daily, highest = interval_s / _DAY_S / max(known, 1), 0
    for signal in range(len(rare)):
        decades[signal] = math.log10(daily / max(rare[signal], _LEAST_SHARE)) if OF_USE[signal] else 0.0
        if decades[signal] > decades[highest]:
            highest = signal
    for signal in range(len(rare)):
        if decades[signal] > 0.0:
            reach = VALUE[learned.cluster_reach[row, _PLACE[signal]]]
            rare[signal] = daily * 10.0 ** (-decades[signal] * (EXPECTED_REACH / reach))
    _follow(learned, row, highest, decades[highest])


@part
def _follow(learned: Learned, row: int, signal: int, height: float) -> None:  # pragma: no cover
    """Keep the peak of the cluster that is going on; let the one that ends teach its signal."""
    peak, of = float(learned.cluster_peak[row]), learned.cluster_signal[row]
    quiet = 0 if height > 0.0 else min(learned.cluster_quiet[row] + 1, QUIET_READINGS)
    if height > peak:
        learned.cluster_signal[row], learned.cluster_peak[row] = signal, height
    if quiet == QUIET_READINGS and peak > 0.0:
        reach = VALUE[learned.cluster_reach[row, _PLACE[of]]]
        reach += _WEIGHT * (min(peak, _MOST_DECADES) - reach)
        learned.cluster_reach[row, _PLACE[of]] = half_of(max(reach, EXPECTED_REACH))
        learned.cluster_peak[row] = 0.0
    learned.cluster_quiet[row] = quiet
