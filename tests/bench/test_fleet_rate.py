"""How fast a fleet generates: it must never be what bounds a load test."""

import time
from datetime import UTC, datetime

import pytest

from simulators.cohorts import cohorts
from simulators.dispatch import Dispatcher, Timing
from simulators.fleet import Fleet
from simulators.grid import Grid
from simulators.local_time import DAY_S
from simulators.profile import load_profile
from simulators.schedule import Window, schedule

DAY = 5_900
#: Processor time per reading is what counts; a busy machine takes up to three times as long for it.
LEAST_PER_S = 1_000_000


@pytest.mark.parametrize("interval_s", [300, 900, 1800])
def test_a_core_generates_a_million_readings_per_second(interval_s: int) -> None:
    fleet = Fleet(Grid.build(meters=100_000, seed=7), seed=7)
    fleet.day(DAY)
    start = datetime(2026, 2, 26, 8, tzinfo=UTC)
    began = time.process_time()
    readings = sum(len(batch) for batch in fleet.readings(start, 20, interval_s))
    rate = readings / (time.process_time() - began)
    print(f"{rate:,.0f} readings/s per core")  # noqa: T201 - the figure is what a benchmark is for
    assert readings == 20 * 100_000
    assert rate > LEAST_PER_S


def test_sending_times_and_faults_leave_three_hundred_thousand() -> None:
    grid = Grid.build(meters=100_000, seed=7)
    start, end = DAY * DAY_S, DAY * DAY_S + 6 * 3_600
    faults = schedule(load_profile("everyday"), grid, 7, Window(start, end, 900))
    fleet = Fleet(grid, 7, faults=faults)
    fleet.day(DAY)
    dispatcher = Dispatcher(fleet, cohorts(fleet, 900), Timing(45.0))
    began = time.process_time()
    readings = sum(len(part.batch) for part in dispatcher.run(start, end, 400_000))
    rate = readings / (time.process_time() - began)
    print(f"{rate:,.0f} readings/s per core")  # noqa: T201 - the figure is what a benchmark is for
    assert rate > 0.3 * LEAST_PER_S
