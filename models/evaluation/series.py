"""Series with known truth: public data sets and simulator runs in one shape."""

import csv
import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from schemas.layout import Floats, Ints, Mask

_US = 1_000_000
_DAY_US = 86_400 * _US
#: Where data has no date of its own: a Monday [us].
_MONDAY_US = 1_704_067_200 * _US


@dataclass(frozen=True)
class Series:
    """One labelled series.

    Attributes:
        group: the data set.
        name: of the series in it.
        time_us: int64[n], rising [us].
        values: float64[n, c], what every detector sees; the first column is the load or what stands for it.
        columns: what the values are: names of measured columns of a reading.
        windows: int64[w, 2], first and last instant of each labelled anomaly, in order [us].
        interval_s: usual time between values [s].
    """

    group: str
    name: str
    time_us: Ints
    values: Floats
    columns: tuple[str, ...]
    windows: Ints
    interval_s: float

    def anomalous(self) -> Mask:
        """Return which values lie in a window, bool[n]."""
        begun = np.searchsorted(self.windows[:, 0], self.time_us, side="right")
        ended = np.searchsorted(self.windows[:, 1], self.time_us, side="left")
        return np.asarray(begun > ended)


def nab(folder: Path) -> Iterator[Series]:
    """The Numenta Anomaly Benchmark's series with known causes; values stand for power [kW]."""
    windows = json.loads((folder / "labels" / "combined_windows.json").read_text())
    for path, spans in sorted(windows.items()):
        rows = [(_us(row["timestamp"]), float(row["value"])) for row in _rows(folder / "data" / f"{path}.gz")]
        labelled = [(_us(start), _us(end)) for start, end in spans]
        yield _series("nab", Path(path).stem, rows, labelled)


def appliance_faults(folder: Path) -> Iterator[Series]:
    """Appliances, ten normal days and then ten with one kind of fault, each file on the next free day [kW]."""
    for path in sorted(folder.glob("*.csv.gz")):
        files: dict[str, list[tuple[int, float, bool]]] = {}
        with gzip.open(path, "rt") as file:
            for row in csv.DictReader(file):
                found = _us(row["ctime"]), float(row["activePower"] or "nan") / 1000, row["label"] in ("1", "1.0")
                files.setdefault(row["source_file"], []).append(found)
        normal = [rows for name, rows in files.items() if name.startswith("Normal")]
        kinds = sorted({name.partition("/")[0] for name in files} - {"Normal"})
        for kind in kinds:
            days = normal + [rows for name, rows in files.items() if name.startswith(f"{kind}/")]
            device = path.name.partition("_1.")[0]
            yield _stitched(f"{device}/{kind}", days)


def dutch_power_demand(folder: Path) -> Iterator[Series]:
    """A building's demand over a year of quarter hours, with three weeks reported as anomalous."""
    values = np.loadtxt(folder / "dutch_power_demand.txt")
    # 1997, as the literature has it, began on a Wednesday.
    start = int(datetime(1997, 1, 1, tzinfo=UTC).timestamp()) * _US
    times = start + 900 * _US * np.arange(len(values), dtype=np.int64)
    with (folder / "reported_anomalies.csv").open() as file:
        spans = [(int(row["start_row_1based"]) - 1, int(row["end_row_1based"]) - 1) for row in csv.DictReader(file)]
    windows = np.array(sorted((times[first], times[last]) for first, last in spans), dtype=np.int64)
    yield Series("dutch_power_demand", "1997", times, values[:, None], ("demand_kw",), windows, 900.0)


def transformer_iot(folder: Path) -> Iterator[Series]:
    """A distribution transformer: load, voltage and oil temperature; its alarm contacts stand for truth."""
    electric = {row["DeviceTimeStamp"]: row for row in _rows(folder / "CurrentVoltage.csv.gz")}
    times, values, alarms = list[int](), list[tuple[float, ...]](), list[bool]()
    for row in _rows(folder / "Overview.csv.gz"):
        time_us, other = _us(row["DeviceTimeStamp"]), electric.get(row["DeviceTimeStamp"])
        if other is None or (times and time_us <= times[-1]):
            continue
        volts, amps = float(other["VL1"]), sum(float(other[name]) for name in ("IL1", "IL2", "IL3"))
        times.append(time_us)
        values.append((volts * amps / 1000, volts, amps, float(row["OTI"])))
        alarms.append(any(row[name] == "1" for name in ("OTI_A", "OTI_T", "MOG_A")))
    columns = ("demand_kw", "voltage", "current_amps", "temperature_c")
    time = np.array(times, dtype=np.int64)
    windows = spans_of(time, np.array(alarms, dtype=bool), 6 * 3_600 * _US)
    yield Series("transformer_iot", "transformer", time, np.array(values), columns, windows, 900.0)


def spans_of(time_us: Ints, marked: Mask, gap_us: int) -> Ints:
    """Return int64[w, 2], first and last instant of each run of marked values; pauses up to a gap do not part them."""
    at = time_us[marked]
    if not len(at):
        return np.empty((0, 2), dtype=np.int64)
    breaks = np.flatnonzero(np.diff(at) > gap_us)
    return np.stack([at[np.r_[0, breaks + 1]], at[np.r_[breaks, len(at) - 1]]], axis=1)


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with gzip.open(path, "rt") as file:
        yield from csv.DictReader(file)


def _us(text: str) -> int:
    """Read a time; the sets state no zone, so each is read as it stands."""
    if "/" in text:
        moment = datetime.strptime(text, "%m/%d/%Y %H:%M").replace(tzinfo=UTC)
    else:
        moment = datetime.fromisoformat(text).replace(tzinfo=UTC)
    return int(moment.timestamp()) * _US


def _series(group: str, name: str, rows: list[tuple[int, float]], spans: list[tuple[int, int]]) -> Series:
    by_time = dict(rows)  # of a time that comes twice (a clock set back), the last value counts
    times = np.array(sorted(by_time), dtype=np.int64)
    values = np.array([by_time[at] for at in times.tolist()])
    windows = np.array(sorted(spans), dtype=np.int64).reshape(-1, 2)
    return Series(group, name, times, values[:, None], ("demand_kw",), windows, float(np.median(np.diff(times)) / _US))


def _stitched(name: str, days: list[list[tuple[int, float, bool]]]) -> Series:
    """Put day-long files one behind the other, each beginning at its own time of day."""
    times, values, labels, free = list[int](), list[float](), list[bool](), _MONDAY_US
    for rows in days:
        first = rows[0][0]
        shift = -(-(free - first) // _DAY_US) * _DAY_US
        for at, value, label in rows:
            if not times or at + shift > times[-1]:
                times.append(at + shift)
                values.append(value)
                labels.append(label)
        free = times[-1] + 60 * _US
    time = np.array(times, dtype=np.int64)
    windows = spans_of(time, np.array(labels, dtype=bool), 5 * 60 * _US)
    return Series("appliance_faults", name, time, np.array(values)[:, None], ("demand_kw",), windows, 60.0)
