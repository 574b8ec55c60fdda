"""Window partials: what a batch adds to each window of each group, in whole numbers so that order cannot matter."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from processors.arrange import by_group_and_time
from schemas.layout import Floats, Ints, Mask
from schemas.quality import ANOMALY, MISSING, NORMAL, REJECTED, WARNING, Codes
from schemas.readings import ReadingBatch
from schemas.windows import DAY_S, HOUR_S, MV_PER_V, PPM, UWH_PER_KWH, VoltageBand

#: Later than any peak.
_NEVER_US = np.iinfo(np.int64).max
#: Flags that are counted, by the name of their column.
_FLAGGED = {"warnings": WARNING, "anomalies": ANOMALY, "missing": MISSING, "rejected": REJECTED}


@dataclass(frozen=True)
class WindowPartials:
    """One row per (group, length, start); every column is int64[k] or float64[k].

    Attributes:
        group_id: the group of meters, as the caller numbers them.
        window_s: length [s].
        start_us: start [us since 1970-01-01 UTC].
        readings: readings that fell in.
        meters: of those, the first of their meter in this window.
        hour_meters, day_meters: the first of their meter in its hour and local day; counted in the longest windows
            only, since an hour or a day is the sum of those.
        normal, warnings, anomalies, missing, rejected: readings of these flags; what is left over has another one.
        energy_uwh: energy drawn [uWh].
        export_uwh: energy fed in [uWh].
        reactive_uvarh: reactive energy [uvarh].
        demand_peak_kw: highest demand [kW], NaN without any.
        demand_peak_us: when that was first reached [us since 1970-01-01 UTC]; means nothing without a demand.
        power_factor_count: readings with a power factor.
        power_factor_ppm: sum of power factors [millionths].
        voltage_count: readings with a voltage.
        voltage_outside: those of them outside the limits.
        voltage_sum_mv: sum of voltages [mV].
        voltage_min: [V], NaN without any.
        voltage_max: [V], NaN without any.
        restating: readings that came after the window had closed.
    """

    group_id: Ints
    window_s: Ints
    start_us: Ints
    readings: Ints
    meters: Ints
    hour_meters: Ints
    day_meters: Ints
    normal: Ints
    warnings: Ints
    anomalies: Ints
    missing: Ints
    rejected: Ints
    energy_uwh: Ints
    export_uwh: Ints
    reactive_uvarh: Ints
    demand_peak_kw: Floats
    demand_peak_us: Ints
    power_factor_count: Ints
    power_factor_ppm: Ints
    voltage_count: Ints
    voltage_outside: Ints
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


@dataclass(frozen=True)
class Windowing:
    """How readings are cut into windows.

    Attributes:
        lengths_s: window lengths [s], the longest last; windows start at whole multiples of it since 1970 (UTC).
        lateness_s: a window closes this long after its end [s].
        band: voltages outside of it are counted.
    """

    lengths_s: tuple[int, ...]
    lateness_s: float
    band: VoltageBand


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
    batch: ReadingBatch, flag: Codes, group_id: Ints, first_in: Mapping[int, Mask], marks_us: Ints, how: Windowing
) -> WindowPartials:
    """Sum a batch up per group and window.

    Args:
        batch: n readings, each of which counts (no duplicates).
        flag: int8[n], code of a `QualityFlag`.
        group_id: int64[n].
        first_in: by length [s], also of an hour and a day: bool[n], whether a reading is the first of its meter in
            that window.
        marks_us: int64[n], watermark of the partition before each reading [us].
        how: lengths, each a multiple of the one before, lateness and limits.

    Returns: one row per group and window touched, sorted by (window_s, group_id, start_us).
    """
    order = by_group_and_time(group_id, batch.time_us)
    group, time_us, marks = group_id[order], batch.time_us[order], marks_us[order]
    sums, found = _measured(batch, flag, how.band, order)
    sums |= {f"meters of {length_s}": first[order].astype(np.int64) for length_s, first in first_in.items()}
    sums |= {f"late for {length_s}": _late(time_us, marks, length_s, how.lateness_s) for length_s in how.lengths_s}
    parts = []
    # Each length is summed up from the one before, of which there are fewer rows.
    for length_s in how.lengths_s:
        start = time_us - time_us % (length_s * 1_000_000)
        edge = np.r_[True, (group[1:] != group[:-1]) | (start[1:] != start[:-1])] if len(group) else np.empty(0, bool)
        first = np.flatnonzero(edge)
        sums = {name: _sum(values, first) for name, values in sums.items()}
        found = found.reduced(first)
        group, time_us = group[first], start[first]
        parts.append(_partials(length_s, group, time_us, sums, found, longest=length_s == how.lengths_s[-1]))
    return WindowPartials.concat(parts)


@dataclass(frozen=True)
class _Extremes:
    """What has a highest or lowest value, and when the highest demand was; null is NaN."""

    peak_kw: Floats
    peak_us: Ints
    low: Floats
    high: Floats

    def reduced(self, first: npt.NDArray[np.intp]) -> "_Extremes":
        """Return those of stretches that begin at some rows."""
        if not len(first):
            return self
        peak_kw = _reduce(np.fmax, self.peak_kw, first)
        of_stretch = np.repeat(peak_kw, np.diff(np.r_[first, len(self.peak_kw)]))
        # The earliest of equal peaks.
        at = np.minimum.reduceat(np.where(self.peak_kw == of_stretch, self.peak_us, _NEVER_US), first)
        return _Extremes(peak_kw, at, _reduce(np.fmin, self.low, first), _reduce(np.fmax, self.high, first))


def _partials(
    length_s: int, group: Ints, start_us: Ints, sums: Mapping[str, Ints], found: _Extremes, *, longest: bool
) -> WindowPartials:
    nothing = np.zeros_like(group)
    plain = {name: values for name, values in sums.items() if " " not in name}
    return WindowPartials(
        group_id=group,
        window_s=np.full(len(group), length_s, dtype=np.int64),
        start_us=start_us,
        meters=sums[f"meters of {length_s}"],
        hour_meters=sums[f"meters of {HOUR_S}"] if longest else nothing,
        day_meters=sums[f"meters of {DAY_S}"] if longest else nothing,
        restating=sums[f"late for {length_s}"],
        demand_peak_kw=found.peak_kw,
        demand_peak_us=found.peak_us,
        voltage_min=found.low,
        voltage_max=found.high,
        **plain,
    )


def _late(time_us: Ints, marks_us: Ints, length_s: int, lateness_s: float) -> Ints:
    """Return 1 for readings whose window had closed before they came, int64[n]."""
    end_us = time_us - time_us % (length_s * 1_000_000) + int((length_s + lateness_s) * 1e6)
    return (end_us <= marks_us).astype(np.int64)


def _measured(
    batch: ReadingBatch, flag: Codes, band: VoltageBand, order: npt.NDArray[np.intp]
) -> tuple[dict[str, Ints], _Extremes]:
    """Return what adds up, in whole small units, and what has extremes, both in the order given."""
    column = {
        name: batch.floats(name)[order]
        for name in ("consumption_kwh", "export_kwh", "reactive_kvarh", "demand_kw", "power_factor", "voltage")
    }
    voltage, flags = column["voltage"], flag[order]
    sums = {
        "readings": np.ones(len(order), dtype=np.int64),
        "energy_uwh": _whole(column["consumption_kwh"], UWH_PER_KWH),
        "export_uwh": _whole(column["export_kwh"], UWH_PER_KWH),
        "reactive_uvarh": _whole(column["reactive_kvarh"], UWH_PER_KWH),
        "power_factor_count": _present(column["power_factor"]),
        "power_factor_ppm": _whole(column["power_factor"], PPM),
        "voltage_count": _present(voltage),
        "voltage_outside": ((voltage < band.low) | (voltage > band.high)).astype(np.int64),
        "voltage_sum_mv": _whole(voltage, MV_PER_V),
        "normal": (flags == NORMAL).astype(np.int64),
        **{name: (flags == code).astype(np.int64) for name, code in _FLAGGED.items()},
    }
    return sums, _Extremes(column["demand_kw"], batch.time_us[order], voltage, voltage)


def _present(values: Floats) -> Ints:
    return (~np.isnan(values)).astype(np.int64)


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
