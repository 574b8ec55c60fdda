"""What is remembered of each meter of a partition."""

import numpy as np
import numpy.typing as npt

from processors.keyed_state import Columns, KeyedState

#: Hour of day, for working days and for weekends.
SLOTS = 48

#: Before any reading.
NEVER_US = int(np.iinfo(np.int64).min)

#: Column -> (type, values per meter, value of a new row). 477 bytes per meter in all.
COLUMNS: Columns = {
    "last_time_us": ("i8", 1, NEVER_US),
    "interval_s": ("f4", 1, 0),
    "misfits": ("u1", 1, 0),
    "energy_kwh": ("f8", 1, 0),
    "covered_s": ("f8", 1, 0),
    "spread_kw": ("f4", 1, 0),
    "last_kw": ("f4", 1, np.nan),
    "day_mean_kw": ("f4", 1, np.nan),
    "peak_kw": ("f4", 1, np.nan),
    "slot_mean_kw": ("f4", SLOTS, 0),
    "slot_spread_kw": ("f4", SLOTS, 0),
    "slot_count": ("u1", SLOTS, 0),
}


class MeterState(KeyedState):
    """Columns with one row per meter, whose key is its number; `group_id` is its transformer.

    Attributes:
        last_time_us: event time of the newest reading [us], NEVER_US before the first.
        interval_s: the meter's usual time between readings [s], 0 while unknown.
        misfits: readings in a row that did not fit `interval_s`.
        energy_kwh: energy of the recent past, older days counting less [kWh].
        covered_s: time that `energy_kwh` covers, older days counting less [s].
        spread_kw: mean absolute deviation of power from its mean [kW].
        last_kw: mean power of the newest interval with one [kW], NaN before the first.
        day_mean_kw: mean power, what is older than a day hardly counting [kW], NaN before the first.
        peak_kw: highest mean power of an interval, older ones counting less [kW], NaN before the first.
        slot_mean_kw, slot_spread_kw, slot_count: the same per slot of the week, and how often each was seen.
    """

    columns = COLUMNS
    version = 2

    last_time_us: npt.NDArray[np.int64]
    interval_s: npt.NDArray[np.float32]
    misfits: npt.NDArray[np.uint8]
    energy_kwh: npt.NDArray[np.float64]
    covered_s: npt.NDArray[np.float64]
    spread_kw: npt.NDArray[np.float32]
    last_kw: npt.NDArray[np.float32]
    day_mean_kw: npt.NDArray[np.float32]
    peak_kw: npt.NDArray[np.float32]
    slot_mean_kw: npt.NDArray[np.float32]
    slot_spread_kw: npt.NDArray[np.float32]
    slot_count: npt.NDArray[np.uint8]
