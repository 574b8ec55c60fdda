"""What of a reading may be unusual: eleven signals, each higher the more unusual it is."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from processors.state import MeterState
from schemas.layout import Floats, Mask, Positions
from schemas.readings import ReadingBatch


class Anomaly(StrEnum):
    """What kind of unusual a reading is; the position in this list is that of its signal."""

    SPIKE = "spike"
    DROP = "drop"
    LEVEL_RISE = "level_rise"
    THEFT_SUSPICION = "theft_suspicion"
    SWELL = "swell"
    SAG = "sag"
    LONG_HIGH = "long_high"
    LONG_LOW = "long_low"
    FLATLINE = "flatline"
    REGISTER_MISMATCH = "register_mismatch"
    OVERHEATING = "overheating"


SIGNALS = tuple(Anomaly)

#: Where the tails of a new meter begin, and where none falls below: threshold and mean excess, by signal. Standard
#: deviations for the first four, volts, logarithms of intervals, repeats, shares of the average
#: energy, and kelvin.
FIRST_THRESHOLD = np.array([3, 2.5, 1.2, 1.2, 4, 4, 3.7, 4.2, 1, 0.1, 10], dtype=np.float32)
FIRST_EXCESS = np.array([1.5, 0.7, 0.4, 0.4, 1, 1, 0.4, 0.4, 0.5, 0.05, 3], dtype=np.float32)
LEAST = (
    np.array([1.5, 1.5, 0.3, 0.3, 2, 2, 1.4, 1.4, 0.5, 0.05, 3], dtype=np.float32),
    np.array([0.3, 0.3, 0.1, 0.1, 0.5, 0.5, 0.05, 0.05, 0.25, 0.02, 1], dtype=np.float32),
)

#: How heavy the tails are, by signal: loads have heavier ones than voltages.
SHAPE = np.array([0.2, 0.1, 0.1, 0.1, 0.05, 0.05, 0.1, 0.1, 0.02, 0.02, 0.05], dtype=np.float32)
#: Signals of what customers do, which may be a habit; the others are of the state of things, and no habit excuses them.
OF_USE = ~np.isin(SIGNALS, (Anomaly.SWELL, Anomaly.SAG, Anomaly.REGISTER_MISMATCH, Anomaly.OVERHEATING))
#: Signals that say nothing before a day of the meter is known: until then everything deviates from next to nothing.
NEEDS_DAY = np.arange(len(SIGNALS)) < 4

#: Deviations count this much for the level at most [standard deviations].
_MOST_Z = 3.0
#: Time constants of the level and of the usual voltage and temperature [s].
_LEVEL_S, _VOLTAGE_S = 6 * 3_600.0, 7 * 86_400.0
#: Changes of the usual voltage are followed by no more than this at a time [V].
_MOST_VOLTS = 5.0
_MOST_REPEATS = 250
#: A meter of whose late readings fewer change than this is one that repeats itself, which is then no news.
_CHANGES = 0.2
_CHANGE_WEIGHT = np.float32(0.02)


@dataclass(frozen=True)
class Measures:
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
        return cls(*(batch.floats(name) for name in ("consumption_kwh", "voltage", "register_kwh", "temperature_c")))

    def take(self, at: Positions) -> "Measures":
        """Return those of some readings."""
        return Measures(self.energy_kwh[at], self.voltage[at], self.register_kwh[at], self.temperature[at])


def signals(
    state: MeterState,
    row: Positions,
    measures: Measures,
    *,
    power: Floats,
    average: Floats,
    z: Floats,
    interval_s: Floats,
    on_time: Mask,
) -> Floats:
    """Return the signals of at most one reading per meter, and remember what the next ones need.

    Args:
        state: the partition's state; changed in place.
        row: intp[k], rows of the meters.
        measures: k readings.
        power: float64[k], mean power of the interval [kW].
        average: float64[k], of the meter's past [kW].
        z: float64[k], deviation from what is expected [standard deviations].
        interval_s: float64[k], the meter's usual interval [s].
        on_time: bool[k], whether the reading came one interval after the one before.

    Returns: float64[k, 11] in the order of SIGNALS, NaN where a reading says nothing.
    """
    level = _level(state, row, z, interval_s)
    volts = _volts(state, row, measures.voltage, interval_s)
    run = _run(state, row, power > average, interval_s)
    long = np.log(np.abs(run) / interval_s + 1.0)
    repeats = _repeats(state, row, power, measures.voltage)
    mismatch = _mismatch(state, row, measures, average * interval_s / 3_600.0)
    return np.stack(
        [
            z,
            -z,
            level,
            -level,
            volts,
            -volts,
            np.where(run > 0, long, 0.0),
            np.where(run < 0, long, 0.0),
            repeats,
            np.where(on_time, mismatch, np.nan),
            _kelvin(state, row, measures.temperature, interval_s),
        ],
        axis=1,
    )


def _level(state: MeterState, row: Positions, z: Floats, interval_s: Floats) -> Floats:
    """Return the mean of late deviations: a chart of exponentially weighted moving averages (Roberts, 1959)."""
    level = state.level[row].astype(np.float64)
    level += np.minimum(interval_s / _LEVEL_S, 0.5) * (np.clip(z, -_MOST_Z, _MOST_Z) - level)
    state.level[row] = level
    return level


def _volts(state: MeterState, row: Positions, voltage: Floats, interval_s: Floats) -> Floats:
    """Return how far the voltage is above the meter's usual one [V]."""
    usual = state.usual_voltage[row].astype(np.float64)
    off = voltage - usual
    follow = usual + np.minimum(interval_s / _VOLTAGE_S, 0.5) * np.clip(off, -_MOST_VOLTS, _MOST_VOLTS)
    state.usual_voltage[row] = np.where(np.isnan(usual), voltage, np.where(np.isnan(voltage), usual, follow))
    return off


