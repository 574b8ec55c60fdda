"""Home batteries beside solar panels: what they store, and what is then drawn from and fed into the grid."""

from dataclasses import dataclass

import numpy as np

from schemas.layout import Floats, Ints
from simulators.grid import Grid
from simulators.local_time import HALF_HOURS
from simulators.randomness import draw, fraction, lane, normal, salt

_TRAITS, _MIDNIGHT = salt("battery"), salt("midnight")
_EFFICIENCY = 0.95
#: Half hours at the end of a UTC day over which the charge is led to the next day's start.
_LANDING = 12
_RESERVE = 0.06


@dataclass(frozen=True)
class Flows:
    """Energy over a day by half hour and home, float64[48, n] [Wh]; a half hour draws or feeds, never both.

    Attributes:
        drawn: from the grid.
        fed: into the grid.
        stored: float64[49, n], charge of the battery at each edge.
        capacity: float64[n], usable capacity of the battery.
    """

    drawn: Floats
    fed: Floats
    stored: Floats
    capacity: Floats


@dataclass(frozen=True)
class Storage:
    """The batteries of a grid: one beside each roof with panels.

    Args:
        grid: whose meters.
    """

    grid: Grid

    def capacity_wh(self, meters: Ints) -> Floats:
        """Return the usable capacity, float64[n] [Wh]: about what the household uses from evening to morning."""
        part = fraction(lane(draw(self.grid.keys[meters], _TRAITS, 0), 0))
        return np.clip(self.grid.daily_wh[meters] * (0.5 + 0.5 * part), 2_500.0, 20_000.0)

    def at_midnight(self, meters: Ints, day: int, sunshine: Floats) -> Floats:
        """Return the charge at the start of a UTC day, float64[n] [Wh].

        It depends on the sun of the day before alone, not on a chain of days, so that any day can be worked out first.

        Args:
            meters: int[n].
            day: since the epoch.
            sunshine: float64[n], generated on the day before over the household's mean daily use.
        """
        noise = 0.06 * normal(lane(draw(self.grid.keys[meters], _MIDNIGHT, day), 0))
        full = np.clip(_RESERVE + 0.5 * np.minimum(sunshine / 1.6, 1.0) + noise, _RESERVE, 0.9)
        charge: Floats = full * self.capacity_wh(meters)
        return charge

    def run(self, meters: Ints, load: Floats, generated: Floats, start: Floats, end: Floats) -> Flows:
        """Store what is left over and use it later: the rule that home batteries follow.

        Args:
            meters: int[n].
            load: float64[48, n], use of the household [Wh].
            generated: float64[48, n] [Wh].
            start: float64[n], charge at the start of the day [Wh].
            end: float64[n], charge that it must end with [Wh].
        """
        capacity = self.capacity_wh(meters)
        # An hour and a half from empty to full is what common inverters allow.
        most = capacity / 3.0
        stored = np.empty((HALF_HOURS + 1, len(meters)))
        stored[0] = start
        surplus = generated - load
        for step in range(HALF_HOURS):
            flow = np.clip(surplus[step], -most, most)
            change = np.where(flow > 0, flow * _EFFICIENCY, flow / _EFFICIENCY)
            low = np.minimum(stored[step], _RESERVE * capacity)
            stored[step + 1] = np.clip(stored[step] + change, low, capacity)
        ramp = np.linspace(0.0, 1.0, _LANDING + 1)[1:, None]
        stored[-_LANDING:] = np.clip(stored[-_LANDING:] + ramp * (end - stored[-1]), 0.0, capacity)
        change = np.diff(stored, axis=0)
        net = load - generated + np.where(change > 0, change / _EFFICIENCY, change * _EFFICIENCY)
        return Flows(np.maximum(net, 0.0), np.maximum(-net, 0.0), stored, capacity)
