"""What a meter shows of an interval: energies as drawn, electrical quantities that fit, rounded as displayed."""

from dataclasses import dataclass

import numpy as np

from schemas.layout import Floats, Ints
from simulators.customers import KINDS
from simulators.grid import ADVANCED, BASIC, Grid
from simulators.network import NOMINAL_V, Drops
from simulators.randomness import Bits, draw, lane, normal, salt

#: Measured columns in the order of the wire.
COLUMNS = (
    "consumption_kwh",
    "demand_kw",
    "voltage",
    "current_amps",
    "power_factor",
    "register_kwh",
    "reactive_kvarh",
)

_NOISE = salt("measurement")
_POWER_FACTOR = np.array([kind.power_factor for kind in KINDS])
#: Random difference between neighbours and from interval to interval [V].
_VOLTAGE_NOISE_V = 0.45
_POWER_FACTOR_NOISE = 0.018
#: Lost in the service cable at its design load, which is five times the mean and never below 6 kW [V].
_SERVICE_DROP_V = 1.2
_LEAST_DESIGN_W = 6_000.0


@dataclass(frozen=True)
class Gauge:
    """The meters of a run of a grid, with what measuring needs to know of each.

    Args:
        grid: the whole grid.
        meters: which of its meters.
        first_transformer: the transformer of column 0 of the voltages.
    """

    grid: Grid
    meters: slice
    first_transformer: int

    def measure(
        self, register_wh: Ints, edges: Ints, minutes: int, counters: Ints, voltages: Drops
    ) -> dict[str, Floats]:
        """Measure consecutive intervals.

        Args:
            register_wh: int64[n], at the edges' zero.
            edges: int64[k + 1, n], use at the edges of k intervals [Wh].
            minutes: length of an interval.
            counters: int64[k], number of each interval, for its noise.
            voltages: of the half hour that each interval ends in, float64[k, transformers].

        Returns: float64[k, n] for each of COLUMNS; NaN where a meter cannot measure it. With three phases, voltage
            and current are those of each phase, so that P^2 + Q^2 = (phases V I)^2.
        """
        energy_wh = np.diff(edges, axis=0)
        power_w = energy_wh * (60.0 / minutes)
        bits = draw(self.grid.keys[self.meters], _NOISE, counters[:, None])
        voltage = self._voltage(power_w, bits, voltages)
        factor = self._power_factor(bits)
        reactive = energy_wh * np.sqrt(1.0 / (factor * factor) - 1.0)
        device = self.grid.device[self.meters]
        current = _rounded(power_w / (voltage * factor * self.grid.phases[self.meters]), 1000)
        current[:, device == BASIC] = np.nan
        factor[:, device == BASIC] = np.nan
        reactive[:, device != ADVANCED] = np.nan
        return {
            "consumption_kwh": energy_wh / 1000.0,
            "demand_kw": _rounded(power_w / 1000.0, 10_000),
            "voltage": voltage,
            "current_amps": current,
            "power_factor": factor,
            "register_kwh": (register_wh + edges[1:]) / 1000.0,
            "reactive_kvarh": np.rint(reactive) / 1000.0,
        }

    def _voltage(self, power_w: Floats, bits: Bits, voltages: Drops) -> Floats:
        transformer = self.grid.meter_transformer[self.meters] - self.first_transformer
        design_w = np.maximum(_LEAST_DESIGN_W, self.grid.daily_wh[self.meters] * (5 / 24))
        volts = voltages.terminals.take(transformer, axis=1)
        volts -= voltages.line.take(transformer, axis=1) * self.grid.position[self.meters]
        volts *= NOMINAL_V
        volts -= power_w * (_SERVICE_DROP_V / design_w)
        volts += _VOLTAGE_NOISE_V * normal(lane(bits, 0))
        return _rounded(volts, 10)

    def _power_factor(self, bits: Bits) -> Floats:
        factor = _POWER_FACTOR[self.grid.kind[self.meters]] + _POWER_FACTOR_NOISE * normal(lane(bits, 1))
        return _rounded(np.clip(factor, 0.5, 1.0), 1000)


def _rounded(values: Floats, steps: int) -> Floats:
    """Round to 1/steps; dividing a whole number gives the nearest float, so that JSON shows no stray digits."""
    np.multiply(values, steps, out=values)
    np.rint(values, out=values)
    np.divide(values, steps, out=values)
    return values
