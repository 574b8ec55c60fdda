"""What is remembered of each meter of a partition."""

import numpy as np
import numpy.typing as npt

from processors.keyed_state import Columns, KeyedState
from processors.vee.memory import MEMORY
from schemas.layout import Positions
from schemas.meter_class import Codes

#: Signals whose tails a meter learns, the first of `processors.signals.SIGNALS`.
TAILS = 11
#: Those of them that may be habits, `processors.signals.OF_USE`.
HABITS = 7

#: Before any reading.
NEVER_US = int(np.iinfo(np.int64).min)

#: Column -> (type, values per meter, value of a new row). 837 bytes per meter in all.
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
    "week_kw": ("f2", 168, np.nan),
    "hour_spread_kw": ("f2", 24, np.nan),
    "level": ("f4", 1, 0),
    "usual_voltage": ("f4", 1, np.nan),
    "usual_temperature_c": ("f4", 1, np.nan),
    "last_voltage": ("f4", 1, np.nan),
    "last_register_kwh": ("f8", 1, np.nan),
    "run_s": ("f4", 1, 0),
    "run_count": ("u2", 1, 0),
    "run_log": ("f4", 1, 0),
    "run_spread": ("f4", 1, 0),
    "run_sum": ("f4", 1, 0),
    "run_told": ("u1", 1, 0),
    "repeats": ("u1", 1, 0),
    "change_share": ("f4", 1, 0),
    "episode": ("u1", 1, 0),
    "calm": ("u1", 1, 0),
    "tail_threshold": ("f4", TAILS, np.nan),
    "tail_excess": ("f4", TAILS, np.nan),
    "cluster_reach": ("f2", HABITS, 1.0 / np.log(10.0)),
    "cluster_peak": ("f4", 1, 0),
    "cluster_signal": ("u1", 1, 0),
    "cluster_quiet": ("u1", 1, 0),
    "last_z": ("f4", 1, np.nan),
    "last_volts_off": ("f4", 1, np.nan),
    "peer_group": ("u4", 1, 0),
    "model_unusual_s": ("u4", 1, 0),
    "model_episode": ("u1", 1, 0),
    "supply_lit_s": ("u4", 1, 0),
    "supply_dark_s": ("u4", 1, 0),
    "supply_interval_s": ("u2", 1, 0),
    "supply_heard_s": ("u4", 1, 0),
    "supply_rhythm_s": ("u4", 1, 0),
    "supply_off": ("u1", 1, 0),
    **MEMORY,
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
        week_kw: mean power at each hour of the week [kW], NaN before the first.
        hour_spread_kw: mean absolute deviation from it at each hour of the day [kW], NaN before the first.
        level: mean of late deviations in standard deviations.
        usual_voltage: mean voltage [V], NaN before the first; last_voltage: the newest.
        usual_temperature_c: mean temperature of about a week [degree Celsius], NaN before the first.
        last_register_kwh: the newest standing of the import register [kWh], NaN before the first.
        run_s: how long the meter has been above (positive) or below (negative) its average [s].
        run_count: stretches above the average that were seen, as far as they count; run_log, run_spread: mean of the
            logarithm of their lengths [s], and mean absolute deviation from it; run_sum: cumulative sum of longer ones
            [standard deviations]; run_told: worst severity told of them, 0 for nothing; see `processors.runs`.
        repeats: readings in a row that show the same as the one before.
        change_share: share of late readings that differ from the one before.
        episode: worst severity of what is going on, 0 for nothing; calm: readings since it was last unusual.
        tail_threshold, tail_excess: what is rare for the meter, by signal; see `processors.tails`.
        cluster_reach: how far outliers reach, by signal [decades]; cluster_peak, cluster_signal, cluster_quiet: the
            highest reading of the cluster that is going on, of which signal, and readings since the last one of it; see
            `processors.clusters`.
        last_z, last_volts_off: how far the newest reading was off, in standard deviations and volts; peer_group: key of
            the meter's transformer; see `processors.peers`.
        model_unusual_s, model_episode: when a model last found the meter unusual [s], and the worst severity of that.
        supply_lit_s, supply_dark_s: newest reading with power, and first sign since that it is gone [s], 0 for none;
            supply_interval_s: what is usual between readings [s], 0 while unknown; supply_heard_s: when the newest
            one arrived [s]; supply_rhythm_s: what is usual between uploads [s], 0 while unknown; supply_off: 0 with
            power, 1 silent, else the code of what the meter said; see `processors.supply`.
        vee_...: what the rules remember, see `processors.vee.memory`.
    """

    columns = COLUMNS
    version = 10

    last_time_us: npt.NDArray[np.int64]
    interval_s: npt.NDArray[np.float32]
    misfits: npt.NDArray[np.uint8]
    energy_kwh: npt.NDArray[np.float64]
    covered_s: npt.NDArray[np.float64]
    spread_kw: npt.NDArray[np.float32]
    last_kw: npt.NDArray[np.float32]
    day_mean_kw: npt.NDArray[np.float32]
    peak_kw: npt.NDArray[np.float32]
    week_kw: npt.NDArray[np.float16]
    hour_spread_kw: npt.NDArray[np.float16]
    level: npt.NDArray[np.float32]
    usual_voltage: npt.NDArray[np.float32]
    usual_temperature_c: npt.NDArray[np.float32]
    last_voltage: npt.NDArray[np.float32]
    last_register_kwh: npt.NDArray[np.float64]
    run_s: npt.NDArray[np.float32]
    run_count: npt.NDArray[np.uint16]
    run_log: npt.NDArray[np.float32]
    run_spread: npt.NDArray[np.float32]
    run_sum: npt.NDArray[np.float32]
    run_told: npt.NDArray[np.uint8]
    repeats: npt.NDArray[np.uint8]
    change_share: npt.NDArray[np.float32]
    episode: npt.NDArray[np.uint8]
    calm: npt.NDArray[np.uint8]
    tail_threshold: npt.NDArray[np.float32]
    tail_excess: npt.NDArray[np.float32]
    cluster_reach: npt.NDArray[np.float16]
    cluster_peak: npt.NDArray[np.float32]
    cluster_signal: npt.NDArray[np.uint8]
    cluster_quiet: npt.NDArray[np.uint8]
    last_z: npt.NDArray[np.float32]
    last_volts_off: npt.NDArray[np.float32]
    peer_group: npt.NDArray[np.uint32]
    model_unusual_s: npt.NDArray[np.uint32]
    model_episode: npt.NDArray[np.uint8]
    supply_lit_s: npt.NDArray[np.uint32]
    supply_dark_s: npt.NDArray[np.uint32]
    supply_interval_s: npt.NDArray[np.uint16]
    supply_heard_s: npt.NDArray[np.uint32]
    supply_rhythm_s: npt.NDArray[np.uint32]
    supply_off: npt.NDArray[np.uint8]
    vee_kwh: npt.NDArray[np.float64]
    vee_voltage: npt.NDArray[np.float32]
    vee_register: npt.NDArray[np.float64]
    vee_class: npt.NDArray[np.uint8]
    vee_status: npt.NDArray[np.uint8]

    def register(self, rows: Positions, classes: Codes, statuses: Codes) -> None:
        """Take over what the registry says of meters."""
        self.vee_class[rows], self.vee_status[rows] = classes, statuses
