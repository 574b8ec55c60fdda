"""Calendar months of UTC, as numbers."""

import numpy as np

from schemas.layout import Ints


def months_of(time_us: Ints) -> Ints:
    """Return the months that some instants lie in.

    Args:
        time_us: int64[n], instants [us since 1970-01-01 UTC].

    Returns: int64[k], months since 1970-01, rising, each once.
    """
    if not len(time_us):
        return np.empty(0, dtype=np.int64)
    ends = _months(np.array([time_us.min(), time_us.max()]))
    # Nearly always one month: then nothing needs to be sorted.
    return ends[:1] if ends[0] == ends[1] else np.unique(_months(time_us))


def start_of(months: Ints) -> Ints:
    """Return when months begin.

    Args:
        months: int64[k], months since 1970-01.

    Returns: int64[k], instants [us since 1970-01-01 UTC].
    """
    return months.astype("datetime64[M]").astype("datetime64[us]").astype(np.int64)


def _months(time_us: Ints) -> Ints:
    return time_us.astype("datetime64[us]").astype("datetime64[M]").astype(np.int64)
