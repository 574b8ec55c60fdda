"""Voltage along the grid from its loading, and currents that fit it."""

from dataclasses import dataclass

import numpy as np

from schemas.layout import Floats, Ints
from simulators.grid import Grid
from simulators.randomness import keys, salt, smooth

NOMINAL_V = 230.0

#: Per unit of nominal voltage. The busbar of the substation is held a little high so that the last customer stays
#: within EN 50160; a distribution transformer of 4 % short-circuit voltage drops about half of that at full load and
#: cos phi 0.95; line drops at full load are what planners allow (about 1.5 % medium and 3 % low voltage).
_BUSBAR = 1.022
_BUSBAR_WANDER = 0.004
_FEEDER_DROP = 0.015
_TRANSFORMER_DROP = 0.020
_LINE_DROP = 0.030
#: A feeder cable carries about this share of the ratings of its transformers at once.
_FEEDER_UTILISATION = 0.7
#: Sum of loads [kVA] from real power; the mix of customers runs at about this power factor.
MIX_POWER_FACTOR = 0.95
_WANDER = salt("busbar")


@dataclass(frozen=True)
class Drops:
    """Voltage by half hour and transformer, per unit of nominal.

    Attributes:
        terminals: float64[h, t], at the low-voltage side of the transformer.
        line: float64[h, t], how much is lost from there to the far end of the line.
        first: number of the transformer in column 0.
    """

    terminals: Floats
    line: Floats
    first: int

    def at(self, half_hours: Ints) -> "Drops":
        """Return those of some half hours."""
        return Drops(self.terminals[half_hours], self.line[half_hours], self.first)


def drops(grid: Grid, transformers: slice, feeders: slice, load_w: Ints, day: int) -> Drops:
    """Work out the voltages of a UTC day.

    Args:
        grid: what hangs where.
        transformers: which, all those of the feeders.
        feeders: which.
        load_w: int64[48, t], mean load of each transformer, negative when it feeds in [W].
        day: since the epoch.
    """
    kva = grid.transformer_kva[transformers]
    feeder = grid.transformer_feeder[transformers] - feeders.start
    first = grid.feeder_start[feeders] - transformers.start
    loading = load_w / (1000 * MIX_POWER_FACTOR) / kva
    feeder_kva = np.add.reduceat(kva, first) * _FEEDER_UTILISATION
    feeder_loading = np.add.reduceat(load_w, first, axis=1) / (1000 * MIX_POWER_FACTOR) / feeder_kva
    entity = keys(grid.seed, "substation", grid.feeder_substation[feeders])
    moments = (day * 48 + np.arange(48)) / 3.0
    busbar = _BUSBAR + _BUSBAR_WANDER * smooth(entity, _WANDER, moments)
    # Load tapped off evenly: the drop grows along the feeder as x (2 - x).
    along = grid.transformer_position[transformers] * (2 - grid.transformer_position[transformers])
    terminals = (busbar - _FEEDER_DROP * feeder_loading)[:, feeder]
    terminals += _FEEDER_DROP * feeder_loading[:, feeder] * (1 - along) - _TRANSFORMER_DROP * loading
    return Drops(terminals, _LINE_DROP * loading, transformers.start)
