"""How far estimates are off: real intervals are masked, estimated, and held against what was measured."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pytest

from processors.vee.estimate import estimate
from processors.vee.interval_series import IntervalSeries
from tests.vee import RULES

HALF_HOUR_US = 1_800_000_000
DAY = 48
#: Name, length [intervals], how many of each series are masked.
MASKS = (("1 h", 2, 60), ("6 h", 12, 40), ("2 d", 96, 12))
SEED = 20_261_121


def sgsc(data: Path) -> Iterator[tuple[str, IntervalSeries]]:
    """Every second home: by the others, `lcl_london` and `esb_hdf_ireland` the constants of estimation were chosen."""
    table = pa_csv.read_csv(data / "sgsc_meters" / "smart_meter10.csv.gz")
    times = table["reading_datetime"].cast("timestamp[us]").cast("int64").to_numpy()
    meters = table["customer_id"].to_numpy()
    for meter in np.unique(meters)[1::2]:
        mine = meters == meter
        yield f"{meter}", on_grid(times[mine], table["general_supply_kwh"].to_numpy()[mine])


def ausgrid(data: Path) -> Iterator[tuple[str, IntervalSeries]]:
    table = pa_csv.read_csv(data / "ausgrid_customer12" / "data_2011-2012.csv.gz")
    times = pc.cast(table.column(0), "timestamp[us]").cast("int64").to_numpy()
    for column in ("GC", "GG"):
        yield column, on_grid(times, table[column].to_numpy() / 2.0)


def on_grid(time_us: np.ndarray, kwh: np.ndarray) -> IntervalSeries:
    place = (time_us - time_us[0]) // HALF_HOUR_US
    values = np.full(int(place.max()) + 1, np.nan)
    values[place] = kwh
    # The sources stamp the begin of an interval.
    return IntervalSeries.of(int(time_us[0]) + HALF_HOUR_US, HALF_HOUR_US, values)


def masks(kwh: np.ndarray, length: int, count: int, chance: np.random.Generator) -> list[np.ndarray]:
    """Stretches that were measured, with a neighbour on both sides, two days or more from each other."""
    found, taken, margin = list[np.ndarray](), np.zeros(len(kwh), dtype=bool), 28 * DAY
    for first in chance.permutation(np.arange(margin, len(kwh) - margin - length)).tolist():
        around = slice(max(first - 2 * DAY, 0), first + length + 2 * DAY)
        if not np.isnan(kwh[first - 1 : first + length + 1]).any() and not taken[around].any():
            taken[first : first + length] = True
            found.append(np.arange(first, first + length))
            if len(found) == count:
                break
    return found


@dataclass
class Errors:
    """Absolute errors and sums over masked intervals."""

    linear: list[float] = field(default_factory=list)
    naive: list[float] = field(default_factory=list)
    ours: list[float] = field(default_factory=list)
    sums: tuple[float, float] = (0.0, 0.0)
    unserved: int = 0

    def add(self, series: IntervalSeries, stretches: list[np.ndarray]) -> None:
        at = np.concatenate(stretches)
        masked = series.without(at)
        truth, known = series.kwh[at], np.flatnonzero(~np.isnan(masked.kwh))
        line = np.interp(at, known, masked.kwh[known])
        week_ago = masked.kwh[at - 7 * DAY]
        found = estimate(masked, RULES.estimation.usual)
        ours = np.full(len(series.kwh), np.nan)
        ours[found.at] = found.kwh
        scored = ~np.isnan(week_ago)
        self.unserved += int(np.count_nonzero(np.isnan(ours[at])))
        for errors, values in ((self.linear, line), (self.naive, week_ago), (self.ours, ours[at])):
            errors.extend(np.abs(values - truth)[scored].tolist())
        self.sums = (self.sums[0] + float(ours[at].sum()), self.sums[1] + float(truth.sum()))

    def row(self) -> tuple[float, float, float]:
        return tuple(float(np.mean(errors)) for errors in (self.linear, self.naive, self.ours))  # type: ignore[return-value]


@pytest.mark.parametrize("name", ["sgsc_meters", "ausgrid_customer12"])
def test_estimates_are_never_worse_than_the_better_of_a_line_and_last_week(name: str, shared_data: Path) -> None:
    if not (shared_data / name).exists():
        pytest.skip(f"{name} is not here")
    chance = np.random.default_rng(SEED)
    total: dict[str, Errors] = defaultdict(Errors)
    worse = dict.fromkeys((label for label, *_ in MASKS), 0)
    series_count = 0
    for _, series in (sgsc if name == "sgsc_meters" else ausgrid)(shared_data):
        series_count += 1
        for label, length, count in MASKS:
            stretches, alone = masks(series.kwh, length, count, chance), Errors()
            for errors in (alone, total[label]):
                errors.add(series, stretches)
            line, week, ours = alone.row()
            worse[label] += ours > min(line, week) + 1e-12
    print(f"\n{name}: mean absolute error [kWh in a half hour], {series_count} series")  # noqa: T201 - the figures
    print("| masked | intervals | linear | week ago | ours | sum of ours / true sum | series where ours is worse |")  # noqa: T201
    for label, *_ in MASKS:
        errors = total[label]
        line, week, ours = errors.row()
        print(  # noqa: T201
            f"| {label} | {len(errors.ours):,} | {line:.4f} | {week:.4f} | {ours:.4f} | "
            f"{errors.sums[0] / errors.sums[1]:.3f} | {worse[label]} of {series_count} |"
        )
        assert errors.unserved == 0
        assert ours <= min(line, week)
