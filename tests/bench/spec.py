"""The job that the engine and its peers do, and the readings that it is done on.

The job, for every reading of a Kafka topic (one JSON object, a JSON array, or an Arrow stream per record):

1. decode;
2. reject what cannot be true, by the ranges of `processors.validate`;
3. flag voltages below 210 V or above 250 V;
4. keep each meter's usual interval, average, and profile of 48 slots of the week with a robust spread, and call a
   reading an anomaly that is far above both;
5. score it with the one Isolation Forest, on its 13 features;
6. sum 15-minute windows per transformer, exactly;
7. write it to `meter_readings` so that writing it twice changes nothing;
8. keep each meter's newest reading in Redis;
9. emit alerts and rejects to Kafka.

Every reading of a meter with a past has a score, so a run that left the forest out is found.

The engine, and the plain loop with its arithmetic, judge by twelve signals, this profile among them; the other peers do
no more than the job says. So flags and scores differ, and nothing of a meter's past enters the comparison.

A run counts only if rows, sums, scored rows, windows, rejects and newest values are those that `expected` works out
from the input alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from schemas.readings import ReadingBatch

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: 2026-03-02T00:00:00Z, a Monday [s].
START_S = 1_772_409_600
WINDOW_S = 900
UWH_PER_KWH, MV_PER_V = 1e9, 1e3


@dataclass(frozen=True)
class Load:
    """Readings as a fleet sends them: all meters of an interval, then the next interval.

    Attributes:
        meters: how many.
        intervals: readings per meter.
        interval_s: time between them [s].
        per_transformer: meters that share a transformer.
        bad_share: readings that validation must reject.
        spike_share: readings of ten times the usual energy.
        seed: the same seed gives the same readings.
    """

    meters: int
    intervals: int
    interval_s: int = 900
    per_transformer: int = 50
    bad_share: float = 0.002
    spike_share: float = 0.0005
    seed: int = 7

    def __len__(self) -> int:
        return self.meters * self.intervals

    @property
    def transformers(self) -> int:
        """How many there are."""
        return -(-self.meters // self.per_transformer)

    @property
    def names(self) -> pa.StringArray:
        """Meter numbers, text[meters]."""
        return pa.array([f"M{number:07d}" for number in range(self.meters)])

    def transformer_of(self) -> Ints:
        """Return each meter's transformer, int64[meters], counted from 0."""
        return np.arange(self.meters, dtype=np.int64) // self.per_transformer

    def ticks(self) -> Iterator["Tick"]:
        """Yield one interval after another; what meters measure is rounded as meters round it."""
        rng = np.random.default_rng(self.seed)
        habit = rng.gamma(4.0, 0.05, self.meters)
        for number in range(self.intervals):
            time_s = START_S + number * self.interval_s
            hour = time_s % 86_400 / 3_600
            energy = habit * (1.0 + 0.5 * np.sin(hour / 24 * 2 * np.pi)) * rng.gamma(16.0, 1 / 16, self.meters)
            energy[rng.random(self.meters) < self.spike_share] *= 10.0
            voltage = np.clip(rng.normal(230.0, 6.0, self.meters), 201.0, 259.0)
            bad = rng.random(self.meters) < self.bad_share
            voltage[bad] = 400.0
            power_factor = rng.uniform(0.85, 1.0, self.meters)
            power_kw = energy * 3600 / self.interval_s
            yield Tick(
                time_s,
                np.round(energy, 4),
                np.round(power_kw, 3),
                np.round(voltage, 1),
                np.round(power_kw * 1e3 / (voltage * power_factor), 2),
                np.round(power_factor, 3),
                ~bad,
            )


