"""Whole millionths: sums of them depend neither on order nor on cuts, and a difference of equals is nothing."""

import numpy as np

from schemas.layout import Floats, Ints

#: Volumes are summed as whole millionths of their unit, money as whole millionths of its currency.
PER_UNIT = 1_000_000


def millionths(values: Floats) -> Ints:
    """Return values as whole millionths; NaN counts as nothing."""
    whole: Ints = np.rint(np.nan_to_num(values, nan=0.0) * PER_UNIT).astype(np.int64)
    return whole
