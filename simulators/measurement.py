"""What a meter shows of an interval: energies as drawn, electrical quantities that fit, rounded as displayed."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from schemas.layout import Floats, Ints
from simulators.customers import KINDS
from simulators.day import Columns
from simulators.grid import Grid, Rows
from simulators.network import NOMINAL_V, Drops
from simulators.planning import ADVANCED, BASIC
from simulators.randomness import Bits, draw, lane, normal, salt

#: Measured columns in the order of the wire.
COLUMNS = (
    "consumption_kwh",
    "demand_kw",
    "voltage",
    "current_amps",
    "power_factor",
    "register_kwh",
    "export_kwh",
    "reactive_kvarh",
    "frequency_hz",
    "temperature_c",
)

_NOISE = salt("measurement")
_POWER_FACTOR = np.array([kind.power_factor for kind in KINDS])
#: Random difference between neighbours and from interval to interval [V].
_VOLTAGE_NOISE_V = 0.45
_POWER_FACTOR_NOISE = 0.018
#: Lost in the service cable at its design load, which is five times the mean and never below 6 kW [V].
_SERVICE_DROP_V = 1.2
_LEAST_DESIGN_W = 6_000.0


class Energies(NamedTuple):
    """What flowed in k consecutive intervals through n meters, of which s have panels.

    Attributes:
        register_wh: int64[k, n], drawn since the register began, at the end of each interval [Wh].
        drawn_wh: int64[k, n] [Wh].
        solar: int[s], which of the n meters have panels.
        fed_wh: int64[k, s] [Wh].
        reversed: int[r], which of the n meters are connected the wrong way round at some time.
        reversed_wh: int64[k, r], what those count as fed in although it is drawn [Wh].
    """

    register_wh: Ints
    drawn_wh: Ints
    solar: Columns
    fed_wh: Ints
    reversed: Columns
    reversed_wh: Ints

    def of(self, columns: Columns) -> "Energies":
        """Return those of some of the meters, given by rising position."""
        solar, reversed_ = np.isin(self.solar, columns), np.isin(self.reversed, columns)
        return Energies(
            self.register_wh[:, columns],
            self.drawn_wh[:, columns],
            np.searchsorted(columns, self.solar[solar]),
            self.fed_wh[:, solar],
            np.searchsorted(columns, self.reversed[reversed_]),
            self.reversed_wh[:, reversed_],
        )

    def exported_kwh(self) -> Floats:
        """Return what meters count as fed in, float64[k, n] [kWh], NaN for those that never do."""
        exported = np.full(self.drawn_wh.shape, np.nan)
        exported[:, self.solar] = self.fed_wh / 1000.0
        usual = exported[:, self.reversed]
        wrong = np.nan_to_num(usual) + self.reversed_wh / 1000.0
        exported[:, self.reversed] = np.where(self.reversed_wh > 0, wrong, usual)
        return exported

    def net_wh(self) -> Ints:
        """Return the energy drawn less the energy fed in, as counted, int64[k, n] [Wh]."""
        net = self.drawn_wh.copy()
        net[:, self.solar] -= self.fed_wh
        net[:, self.reversed] -= self.reversed_wh
        return net


class Surroundings(NamedTuple):
    """What meters find around them in k intervals.

    Attributes:
        voltages: of the grid, k rows.
        temperature_c: float64[k, regions], of the air [degree Celsius].
        frequency_hz: float64[k].
    """

    voltages: Drops
    temperature_c: Floats
    frequency_hz: Floats


@dataclass(frozen=True)
class Gauge:
    """Some meters that measure.

    Args:
        grid: the whole grid.
        meters: which of its meters.
    """

    grid: Grid
    meters: Rows

    def measure(self, energies: Energies, around: Surroundings, minutes: int, numbers: Ints) -> dict[str, Floats]:
        """Measure consecutive intervals.

        Args:
            energies: of these meters.
            around: of the same intervals.
            minutes: length of an interval.
            numbers: int64[k], of the intervals since the epoch, for the noise.

        Returns: float64[k, n] for each of COLUMNS; NaN where a meter cannot measure it. P is the power drawn less the
            power fed in. With three phases, voltage and current are those of each phase: P^2 + Q^2 = (phases V I)^2.
        """
        net_wh = energies.net_wh()
        power_w = np.multiply(net_wh, 60.0 / minutes, dtype=np.float64)
        bits = draw(self.grid.keys[self.meters], _NOISE, numbers[:, None])
        voltage, factor = self._voltage(power_w, bits, around.voltages), self._power_factor(bits)
        np.abs(power_w, out=power_w)
        current = _rounded(power_w / (voltage * factor * self.grid.phases[self.meters]), 1000)
        reactive = _rounded(np.abs(net_wh) * (np.sqrt(1.0 / (factor * factor) - 1.0) / 1000.0), 1000)
        shown = {"current_amps": current, "power_factor": factor}
        rich = {"reactive_kvarh": reactive, **self._ambient(bits, around)}
        device = self.grid.device[self.meters]
        for values in shown.values():
            values[:, device == BASIC] = np.nan
        for values in rich.values():
            values[:, device != ADVANCED] = np.nan
        return (
            shown
            | rich
            | {
                "consumption_kwh": energies.drawn_wh / 1000.0,
                "demand_kw": _rounded(np.multiply(energies.drawn_wh, 0.06 / minutes, dtype=np.float64), 10_000),
                "voltage": voltage,
                "register_kwh": energies.register_wh / 1000.0,
                "export_kwh": energies.exported_kwh(),
            }
        )

    def _ambient(self, bits: Bits, around: Surroundings) -> dict[str, Floats]:
        """Return what cabinets feel: the air, damped, warmed by the house and by electronics."""
        air = around.temperature_c.take(self.grid.meter_region[self.meters], axis=1)
        cabinet = 6.5 + 0.72 * air + 0.4 * normal(lane(bits, 2))
        frequency = np.repeat(_rounded(around.frequency_hz.copy(), 1000)[:, None], air.shape[1], axis=1)
        return {"temperature_c": _rounded(cabinet, 10), "frequency_hz": frequency}

    def _voltage(self, power_w: Floats, bits: Bits, voltages: Drops) -> Floats:
        transformer = self.grid.meter_transformer[self.meters] - voltages.first
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