def _kelvin(state: MeterState, row: Positions, temperature: Floats, interval_s: Floats) -> Floats:
    """Return how much warmer it is than usual for the meter [K]."""
    usual = state.usual_temperature_c[row].astype(np.float64)
    off = temperature - usual
    follow = usual + np.minimum(interval_s / _VOLTAGE_S, 0.5) * off
    kept = np.where(np.isnan(usual), temperature, np.where(np.isnan(temperature), usual, follow))
    state.usual_temperature_c[row] = kept
    return off


def _run(state: MeterState, row: Positions, high: Mask, interval_s: Floats) -> Floats:
    """Return how long the meter has been above (positive) or below (negative) its average [s]."""
    run, side = state.run_s[row].astype(np.float64), np.where(high, 1.0, -1.0)
    run = side * (np.where(run * side > 0, np.abs(run), 0.0) + interval_s)
    state.run_s[row] = run
    return run


def _repeats(state: MeterState, row: Positions, power: Floats, voltage: Floats) -> Floats:
    """Return how often a reading was repeated; twice that with the voltage; NaN for a meter that always does."""
    last_voltage = state.last_voltage[row]
    measured = ~np.isnan(voltage)
    same_voltage = voltage.astype(np.float32) == last_voltage
    same = (power.astype(np.float32) == state.last_kw[row]) & (same_voltage | ~measured | (power == 0))
    repeats = np.where(same, np.minimum(state.repeats[row] + 1, _MOST_REPEATS), 0)
    state.repeats[row] = repeats
    state.last_voltage[row] = np.where(measured, voltage, last_voltage)
    changes = state.change_share[row]
    state.change_share[row] = changes + _CHANGE_WEIGHT * (~same - changes)
    return np.where(changes > _CHANGES, repeats * np.where(measured & (power > 0), 2.0, 1.0), np.nan)


def _mismatch(state: MeterState, row: Positions, measures: Measures, usual: Floats) -> Floats:
    """Return by how much energy and register disagree, as a share of the usual energy of an interval."""
    last, register_kwh = state.last_register_kwh[row], measures.register_kwh
    state.last_register_kwh[row] = np.where(np.isnan(register_kwh), last, register_kwh)
    found: Floats = np.abs(measures.energy_kwh - (measures.register_kwh - last)) / (usual + 0.01)
    return found
