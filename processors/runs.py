"""How long the runs of a meter usually are, and whether they have become longer.

A run is a stretch above the meter's average. Those of a machine with a programme (a compressor, a heater) are much
alike, and a machine that fails needs longer for the same: each run by little, which is no news by itself, but all of
them. A one-sided cumulative sum (Page, "Continuous inspection schemes", Biometrika 1954) of how far the logarithms of
run lengths are from the usual one finds that. How long it takes to reach a height where nothing is wrong is known
(Siegmund, "Sequential Analysis", 1985, 2.5), so that it needs no tail of its own; one that is learned would follow a
sum as it rises. The runs of a household, which differ by more than half, say nothing.
"""

import math

import numpy as np

from processors.compiled import part
from processors.learned import Learned

#: Mean absolute deviation to standard deviation of a normal distribution: sqrt(pi / 2).
_SIGMA_PER_SPREAD = 1.2533
#: Runs that are looked at before any is judged, and those that the usual one is the mean of.
_FIRST, _MEMORY = 20, 500
#: What is below half of the shift that is looked for adds nothing; a run adds no more than this [sigma] ...
_ALLOWANCE, _MOST_Z = 0.25, 1.5
#: ... and teaches no more than this; the first ones teach what they are.
_TEACHES_Z, _UNBOUNDED = 2.25, 10
#: From here on a shift is likely, and the usual run follows by a tenth: a fault is no habit yet. No sum is higher than
#: the latter, so that it comes down as soon when all is well again.
_LIKELY, _SHIFTED_TEACHES, _HIGHEST = 8.0, 0.1, 27.0
#: What rounding to whole intervals does to a length [standard deviations of an interval]: sqrt(1 / 12).
_ROUNDING = 0.3
#: Runs this much alike are a machine's [standard deviations of the logarithm]: of a household they differ more (0.7 and
#: more). They last so many intervals, since shorter ones are not known well enough, and no longer than this: how long
#: what runs once a day does is a matter of seasons [s].
_ALIKE, _LEAST_INTERVALS, _LONGEST_S = 0.5, 4.0, 4 * 3_600.0
#: By how much a sum in steps overshoots a height, on both sides: what Siegmund's approximation adds.
_OVERSHOOT = 1.166


@part
def longer(learned: Learned, row: int, run_s: float, interval_s: float) -> float:  # pragma: no cover - runs compiled
    """Return how high the sum of longer runs stands after a run, and learn from it.

    Args:
        learned: of the partition's meters; changed in place.
        row: of the meter.
        run_s: how long the run was that has just ended [s].
        interval_s: the meter's usual interval [s].

    Returns: the sum [standard deviations], 0 for a run that was no longer than usual; NaN where runs say nothing.
    """
    seen, usual = int(learned.run_count[row]), float(learned.run_log[row])
    length = math.log(run_s)
    if seen == 0:
        usual = length
    rounding = _ROUNDING * interval_s * math.exp(-usual)
    sigma = max(_SIGMA_PER_SPREAD * float(learned.run_spread[row]), rounding)
    z = (length - usual) / sigma
    alike = sigma < _ALIKE and _LEAST_INTERVALS * interval_s <= math.exp(usual) <= _LONGEST_S
    total = 0.0
    if seen >= _FIRST and alike:
        total = learned.run_sum[row] + min(max(z, -_MOST_Z), _MOST_Z) - _ALLOWANCE
        total = min(max(total, 0.0), _HIGHEST)
    learned.run_sum[row] = total
    if total == 0.0:
        learned.run_told[row] = 0
    weight = max(1.0 / (seen + 1), 1.0 / _MEMORY) * (_SHIFTED_TEACHES if total > _LIKELY else 1.0)
    off = length - usual
    if seen >= _UNBOUNDED:
        off = min(max(off, -_TEACHES_Z * sigma), _TEACHES_Z * sigma)
    learned.run_log[row] = usual + weight * off
    learned.run_spread[row] += weight * (abs(off) - learned.run_spread[row])
    learned.run_count[row] = min(seen + 1, _MEMORY)
    if seen < _FIRST or not alike:
        return np.nan
    return total if z > 0.0 else 0.0


@part
def rarity_of_sum(height: float, readings: float) -> float:  # pragma: no cover
    """Return at which share of a meter's readings the sum is as high where nothing is wrong.

    The mean number of runs between two times that a sum of independent standard normal steps gets so high is
    (exp(d) - 1 - d) / (2 k^2), with d = 2 k (height + 1.166) and the allowance k.

    Args:
        height: of the sum, above 0 [standard deviations].
        readings: of a run and the pause that follows, at least.
    """
    exponent = 2.0 * _ALLOWANCE * (height + _OVERSHOOT)
    between = (math.exp(exponent) - 1.0 - exponent) / (2.0 * _ALLOWANCE * _ALLOWANCE)
    return min(1.0 / (between * readings), 1.0)
