"""The part of the pass over readings that works the twelve signals out."""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from processors.compiled import own, part
from processors.learned import Learned
from processors.runs import longer
from schemas.layout import Floats
from schemas.readings import ReadingBatch

#: Deviations count this much for the level at most [standard deviations].
_MOST_Z = 3.0
#: Time constants of the level and of the usual voltage and temperature [s].
_LEVEL_S, _VOLTAGE_S = 6 * 3_600.0, 7 * 86_400.0
#: Changes of the usual voltage are followed by no more than this at a time [V].
_MOST_VOLTS = 5.0
_MOST_REPEATS = 250
#: A meter of whose late readings fewer change than this is one that repeats itself, which is then no news.
_CHANGES = 0.2
_CHANGE_WEIGHT = 0.02


class Measures(NamedTuple):
    """What readings measured, float64[n], NaN where they did not.

    Attributes:
        energy_kwh: of the interval [kWh].
        voltage: [V].
        register_kwh: import register [kWh].
        temperature: [degree Celsius].
    """

    energy_kwh: Floats
    voltage: Floats
    register_kwh: Floats
    temperature: Floats

    @classmethod
    def of(cls, batch: ReadingBatch) -> "Measures":
        """Return the measures of a batch."""
        names = ("consumption_kwh", "voltage", "register_kwh", "temperature_c")
        return cls(*(own(batch.floats(name)) for name in names))


@part
def signals(
    learned: Learned,
    row: int,
    measures: Measures,
    at: int,
    power: float,
    average: float,
    z: float,
    interval_s: float,
    on_time: bool,
    values: Floats,
) -> None:  # pragma: no cover - runs compiled
    """Work out the signals of a reading, and remember what the next ones need.

    Args:
        learned: of the partition's meters; changed in place.
        row: of the meter.
        measures: of a batch.
        at: which reading of it.
        power: mean power of the interval [kW].
        average: of the meter's past [kW].
        z: deviation from what is expected [standard deviations].
        interval_s: the meter's usual interval [s].
        on_time: whether the reading came one interval after the one before.
        values: float64[12], where the signals go in the order of SIGNALS, NaN where a reading says nothing.
    """
    voltage, register = measures.voltage[at], measures.register_kwh[at]
    still = register == learned.last_register_kwh[row]
    level = _level(learned, row, z, interval_s)
    weight = min(interval_s / _VOLTAGE_S, 0.5)
    volts = _away(learned.usual_voltage, row, voltage, weight, _MOST_VOLTS)
    before_s = learned.run_s[row]
    run_s = _run(learned, row, power > average, interval_s)
    long = math.log(abs(run_s) / interval_s + 1.0)
    mismatch = _mismatch(learned, row, measures.energy_kwh[at], register, average * interval_s / 3_600.0)
    values[0], values[1] = z, -z
    values[2], values[3] = level, -level
    values[4], values[5] = volts, -volts
    values[6], values[7] = (long, 0.0) if run_s > 0 else (0.0, long)
    values[8] = _repeats(learned, row, power, voltage, still)
    values[9] = mismatch if on_time else np.nan
    values[10] = _away(learned.usual_temperature_c, row, measures.temperature[at], weight, np.inf)
    # After a gap nobody knows when a run ended.
    values[11] = longer(learned, row, before_s, interval_s) if on_time and before_s > 0 and run_s < 0 else np.nan


@part
def _level(learned: Learned, row: int, z: float, interval_s: float) -> float:  # pragma: no cover
    """Return the mean of late deviations: a chart of exponentially weighted moving averages (Roberts, 1959)."""
    level = float(learned.level[row])
    level += min(interval_s / _LEVEL_S, 0.5) * (min(max(z, -_MOST_Z), _MOST_Z) - level)
    learned.level[row] = level
    return level


@part
def _away(
    usual: npt.NDArray[np.float32], row: int, value: float, weight: float, most: float
) -> float:  # pragma: no cover
    """Return how far a value is above the meter's usual one, which follows it by no more than a part of `most`."""
    before = float(usual[row])
    off = value - before
    if np.isnan(before):
        usual[row] = value
    elif not np.isnan(value):
        usual[row] = before + weight * min(max(off, -most), most)
    return off


@part
def _run(learned: Learned, row: int, high: bool, interval_s: float) -> float:  # pragma: no cover
    """Return how long the meter has been above (positive) or below (negative) its average [s]."""
    run, side = float(learned.run_s[row]), 1.0 if high else -1.0
    run = side * ((abs(run) if run * side > 0 else 0.0) + interval_s)
    learned.run_s[row] = run
    return run


@part
def _repeats(learned: Learned, row: int, power: float, voltage: float, still: bool) -> float:  # pragma: no cover
    """Return how often a reading was repeated; NaN for a meter that always does.

    It counts twice with the voltage, and three times if the register stands still, too, although energy is used.
    """
    measured, changes = not np.isnan(voltage), learned.change_share[row]
    same_voltage = np.float32(voltage) == learned.last_voltage[row] or not measured or power == 0
    same = np.float32(power) == learned.last_kw[row] and same_voltage
    repeats = min(learned.repeats[row] + 1, _MOST_REPEATS) if same else 0
    learned.repeats[row] = repeats
    if measured:
        learned.last_voltage[row] = voltage
    learned.change_share[row] = changes + _CHANGE_WEIGHT * ((0.0 if same else 1.0) - changes)
    if not changes > _CHANGES:
        return np.nan
    if not (measured and power > 0):
        return repeats
    return repeats * (3.0 if still else 2.0)


@part
def _mismatch(
    learned: Learned, row: int, energy_kwh: float, register_kwh: float, usual_kwh: float
) -> float:  # pragma: no cover
    """Return by how much energy and register disagree, as a share of the usual energy of an interval."""
    last = learned.last_register_kwh[row]
    if not np.isnan(register_kwh):
        learned.last_register_kwh[row] = register_kwh
    return float(abs(energy_kwh - (register_kwh - last)) / (usual_kwh + 0.01))
