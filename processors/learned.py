"""What judgement remembers of meters, as compiled passes take it: the columns themselves, one row per meter."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from processors.halves import Bits
from processors.state import MeterState
from schemas.layout import Floats, Ints

_F32 = npt.NDArray[np.float32]
_U8 = npt.NDArray[np.uint8]


class Learned(NamedTuple):
    """Columns of `MeterState`, which says what they are; those of half precision as bits."""

    last_time_us: Ints
    interval_s: _F32
    misfits: _U8
    energy_kwh: Floats
    covered_s: Floats
    spread_kw: _F32
    last_kw: _F32
    day_mean_kw: _F32
    peak_kw: _F32
    week_kw: Bits
    hour_spread_kw: Bits
    level: _F32
    usual_voltage: _F32
    usual_temperature_c: _F32
    last_voltage: _F32
    last_register_kwh: Floats
    run_s: _F32
    run_count: npt.NDArray[np.uint16]
    run_log: _F32
    run_spread: _F32
    run_sum: _F32
    run_told: _U8
    repeats: _U8
    change_share: _F32
    episode: _U8
    calm: _U8
    tail_threshold: _F32
    tail_excess: _F32
    cluster_reach: Bits
    cluster_peak: _F32
    cluster_signal: _U8
    cluster_quiet: _U8
    last_z: _F32
    last_volts_off: _F32
    vee_class: _U8


def learned(state: MeterState) -> Learned:
    """Return the columns of a state; to be asked for again once the state has grown."""
    columns = (getattr(state, name) for name in Learned._fields)
    return Learned(*(column.view(np.uint16) if column.dtype == np.float16 else column for column in columns))
