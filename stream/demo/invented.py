"""The fleet, and a day of its first meters: what takes a second to make and can be made while the servers start."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from schemas.readings import ReadingBatch
from simulators.fleet import Fleet
from simulators.grid import Grid
from stream.demo.plan import INTERVAL_S, SCOUT_STEPS, SCOUTS, Plan


@dataclass(frozen=True)
class Invented:
    """What the demo feeds from.

    Attributes:
        fleet: all meters.
        first: SCOUT_STEPS + 1 intervals of the first meters, by time, then meter.
        count: how many meters these are.
    """

    fleet: Fleet
    first: ReadingBatch
    count: int

    @classmethod
    def by(cls, meters: int, seed: int, plan: Plan) -> Self:
        """Make it."""
        grid = Grid.build(meters, seed)
        feeder = Fleet(grid, seed, (0, len(grid.feeder_start) - 1))
        whole = ReadingBatch.concat(list(feeder.readings(plan.start, SCOUT_STEPS + 1, INTERVAL_S)))
        there = len(whole) // (SCOUT_STEPS + 1)
        count = min(there, SCOUTS)
        return cls(Fleet(grid, seed), whole.where(np.arange(len(whole)) % there < count), count)
