"""Window partials: what a batch adds to each window of each group, in whole numbers so that order cannot matter."""

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from schemas.layout import Floats, Ints
from schemas.readings import ReadingBatch
from schemas.windows import MV_PER_V, UWH_PER_KWH


@dataclass(frozen=True)
class WindowPartials:
    """One row per (group, length, start); every column is int64[k] or float64[k].

    Attributes:
        group_id: the group of meters, as the caller numbers them.
        window_s: length [s].
        start_us: start [us since 1970-01-01 UTC].
        readings: readings that fell in.
        energy_uwh: energy drawn [uWh].
        export_uwh: energy fed in [uWh].
        demand_peak_kw: highest demand [kW], NaN without any.
        voltage_count: readings with a voltage.
        voltage_sum_mv: sum of voltages [mV].
        voltage_min: [V], NaN without any.
        voltage_max: [V], NaN without any.
        restating: readings that came after the window had closed.
    """

    group_id: Ints
    window_s: Ints
    start_us: Ints
    readings: Ints
    energy_uwh: Ints
    export_uwh: Ints
    demand_peak_kw: Floats
    voltage_count: Ints
    voltage_sum_mv: Ints
    voltage_min: Floats
    voltage_max: Floats
    restating: Ints

    def __len__(self) -> int:
        return len(self.group_id)

    @classmethod
    def concat(cls, parts: list["WindowPartials"]) -> "WindowPartials":
        """Put partials one behind the other; equal keys are not merged."""
        return cls(**{f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(cls)})


def watermark(time_us: Ints, arrived_us: Ints, before_us: int) -> Ints:
    """Follow the newest event time of a partition.

    A clock that runs ahead cannot close windows early: a reading counts at most up to its own arrival.

    Args:
        time_us: int64[n], event times in partition order [us].
        arrived_us: int64[n], arrival times [us].
        before_us: watermark before the first of them [us].

    Returns: int64[n + 1], the watermark before each reading, and after the last.
    """
    marks: Ints = np.maximum.accumulate(np.r_[np.int64(before_us), np.minimum(time_us, arrived_us)])
    return marks


def summarise(
    batch: ReadingBatch, group_id: Ints, marks_us: Ints, lengths_s: tuple[int, ...], lateness_s: float
) -> WindowPartials:
    """Sum a batch up per group and window.

    Args:
        batch: n readings, each of which counts (no duplicates).
        group_id: int64[n].
        marks_us: int64[n], watermark of the partition before each reading [us].
        lengths_s: window lengths [s]; windows start at whole multiples of their length since 1970 (UTC).
        lateness_s: a window closes this long after its end [s].

    Returns: one row per group and window touched, sorted by (window_s, group_id, start_us).
    """
    return WindowPartials.concat(
        [_one_length(batch, group_id, marks_us, length, int(lateness_s * 1e6)) for length in lengths_s]
    )


def _one_length(batch: ReadingBatch, group_id: Ints, marks_us: Ints, length_s: int, lateness_us: int) -> WindowPartials:
    length_us = length_s * 1_000_000
    start = batch.time_us - batch.time_us % length_us
    order = np.lexsort((start, group_id))
    group, start = group_id[order], start[order]
    edge = np.r_[True, (group[1:] != group[:-1]) | (start[1:] != start[:-1])] if len(order) else np.empty(0, bool)
    first = np.flatnonzero(edge)
    voltage = batch.floats("voltage")[order]
    late = start + length_us + lateness_us <= marks_us[order]
    return WindowPartials(
        group_id=group[first],
        window_s=np.full(len(first), length_s, dtype=np.int64),
        start_us=start[first],
        readings=np.diff(np.r_[first, len(order)]),
        energy_uwh=_sum(_whole(batch.floats("consumption_kwh")[order], UWH_PER_KWH), first),
        export_uwh=_sum(_whole(batch.floats("export_kwh")[order], UWH_PER_KWH), first),
        demand_peak_kw=_reduce(np.fmax, batch.floats("demand_kw")[order], first),
        voltage_count=_sum((~np.isnan(voltage)).astype(np.int64), first),
        voltage_sum_mv=_sum(_whole(voltage, MV_PER_V), first),
        voltage_min=_reduce(np.fmin, voltage, first),
        voltage_max=_reduce(np.fmax, voltage, first),
        restating=_sum(late.astype(np.int64), first),
    )


def _whole(values: Floats, per_unit: int) -> Ints:
    """Return values as whole small units, null as 0."""
    whole: Ints = np.rint(np.nan_to_num(values, nan=0.0) * per_unit).astype(np.int64)
    return whole


def _sum(values: Ints, first: npt.NDArray[np.intp]) -> Ints:
    sums: Ints = np.add.reduceat(values, first) if len(first) else values
    return sums


def _reduce(how: np.ufunc, values: Floats, first: npt.NDArray[np.intp]) -> Floats:
    # Adding nothing makes -0.0 a plain zero: which of the two would win depends on their order.
    reduced: Floats = (how.reduceat(values, first) if len(first) else values) + 0.0
    return reduced
