"""Order within a meter: a batch split so that per-meter recursions run on whole columns."""

import numpy as np
import numpy.typing as npt

from schemas.layout import Ints, Mask, Positions


def rounds(meter_row: npt.NDArray[np.intp]) -> list[Positions]:
    """Split a batch into rounds: the k-th round holds the k-th reading of every meter that has one.

    What depends on a meter's previous reading is then computed for a whole round at once, and the result does
    not depend on where a stream was cut into batches.

    Args:
        meter_row: intp[n], state row of each reading's meter.

    Returns: positions into the batch, each exactly once; no meter twice in a round.
    """
    if len(meter_row) == 0:
        return []
    order = np.argsort(meter_row, kind="stable")
    ordered = meter_row[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    rank = np.arange(len(ordered)) - np.repeat(starts, np.diff(np.r_[starts, len(ordered)]))
    by_rank = np.argsort(rank, kind="stable")
    return np.split(order[by_rank], np.cumsum(np.bincount(rank))[:-1])


def repeats(*identity: Ints) -> Mask:
    """Say which rows repeat an earlier one of the same batch.

    Args:
        identity: int64[n] each, what names a row, such as meter and time.

    Returns: bool[n], true for every occurrence but the first.
    """
    repeated = np.zeros(len(identity[0]), dtype=bool)
    order = np.lexsort(identity[::-1])  # stable: the first occurrence leads its group
    same = np.ones(max(len(order) - 1, 0), dtype=bool)
    for column in identity:
        ordered = column[order]
        same &= ordered[1:] == ordered[:-1]
    repeated[order[1:][same]] = True
    return repeated
