"""Validation: which readings cannot be true, and why."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from schemas.layout import Floats, Ints, Mask
from schemas.readings import ReadingBatch
from schemas.rejected import Reason

Codes = npt.NDArray[np.int8]

#: 2000-01-01T00:00:00Z [s since 1970]: before the first networked smart meters, so an unset clock.
_YEAR_2000_S = 946_684_800


@dataclass(frozen=True)
class Limits:
    """What a reading may hold; every bound is itself allowed, and null is always allowed.

    Attributes:
        voltage_min: [V]; 230 V less 13 %.
        voltage_max: [V]; 230 V plus 13 %.
        future_s: how far a meter's clock may be ahead of the reading's arrival [s].
        earliest_s: the earliest credible reading time [s since 1970-01-01 UTC].
        retention_s: how long readings are kept [s]; one that is older when it arrives could only be dropped again.
        energy_max_kwh: most energy of one interval [kWh]; a 1 GW feed for an hour.
        magnitude_max: largest absolute value of any other measure, in its unit.
    """

    voltage_min: float = 200.0
    voltage_max: float = 260.0
    future_s: float = 86_400.0
    earliest_s: float = float(_YEAR_2000_S)
    retention_s: float = np.inf
    energy_max_kwh: float = 1e6
    magnitude_max: float = 1e9


#: Order in which failures are reported; code k means FAILURES[k - 1].
FAILURES: tuple[tuple[Reason, str], ...] = (
    (Reason.TIME_IN_FUTURE, "reading_time is further ahead of its arrival than allowed"),
    (Reason.TIME_TOO_OLD, "reading_time is before the earliest credible time"),
    (Reason.BEYOND_RETENTION, "reading_time is further before its arrival than readings are kept"),
    (Reason.VOLTAGE_IN_OTHER_UNIT, "voltage is credible in dV, cV, mV or kV, not in V"),
    (Reason.VOLTAGE_OUT_OF_RANGE, "voltage is outside the credible range"),
    (Reason.POWER_FACTOR_OUT_OF_RANGE, "power_factor is outside 0 to 1"),
    (Reason.NEGATIVE_ENERGY, "consumption_kwh, export_kwh or register_kwh is negative"),
    (Reason.OUT_OF_RANGE, "a measure is larger than anything credible"),
)

#: dV, cV, mV and kV as times V.
_OTHER_UNITS = (10.0, 100.0, 1_000.0, 0.001)
_ENERGIES = ("consumption_kwh", "export_kwh")
_NEVER_NEGATIVE = (*_ENERGIES, "register_kwh")
_OTHERS = (
    *("demand_kw", "current_amps", "register_kwh", "reactive_kvarh", "frequency_hz", "temperature_c"),
    *("voltage_l2", "voltage_l3", "current_l2_amps", "current_l3_amps"),
)


def validate(batch: ReadingBatch, arrived_us: Ints, limits: Limits) -> Codes:
    """Judge each reading by itself.

    Args:
        batch: n readings.
        arrived_us: int64[n], arrival in Kafka [us since 1970-01-01 UTC].
        limits: the bounds.

    Returns: int8[n], 0 where a reading is credible, otherwise 1 + the position of its first failure in FAILURES.
    """
    voltage, power_factor = batch.floats("voltage"), batch.floats("power_factor")
    failures = (
        batch.time_us > arrived_us + int(limits.future_s * 1e6),
        batch.time_us < int(limits.earliest_s * 1e6),
        # Of all readings that are too old, so that a replay says the same of each.
        batch.time_us < arrived_us - limits.retention_s * 1e6,
        _slipped(voltage, limits),
        _outside(voltage, limits.voltage_min, limits.voltage_max),
        _outside(power_factor, 0.0, 1.0),
        _any(batch, _NEVER_NEGATIVE, -np.inf, 0.0),
        _any(batch, _ENERGIES, limits.energy_max_kwh, np.inf)
        | _any(batch, _OTHERS, -np.inf, -limits.magnitude_max)
        | _any(batch, _OTHERS, limits.magnitude_max, np.inf),
    )
    codes = np.zeros(len(batch), dtype=np.int8)
    for position in reversed(range(len(failures))):
        codes[failures[position]] = position + 1
    return codes


def _outside(values: Floats, low: float, high: float) -> Mask:
    # NaN stands for null and compares false on both sides: a missing optional is fine.
    return (values < low) | (values > high)


def _slipped(voltage: Floats, limits: Limits) -> Mask:
    """Say where a voltage is inside the credible range in another unit only: one slip, not many overvoltages."""
    found = np.zeros(len(voltage), dtype=bool)
    for times in _OTHER_UNITS:
        found |= (voltage >= limits.voltage_min * times) & (voltage <= limits.voltage_max * times)
    return found


def _any(batch: ReadingBatch, names: tuple[str, ...], above: float, below: float) -> Mask:
    """Say where any of the columns lies strictly between two bounds."""
    found = np.zeros(len(batch), dtype=bool)
    for name in names:
        if batch.column(name).null_count < len(batch):
            values = batch.floats(name)
            found |= (values > above) & (values < below)
    return found
