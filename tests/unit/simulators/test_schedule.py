"""Faults are drawn as the profile says, on what there is, and never two at a time on one element."""

import numpy as np
import pytest

from simulators.faults import CATALOGUE, CLASSES, FaultClass
from simulators.grid import Grid
from simulators.local_time import DAY_S
from simulators.profile import FaultRate, Profile, load_profile
from simulators.schedule import Event, Events, Window, schedule

GRID = Grid.build(20_000, 7)
WINDOW = Window(5_900 * DAY_S, 5_903 * DAY_S, 900)
EVERYDAY = schedule(load_profile("everyday"), GRID, 7, WINDOW)


def only(fault: FaultClass, **settings: object) -> Events:
    return schedule(Profile(faults={fault: FaultRate.model_validate(settings)}), GRID, 7, WINDOW)


def test_nothing_happens_when_nothing_is_asked_for() -> None:
    assert len(schedule(Profile(), GRID, 7, WINDOW)) == 0
    assert len(only(FaultClass.SPIKE)) == 0


def test_rates_are_events_per_element_and_day() -> None:
    assert len(only(FaultClass.SPIKE, rate=0.01)) == pytest.approx(3 * 20_000 * 0.01, rel=0.15)


def test_counts_are_events_per_run() -> None:
    assert len(only(FaultClass.SPIKE, count=40)) == 40


def test_a_rate_of_one_touches_every_meter() -> None:
    assert len(np.unique(only(FaultClass.SPIKE, rate=1.0).element)) == GRID.meters


def test_events_lie_in_the_run_and_cover_whole_intervals() -> None:
    assert (EVERYDAY.start_s >= WINDOW.start_s - 900).all()
    assert (EVERYDAY.end_s <= WINDOW.end_s).all()
    assert (EVERYDAY.end_s > EVERYDAY.start_s).all()
    of_readings = EVERYDAY.of(FaultClass.STUCK, FaultClass.THEFT, FaultClass.SAG)
    assert (of_readings.start_s % 900 == 0).all()
    assert (of_readings.end_s % 900 == 0).all()


def test_sizes_are_within_what_the_catalogue_says() -> None:
    for event in EVERYDAY:
        spec = CATALOGUE[CLASSES[event.fault]]
        assert spec.size[0] <= event.size <= spec.size[1]


def test_units_change_to_one_of_two() -> None:
    assert set(only(FaultClass.UNIT_CHANGE, rate=0.01).size.tolist()) == {10.0, 1000.0}


def overlap(one: Event, other: Event) -> bool:
    together = one.first < other.last and other.first < one.last
    return together and one.start_s < other.end_s and other.start_s < one.end_s


def test_no_fault_of_a_meter_happens_while_it_has_no_power_or_another_one() -> None:
    outages = list(EVERYDAY.of(FaultClass.FEEDER_OUTAGE, FaultClass.TRANSFORMER_OUTAGE))
    assert outages
    assert not any(overlap(one, event) for one in outages for event in EVERYDAY if event is not one and event != one)
    of_meters = EVERYDAY.where(EVERYDAY.last - EVERYDAY.first == 1)
    order = np.lexsort((of_meters.start_s, of_meters.first))
    meter, start, end = of_meters.first[order], of_meters.start_s[order], of_meters.end_s[order]
    same = meter[1:] == meter[:-1]
    assert (start[1:][same] >= end[:-1][same]).all()


def test_the_schedule_is_a_function_of_the_seed() -> None:
    again = schedule(load_profile("everyday"), GRID, 7, WINDOW)
    other = schedule(load_profile("everyday"), GRID, 8, WINDOW)
    assert list(again) == list(EVERYDAY)
    assert list(other) != list(EVERYDAY)


def test_rates_of_a_day_do_not_depend_on_the_length_of_the_run() -> None:
    longer = schedule(
        Profile(faults={FaultClass.SPIKE: FaultRate(rate=0.01)}), GRID, 7, Window(WINDOW.start_s, 5_910 * DAY_S, 900)
    )
    assert list(longer.during(WINDOW.start_s, WINDOW.end_s)) == list(only(FaultClass.SPIKE, rate=0.01))


def test_what_outlasts_the_run_ends_with_it() -> None:
    assert (only(FaultClass.THEFT, rate=0.01).end_s == WINDOW.end_s).any()


def test_events_touching_some_meters_are_found() -> None:
    some = slice(100, 200)
    touching = list(EVERYDAY.touching(some))
    assert touching == [event for event in EVERYDAY if event.first < 200 and event.last > 100]
