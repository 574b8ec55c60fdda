"""What the rules remember of each meter: columns of the partition's state."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from schemas.layout import Floats, Ints

#: Column -> (type, values per meter, value of a new row). 214 bytes per meter in all.
#: Sums are whole numbers, so that they do not depend on where a stream is cut into batches.
MEMORY: Mapping[str, tuple[str, int, float]] = {
    # The newest reading in order: its day, the gaps before it, what it showed, and since when it shows that.
    "vee_day": ("i4", 1, 0),
    "vee_gap_s": ("f4", 1, 0),
    "vee_usual_s": ("f4", 1, 0),
    "vee_kwh": ("f8", 1, np.nan),
    "vee_voltage": ("f4", 1, np.nan),
    "vee_flat_s": ("u4", 1, 0),
    "vee_still_s": ("u4", 1, 0),
    "vee_zero_s": ("u4", 1, 0),
    "vee_estimated_s": ("u4", 1, 0),
    # The newest register, the energy counted since [uWh], and the power of ten that its unit has slipped by.
    "vee_register": ("f8", 1, np.nan),
    "vee_since_uwh": ("i8", 1, 0),
    "vee_since_missing": ("u2", 1, 0),
    "vee_scale": ("i1", 1, 0),
    # The day so far: readings, energy [uWh], three highest [kWh], readings on the grid, hours with a zero.
    "vee_readings": ("i4", 1, 0),
    "vee_day_uwh": ("i8", 1, 0),
    "vee_highest": ("f4", 3, 0),
    "vee_on_grid": ("i4", 1, 0),
    "vee_zero_hours": ("u4", 1, 0),
    # Days before: how many, how often each hour had a zero, the share on the grid, what is usual.
    "vee_days": ("u2", 1, 0),
    "vee_zero_days": ("u1", 24, 0),
    "vee_grid_share": ("f4", 1, 1),
    "vee_third": ("f4", 1, np.nan),
    "vee_weekday_kwh": ("f4", 7, np.nan),
    "vee_month": ("i2", 1, 0),
    "vee_month_kwh": ("f4", 1, 0),
    "vee_month_days": ("u1", 1, 0),
    "vee_year_kwh": ("f4", 12, np.nan),
    # Who it is: murmur2 of the device's number, and what the registry says.
    "vee_device": ("u4", 1, 0),
    "vee_class": ("u1", 1, 0),
    "vee_status": ("u1", 1, 0),
}


class Memory(NamedTuple):
    """The columns of MEMORY and the time of each meter's newest reading [us], as the compiled pass takes them."""

    last_time_us: Ints
    vee_day: npt.NDArray[np.int32]
    vee_gap_s: npt.NDArray[np.float32]
    vee_usual_s: npt.NDArray[np.float32]
    vee_kwh: Floats
    vee_voltage: npt.NDArray[np.float32]
    vee_flat_s: npt.NDArray[np.uint32]
    vee_still_s: npt.NDArray[np.uint32]
    vee_zero_s: npt.NDArray[np.uint32]
    vee_estimated_s: npt.NDArray[np.uint32]
    vee_register: Floats
    vee_since_uwh: Ints
    vee_since_missing: npt.NDArray[np.uint16]
    vee_scale: npt.NDArray[np.int8]
    vee_readings: npt.NDArray[np.int32]
    vee_day_uwh: Ints
    vee_highest: npt.NDArray[np.float32]
    vee_on_grid: npt.NDArray[np.int32]
    vee_zero_hours: npt.NDArray[np.uint32]
    vee_days: npt.NDArray[np.uint16]
    vee_zero_days: npt.NDArray[np.uint8]
    vee_grid_share: npt.NDArray[np.float32]
    vee_third: npt.NDArray[np.float32]
    vee_weekday_kwh: npt.NDArray[np.float32]
    vee_month: npt.NDArray[np.int16]
    vee_month_kwh: npt.NDArray[np.float32]
    vee_month_days: npt.NDArray[np.uint8]
    vee_year_kwh: npt.NDArray[np.float32]
    vee_device: npt.NDArray[np.uint32]


def memory_of(state: Any) -> Memory:
    """Return the columns of a `MeterState`; to be asked for again once the state has grown."""
    return Memory(*(getattr(state, name) for name in Memory._fields))
