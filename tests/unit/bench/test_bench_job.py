"""The peers' arithmetic, one reading at a time: it refuses what the engine refuses, and finds what stands out."""

import importlib.util
import math
from collections import defaultdict
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from processors.features import features
from processors.judge import judge
from processors.judging import Judging
from processors.state import MeterState
from processors.validate import Limits, validate
from schemas.json_writer import write_array
from tests.bench.spec import Load


def by_path(name: str) -> ModuleType:
    """Peers are scripts of another environment, not a package."""
    path = Path(__file__).resolve().parents[2] / "bench" / "peers" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"bench_peers_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


job = by_path("job")
LOAD = Load(meters=12, intervals=260, bad_share=0.01, spike_share=0.01)
ARRIVED_US = 1_780_000_000_000_000


def test_peers_refuse_what_the_engine_refuses_and_find_what_stands_out() -> None:
    names, everybody = LOAD.names, np.arange(LOAD.meters)
    bases: dict[str, Any] = defaultdict(job.Base)
    slots: dict[tuple[str, int], Any] = defaultdict(job.Slot)
    flags: dict[tuple[bool, str], int] = defaultdict(int)
    usual = np.median([tick.energy_kwh for tick in LOAD.ticks()], axis=0)
    for tick in LOAD.ticks():
        batch = tick.batch(names, everybody)
        good = validate(batch, np.full(len(batch), ARRIVED_US), Limits()) == 0
        checked = [job.check(one, 0, 0, ARRIVED_US) for one in job.decode(write_array(batch))]
        assert [not isinstance(one, str) for one in checked] == good.tolist()
        for row in np.flatnonzero(good).tolist():
            found = checked[row]
            own, other = job.slots_of(found.time_us)
            verdict = job.judge(found, bases[found.meter], slots[found.meter, own], slots[found.meter, other])
            bases[found.meter], slots[found.meter, own] = verdict.base, verdict.slot
            if not math.isnan(verdict.score):
                flags[bool(found.energy_kwh > 5 * usual[row]), verdict.flag] += 1
    assert flags[True, job.ANOMALY] > 5
    # Ten times as much at an hour of little use may be less than five times the median.
    assert flags[True, job.NORMAL] == 0
    assert flags[False, job.ANOMALY] < 5


def test_a_forest_sees_the_same_of_a_reading_whoever_follows_its_meter() -> None:
    names, everybody, state = LOAD.names, np.arange(LOAD.meters), MeterState()
    bases: dict[str, Any] = defaultdict(job.Base)
    compared = 0
    # On the first day nobody calls anything unusual, so everybody learns the same.
    for tick in list(LOAD.ticks())[:90]:
        batch = tick.batch(names, everybody)
        good = validate(batch, np.full(len(batch), ARRIVED_US), Limits()) == 0
        batch = batch.where(good)
        past = judge(batch, state.rows(batch.meter_number), state, Judging()).past
        wanted = features(batch, past, np.empty(0, dtype=np.int64))
        for row, one in enumerate(job.decode(write_array(batch))):
            reading = job.check(one, 0, 0, ARRIVED_US)
            verdict = job.judge(reading, bases[reading.meter], job.EMPTY, job.EMPTY)
            bases[reading.meter] = verdict.base
            known = bool(past.peak_kw[row] > 0)
            assert math.isnan(verdict.features[5]) is not known
            if known:
                np.testing.assert_allclose(verdict.features, wanted[row], rtol=1e-4, atol=1e-5)
                compared += 1
    assert compared > 80 * LOAD.meters


def test_windows_sum_up_whatever_the_order() -> None:
    readings = [job.Reading("M1", 0, energy, energy * 4, 230.0 + energy, None, None, 0, 0, 0) for energy in (0.3, 0.1)]
    totals = []
    for order in (readings, readings[::-1]):
        window = job.Window()
        for found in order:
            window = job.add(window, found)
        totals.append(window)
    assert totals[0] == totals[1] == job.Window(2, 400_000_000, 2, 460_400, 1.2, 230.1, 230.3)
