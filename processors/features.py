"""What a model sees of a reading: one piece of code for training and for serving."""

import numpy as np
import numpy.typing as npt

from processors.judgement import Past
from schemas.layout import Floats, Ints, Mask
from schemas.readings import ReadingBatch

#: Columns of the feature matrix, in this order. A model names those that it was fitted on.
FEATURES = (
    "voltage",
    "current_amps",
    "power_factor",
    "consumption_kwh",
    "temperature_c",
    "load_share",
    "hour",
    "day_of_week",
    "weekend",
    "holiday",
    "voltage_deviation",
    "load_change_rate",
    "day_mean_deviation",
)
#: Those that say when a reading was taken, and nothing about it.
CALENDAR = ("hour", "day_of_week", "weekend", "holiday")
Matrix = npt.NDArray[np.float32]

_HOUR_US = 3_600_000_000
_NOMINAL_V = 230.0
#: Keeps a meter that draws nothing from having infinite shares and rates [kW].
_LEAST_KW = 0.001


def features(batch: ReadingBatch, past: Past, holidays: Ints) -> Matrix:
    """Describe readings by what they measured, when, and how that compares with their meter's recent past.

    `load_share` is power over the highest power of the meter's past, `load_change_rate` the change since the interval
    before over the mean of about a day, `day_mean_deviation` the difference from that mean over it, and
    `voltage_deviation` |V - 230| / 230; hours and days are those of UTC, Monday is 0.

    Args:
        batch: n readings.
        past: what was known of their meters before them.
        holidays: int64[h], rising, days since 1970-01-01 that are holidays.

    Returns: float32[n, 13] in the order of FEATURES, NaN where a reading or its past says nothing.
    """
    voltage, energy = batch.floats("voltage"), batch.floats("consumption_kwh")
    power = energy * (3600.0 / past.interval_s.astype(np.float64))
    usual = np.maximum(past.day_mean_kw, _LEAST_KW)
    hours = batch.time_us // _HOUR_US
    days = hours // 24
    day_of_week = (days + 3) % 7  # 1970-01-01 was a Thursday
    columns: tuple[Floats | Ints | Mask, ...] = (
        voltage,
        batch.floats("current_amps"),
        batch.floats("power_factor"),
        energy,
        batch.floats("temperature_c"),
        power / np.maximum(past.peak_kw, _LEAST_KW),
        hours % 24,
        day_of_week,
        day_of_week >= 5,
        np.isin(days, holidays),
        np.abs(voltage - _NOMINAL_V) / _NOMINAL_V,
        (power - past.last_kw) / usual,
        (power - past.day_mean_kw) / usual,
    )
    matrix = np.empty((len(batch), len(FEATURES)), dtype=np.float32)
    for position, values in enumerate(columns):
        matrix[:, position] = values
    return matrix
