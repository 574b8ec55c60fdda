"""Which meters report how often."""

from dataclasses import dataclass

import numpy as np

from simulators.day import Columns
from simulators.fleet import Fleet
from simulators.randomness import draw, fraction, lane, salt
from simulators.span import check_interval

_COHORT = salt("interval")
#: Minutes between readings and share of meters, for a fleet of mixed devices.
MIXED = ((5, 0.10), (15, 0.70), (30, 0.20))


@dataclass(frozen=True)
class Cohort:
    """Meters that report equally often.

    Attributes:
        minutes: between readings.
        meters: int[n], rising, positions in the grid.
    """

    minutes: int
    meters: Columns


def cohorts(fleet: Fleet, interval_s: int | None) -> tuple[Cohort, ...]:
    """Cut a fleet's meters into those that report equally often.

    Args:
        fleet: whose meters.
        interval_s: of all of them [s]; None for a mixture of 5, 15 and 30 minutes.

    Raises:
        ValueError: an interval that does not divide a day into whole minutes.
    """
    meters = np.arange(fleet.meters.start, fleet.meters.stop)
    if interval_s is not None:
        return (Cohort(check_interval(interval_s), meters),)
    part = fraction(lane(draw(fleet.grid.keys[meters], _COHORT, 0), 0))
    number = np.digitize(part, np.cumsum([share for _, share in MIXED])[:-1])
    found = (Cohort(minutes, meters[number == which]) for which, (minutes, _) in enumerate(MIXED))
    return tuple(cohort for cohort in found if len(cohort.meters))


def longest_interval_s(interval_s: int | None) -> int:
    """Return the longest time between two readings of a meter [s]."""
    return max(minutes for minutes, _ in MIXED) * 60 if interval_s is None else interval_s
