"""Runs of readings of one meter within a sorted batch, and what a whole batch of runs is asked at once."""

from typing import Any

import numpy as np
import numpy.typing as npt

from schemas.layout import Floats, Ints, Mask, Positions

Array = npt.NDArray[Any]


class Segments:
    """Readings sorted by meter, each meter's in their order; what came before a run is given as its start.

    Args:
        key: int[n], the same for all readings of a run; runs stand together.

    Attributes:
        start: intp[m], position of each run's first reading.
        last: intp[m], position of each run's last reading.
        of: intp[n], number of the run of each reading.
    """

    def __init__(self, key: Array) -> None:
        self.start: Positions = np.flatnonzero(np.r_[True, key[1:] != key[:-1]]) if len(key) else np.empty(0, np.intp)
        self.last: Positions = np.r_[self.start[1:], len(key)] - 1 if len(key) else self.start
        self.of: Positions = np.repeat(np.arange(len(self.start)), self.last - self.start + 1)
        self._begins = self.start[self.of]

    def previous(self, values: Array, before: Array) -> Array:
        """Return the value of the reading before each, `before[m]` for a run's first."""
        found = np.empty_like(values)
        found[1:] = values[:-1]
        found[self.start] = before
        return found

    def newest(self, values: Array, where: Mask, before: Array) -> Array:
        """Return the value of the newest reading up to and with each that `where` chooses, `before[m]` without one."""
        at = np.maximum.accumulate(np.where(where, np.arange(len(values)), -1)) if len(values) else self.of
        return np.where(at >= self._begins, values[np.maximum(at, 0)], before[self.of])

    def total(self, amounts: Ints, before: Ints) -> Ints:
        """Return the running sum up to and with each reading, on top of `before[m]`."""
        # Sums of whole numbers: what earlier runs added is taken off again exactly, even past an overflow.
        running = np.cumsum(amounts)
        return running - (running - amounts)[self._begins] + before[self.of]

    def since(self, amounts: Ints, reset: Mask, before: Ints) -> tuple[Ints, Ints]:
        """Return the sum since the newest reset before each reading, int64[n], and after each run's last, int64[m].

        The amount at a reset belongs to what came before it.
        """
        running = self.total(amounts, before)
        at_reset = self.newest(running, reset, np.zeros(len(self.start), dtype=np.int64))
        earlier = self.previous(at_reset, np.zeros(len(self.start), dtype=np.int64))
        return running - earlier, (running - at_reset)[self.last]

    def lasting(self, goes_on: Mask, step_s: Ints, before_s: Ints) -> Ints:
        """Return how long a condition has lasted [s]: each reading where it goes on adds its step."""
        elapsed = np.cumsum(step_s)
        elapsed -= (elapsed - step_s)[self._begins]
        at = np.maximum.accumulate(np.where(goes_on, -1, np.arange(len(step_s)))) if len(step_s) else self.of
        broken = at >= self._begins
        return np.where(broken, elapsed - elapsed[np.maximum(at, 0)], elapsed + before_s[self.of])

    def highest_three(self, values: Floats, before: Array) -> tuple[Array, Array]:
        """Keep the three highest values of each run.

        Args:
            values: float64[n], NaN counts as nothing.
            before: float[m, 3], the three highest before each run, highest first.

        Returns: the three highest before each reading, float32[n, 3], and after each run, float32[m, 3].
        """
        n, runs = len(values), len(self.start)
        pool = np.concatenate([np.nan_to_num(values.astype(np.float32), nan=0.0), before.reshape(-1)])
        known, rank = np.unique(pool, return_inverse=True)
        # Offsets keep runs apart in one running maximum.
        offset = self.of * len(known)
        incoming, found, kept = rank[:n] + offset, np.empty((n, 3), np.float32), np.empty((runs, 3), np.float32)
        for place in range(3):
            start = rank[n + place :: 3][:runs] + np.arange(runs) * len(known)
            ahead = np.empty_like(incoming)
            ahead[1:] = incoming[:-1]
            ahead[self.start] = start
            # Every later reading of the run meets at least what the run began with.
            floor = start[self.of]
            best = np.maximum.accumulate(np.maximum(ahead, floor)) if n else ahead
            found[:, place] = known[best - offset]
            kept[:, place] = known[np.maximum(best, incoming)[self.last] - self.of[self.last] * len(known)]
            # What loses against the best so far may still be the next best.
            incoming = np.minimum(incoming, best)
        return found, kept
