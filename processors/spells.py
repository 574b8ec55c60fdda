"""Spells: stretches in which something holds, with hysteresis, so that what wavers around a bound is one spell."""

import numpy as np

from schemas.layout import Mask, Positions


def held(mask: Mask, count: int) -> Mask:
    """Return where a mask has been true `count` times in a row up to and with each place, bool[..., n].

    Args:
        mask: bool[..., n].
        count: at least 1.
    """
    total = np.cumsum(np.concatenate([np.zeros((*mask.shape[:-1], 1), dtype=np.int64), mask], axis=-1), axis=-1)
    found = np.zeros(mask.shape, dtype=bool)
    if mask.shape[-1] >= count:
        found[..., count - 1 :] = total[..., count:] - total[..., :-count] == count
    return found


def switched(on: Mask, off: Mask) -> Mask:
    """Return whether the last of two signals was the first one, bool[..., n]; before any signal it was not.

    Args:
        on: bool[..., n].
        off: bool[..., n], counts for nothing where `on` is true as well.
    """
    places = np.arange(on.shape[-1])
    last_on = np.maximum.accumulate(np.where(on, places, -1), axis=-1)
    last_off = np.maximum.accumulate(np.where(off & ~on, places, -1), axis=-1)
    return np.asarray(last_on > last_off)


def stretches(state: Mask) -> tuple[Positions, Positions]:
    """Return first places of runs of true values, and the places after their last ones, intp[k] each.

    Args:
        state: bool[n].
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[False], state, [False]]).astype(np.int8)))
    return edges[::2], edges[1::2]