@dataclass(frozen=True)
class Tick:
    """One interval of all meters; every column is an array of length meters.

    Attributes:
        time_s: reading time [s since 1970].
        energy_kwh: [kWh].
        demand_kw: [kW].
        voltage: [V].
        current_amps: [A].
        power_factor: 0 to 1.
        good: which ones validation must let through.
    """

    time_s: int
    energy_kwh: Floats
    demand_kw: Floats
    voltage: Floats
    current_amps: Floats
    power_factor: Floats
    good: npt.NDArray[np.bool_]

    def batch(self, names: pa.StringArray, rows: npt.NDArray[np.intp]) -> ReadingBatch:
        """Return some meters' readings as the engine's columns."""
        return ReadingBatch.from_columns(
            meter_number=names.take(pa.array(rows)),
            reading_time=np.full(len(rows), self.time_s * 1_000_000),
            consumption_kwh=self.energy_kwh[rows],
            demand_kw=self.demand_kw[rows],
            voltage=self.voltage[rows],
            current_amps=self.current_amps[rows],
            power_factor=self.power_factor[rows],
        )


@dataclass
class Outcome:
    """What a run left in the database, or should have left.

    Attributes:
        meters: meter number -> (rows, sum of times [s], energy [uWh], voltage [mV], rows with a score).
        windows: (transformer, start [s]) -> (readings, energy [uWh], voltages, voltage sum [mV], peak [kW], lowest,
            highest voltage [V]).
        newest: meter number -> time of its newest reading in Redis [us].
        rejected: records in the topic of rejects.
        flags: flag -> rows.
    """

    meters: dict[str, tuple[int, ...]] = field(default_factory=dict)
    windows: dict[tuple[str, int], tuple[float, ...]] = field(default_factory=dict)
    newest: dict[str, int] = field(default_factory=dict)
    rejected: int = 0
    flags: dict[str, int] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """Rows in all."""
        return sum(found[0] for found in self.meters.values())


def expected(load: Load) -> Outcome:
    """Work out from the input alone what must be stored; flags are left to the run itself."""
    per_meter = np.zeros((5, load.meters), dtype=np.int64)
    newest_s, has_past = np.zeros(load.meters, dtype=np.int64), np.zeros(load.meters, dtype=bool)
    box = load.transformer_of()
    windows: dict[int, list[npt.NDArray[np.float64]]] = {}
    for tick in load.ticks():
        uwh = np.rint(tick.energy_kwh * UWH_PER_KWH).astype(np.int64) * tick.good
        mv = np.rint(tick.voltage * MV_PER_V).astype(np.int64) * tick.good
        scored = tick.good & has_past
        # A past is a power that was seen; the first reading's interval is not known yet.
        has_past |= tick.good & (per_meter[0] > 0) & (tick.energy_kwh > 0)
        per_meter += np.stack([tick.good, tick.time_s * tick.good, uwh, mv, scored]).astype(np.int64)
        newest_s[tick.good] = tick.time_s
        start = tick.time_s - tick.time_s % WINDOW_S
        sums = np.stack([np.bincount(box, part, load.transformers) for part in (tick.good, uwh, tick.good, mv)])
        extremes = np.stack(
            [
                _each(np.fmax, np.where(tick.good, tick.demand_kw, np.nan), box, load.transformers),
                _each(np.fmin, np.where(tick.good, tick.voltage, np.nan), box, load.transformers),
                _each(np.fmax, np.where(tick.good, tick.voltage, np.nan), box, load.transformers),
            ]
        )
        windows.setdefault(start, []).append(np.vstack([sums, extremes]))
    names = load.names.to_pylist()
    found = Outcome(
        {name: tuple(row) for name, row in zip(names, per_meter.T.tolist(), strict=True) if row[0]},
        newest={name: time_s * 1_000_000 for name, time_s in zip(names, newest_s.tolist(), strict=True) if time_s},
        rejected=len(load) - int(per_meter[0].sum()),
    )
    for start, parts in windows.items():
        stacked = np.stack(parts)
        merged = np.vstack(
            [
                stacked[:, :4].sum(axis=0),
                np.fmax.reduce(stacked[:, 4])[None],
                np.fmin.reduce(stacked[:, 5])[None],
                np.fmax.reduce(stacked[:, 6])[None],
            ]
        )
        for number, row in enumerate(merged.T.tolist()):
            if row[0]:
                found.windows[f"T{number:05d}", start] = tuple(row)
    return found


def _each(how: np.ufunc, values: Floats, group: Ints, groups: int) -> Floats:
    """Reduce values per group; groups stand together and none is empty."""
    edges = np.searchsorted(group, np.arange(groups))
    reduced: Floats = how.reduceat(values, edges)
    return reduced
