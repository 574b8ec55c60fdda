"""Simulated fleets as labelled series: what the evaluation knows of everyday faults."""

from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np

from models.evaluation.series import Series
from schemas.readings import ReadingBatch
from simulators.faults import FaultClass
from simulators.fleet import Fleet
from simulators.grid import Grid
from simulators.labels import Label, labels
from simulators.local_time import DAY_S, day_of
from simulators.profile import FaultRate, Profile
from simulators.schedule import Window, schedule
from stream.training.source import from_fleet

_START = datetime(2024, 1, 1, tzinfo=UTC)
_STEP_S = 900
#: Days without faults: the probation of 15 % and a few more to learn.
_WARM_DAYS, _DAYS = 10, 24
_COLUMNS = ("demand_kw", "voltage", "current_amps", "register_kwh")
#: What shows in readings that arrive; silence and the transport have no reading to score.
FAULTS = (
    FaultClass.SPIKE,
    FaultClass.STUCK,
    FaultClass.UNIT_CHANGE,
    FaultClass.ZERO,
    FaultClass.THEFT,
    FaultClass.REVERSED_POLARITY,
    FaultClass.REGISTER_RESET,
)


def simulated(group: str, meters: int, seed: int) -> Iterator[Series]:
    """Yield one series per meter of a fleet in which every third meter has a fault, and some streets sags and swells.

    Args:
        group: name of the data set.
        meters: how many.
        seed: of fleet and faults.
    """
    first = day_of(_START) * DAY_S
    rates = {fault: FaultRate(count=max(meters // 20, 1)) for fault in FAULTS}
    rates |= {fault: FaultRate(count=max(meters // 40, 1)) for fault in (FaultClass.SAG, FaultClass.SWELL)}
    grid = Grid.build(meters, seed)
    window = Window(first + _WARM_DAYS * DAY_S, first + _DAYS * DAY_S, _STEP_S)
    faults = schedule(Profile(faults=rates), grid, seed, window)
    fleet = Fleet(grid, seed, faults=faults)
    columns: dict[str, list[np.ndarray]] = {name: [] for name in ("meter", "time", "consumption_kwh", *_COLUMNS[1:])}
    for batch in fleet.readings(_START, _DAYS * DAY_S // _STEP_S, _STEP_S):
        columns["meter"].append(np.array(batch.meter_number.to_pylist()))
        columns["time"].append(batch.time_us)
        for name in ("consumption_kwh", *_COLUMNS[1:]):
            columns[name].append(batch.floats(name))
    whole = {name: np.concatenate(parts) for name, parts in columns.items()}
    windows = _windows(list(labels(faults, grid)))
    for name in np.unique(whole["meter"]).tolist():
        mine = np.flatnonzero(whole["meter"] == name)
        mine = mine[np.unique(whole["time"][mine], return_index=True)[1]]
        mine = mine[~np.isnan(whole["consumption_kwh"][mine])]
        values = np.stack(
            [whole["consumption_kwh"][mine] * 3600 / _STEP_S, *(whole[column][mine] for column in _COLUMNS[1:])], axis=1
        )
        spans = np.array(windows.get(name, []), dtype=np.int64).reshape(-1, 2)
        yield Series(group, f"{group}/{name}", whole["time"][mine], values, _COLUMNS, spans, float(_STEP_S))


def healthy(meters: int, seed: int, days: int) -> Iterator[tuple[str, ReadingBatch]]:
    """Yield the readings of each class of meters of a fleet in which nothing goes wrong, by the name of the class."""
    source = from_fleet(meters, seed, _START, days, _STEP_S)
    whole = ReadingBatch.concat(list(source.batches))
    classes = np.array([source.classes[name] for name in whole.meter_number.to_pylist()])
    for name in np.unique(classes).tolist():
        yield name, whole.where(classes == name)


def _windows(truth: list[Label]) -> dict[str, list[tuple[int, int]]]:
    found: dict[str, list[tuple[int, int]]] = {}
    for label in sorted(truth, key=lambda one: one.start):
        span = int(label.start.timestamp()) * 1_000_000 + 1, int(label.end.timestamp()) * 1_000_000
        for meter in label.meters:
            mine = found.setdefault(meter, [])
            if mine and span[0] <= mine[-1][1]:
                mine[-1] = mine[-1][0], max(mine[-1][1], span[1])
            else:
                mine.append(span)
    return found
