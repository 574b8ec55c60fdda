"""The order of rows by group and time, by one sort of one number where both fit into it."""

import numpy as np

from schemas.layout import Ints, Positions


def by_group_and_time(group: Ints, time_us: Ints) -> Positions:
    """Return the positions of rows in the order of group, then time.

    Sorting one whole number takes a fifth of the time of sorting two columns one after the other.

    Args:
        group: int64[n].
        time_us: int64[n] [us].

    Returns: intp[n]; rows of equal group and time come in any order.
    """
    if len(group) == 0:
        return np.empty(0, dtype=np.intp)
    low, span = int(time_us.min()), int(time_us.max()) - int(time_us.min()) + 1
    first, groups = int(group.min()), int(group.max()) - int(group.min()) + 1
    if span * groups < 2**62:
        return np.argsort((group - first) * span + (time_us - low))
    return np.lexsort((time_us, group))
