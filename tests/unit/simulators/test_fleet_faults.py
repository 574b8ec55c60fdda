"""Each class of faults does what its catalogue entry says, to the readings in its label and to no others."""

import numpy as np
import pytest

from simulators.faults import CATALOGUE, FaultClass, Stage
from simulators.fleet import Fleet
from simulators.grid import Grid
from simulators.local_time import DAY_S
from simulators.profile import FaultRate, Profile
from simulators.schedule import Event, Events, Window, schedule
from simulators.slab import Slab
from simulators.span import Span

GRID = Grid.build(600, 7)
METERS = np.arange(600)
SPAN = Span(5_900, 0, 96, 15)
WINDOW = Window(5_900 * DAY_S, 5_901 * DAY_S, 900)
CLEAN = Fleet(GRID, 7).slab(SPAN, METERS)


def fleet_with(fault: FaultClass, **settings: object) -> tuple[Fleet, Events]:
    events = schedule(Profile(faults={fault: FaultRate.model_validate({"count": 8} | settings)}), GRID, 7, WINDOW)
    assert len(events)
    return Fleet(GRID, 7, faults=events), events


def inside(slab: Slab, event: Event) -> tuple[slice, slice]:
    return slab.part(event.first, event.last, event.start_s, event.end_s)


def differs(slab: Slab, name: str) -> np.ndarray:
    return ~((slab.columns[name] == CLEAN.columns[name]) | np.isnan(CLEAN.columns[name]))


@pytest.mark.parametrize(
    ("fault", "columns"),
    [
        (FaultClass.SPIKE, {"consumption_kwh", "demand_kw"}),
        (FaultClass.NEGATIVE, {"consumption_kwh", "demand_kw"}),
        (FaultClass.SAG, {"voltage", "current_amps"}),
        (FaultClass.SWELL, {"voltage", "current_amps"}),
    ],
)
def test_faults_of_the_display_change_their_readings_and_no_others(fault: FaultClass, columns: set[str]) -> None:
    fleet, events = fleet_with(fault)
    slab = fleet.slab(SPAN, METERS)
    touched = np.zeros(CLEAN.silent.shape, dtype=bool)
    for event in events:
        touched[inside(slab, event)] = True
    for name in slab.columns:
        changed = differs(slab, name)
        assert not changed[~touched].any(), name
        assert (name in columns) == changed.any(), name


def test_a_spike_is_as_large_as_its_label_says() -> None:
    fleet, events = fleet_with(FaultClass.SPIKE)
    slab = fleet.slab(SPAN, METERS)
    for event in events:
        where = inside(slab, event)
        least = np.maximum(CLEAN.columns["consumption_kwh"][where], 0.0625)
        np.testing.assert_allclose(slab.columns["consumption_kwh"][where], event.size * least, atol=1e-4)


def test_energy_turns_negative() -> None:
    fleet, events = fleet_with(FaultClass.NEGATIVE)
    slab = fleet.slab(SPAN, METERS)
    assert all((slab.columns["consumption_kwh"][inside(slab, event)] < 0).all() for event in events)


def test_a_stuck_meter_repeats_its_last_good_reading() -> None:
    fleet, events = fleet_with(FaultClass.STUCK, minutes=[180, 480])
    slab = fleet.slab(SPAN, METERS)
    for event in events:
        rows, columns = inside(slab, event)
        for name, values in slab.columns.items():
            before = CLEAN.columns[name][rows.start - 1, columns.start]
            assert ((values[rows, columns] == before) | np.isnan(before)).all(), name
    assert (slab.clock_s == CLEAN.clock_s).all()


def test_units_change_for_voltage_or_for_all_energies() -> None:
    fleet, events = fleet_with(FaultClass.UNIT_CHANGE)
    slab = fleet.slab(SPAN, METERS)
    for event in events:
        where, name = inside(slab, event), "voltage" if event.size == 10 else "register_kwh"
        np.testing.assert_allclose(slab.columns[name][where], event.size * CLEAN.columns[name][where], rtol=1e-9)


def test_a_register_rolls_over_and_is_reset_once() -> None:
    for fault in (FaultClass.REGISTER_ROLLOVER, FaultClass.REGISTER_RESET):
        fleet, events = fleet_with(fault)
        register = fleet.slab(SPAN, METERS).columns["register_kwh"]
        for event in events:
            falls = np.flatnonzero(np.diff(register[:, event.first]) < 0)
            assert len(falls) == 1
            end = SPAN.edges_s[1:][falls[0] + 1]
            assert event.start_s < end <= event.start_s + 4 * 900  # a quiet meter may need a while for a watt-hour
    assert (fleet.slab(SPAN, METERS).columns["consumption_kwh"] == CLEAN.columns["consumption_kwh"]).all()


def test_a_rollover_happens_at_a_power_of_ten() -> None:
    fleet, events = fleet_with(FaultClass.REGISTER_ROLLOVER)
    register = fleet.slab(SPAN, METERS).columns["register_kwh"]
    for event in events:
        top = register[:, event.first].max()
        assert 10 ** np.ceil(np.log10(top)) - top < 60


def test_a_dead_meter_counts_nothing_and_a_bypass_takes_its_share() -> None:
    for fault in (FaultClass.ZERO, FaultClass.THEFT):
        fleet, events = fleet_with(fault, minutes=[300, 600])
        slab = fleet.slab(SPAN, METERS)
        for event in events:
            where = inside(slab, event)
            real, counted = (part.columns["consumption_kwh"][where].sum() for part in (CLEAN, slab))
            assert counted == pytest.approx((1 - event.size) * real, abs=0.002)
            assert (slab.columns["voltage"][where] > 200).all()


def test_reversed_polarity_counts_what_is_drawn_as_fed_in() -> None:
    fleet, events = fleet_with(FaultClass.REVERSED_POLARITY)
    slab = fleet.slab(SPAN, METERS)
    for event in events:
        where = inside(slab, event)
        assert (slab.columns["consumption_kwh"][where] == 0).all()
        exported = np.nan_to_num(slab.columns["export_kwh"][where]) - np.nan_to_num(CLEAN.columns["export_kwh"][where])
        np.testing.assert_allclose(exported, CLEAN.columns["consumption_kwh"][where], atol=1e-9)
        assert (np.isnan(slab.columns["export_kwh"]) <= np.isnan(CLEAN.columns["export_kwh"])).all()


def test_an_overload_brings_the_transformer_to_what_its_label_says() -> None:
    fleet, events = fleet_with(FaultClass.OVERLOAD, count=2, minutes=[180, 240])
    usual, day = Fleet(GRID, 7).day(5_900), fleet.day(5_900)
    for event in events:
        loading = day.load_w[:, event.element] / 950 / GRID.transformer_kva[event.element]
        assert event.size * 0.75 < loading.max() < event.size * 1.35
        assert day.voltages.terminals[:, event.element].min() < usual.voltages.terminals[:, event.element].min()


def test_lost_readings_are_silent_and_the_register_goes_on() -> None:
    for fault in (FaultClass.MISSING, FaultClass.METER_OUTAGE):
        fleet, events = fleet_with(fault)
        slab = fleet.slab(SPAN, METERS)
        expected = np.zeros(slab.silent.shape, dtype=bool)
        for event in events:
            expected[inside(slab, event)] = True
        assert (slab.silent == expected).all()
        assert (slab.columns["register_kwh"] == CLEAN.columns["register_kwh"]).all()


def test_a_drifting_clock_gains_what_its_label_says() -> None:
    fleet, events = fleet_with(FaultClass.CLOCK_DRIFT)
    slab = fleet.slab(SPAN, METERS)
    for event in events:
        rows, columns = inside(slab, event)
        elapsed = CLEAN.clock_s[rows, columns] - event.start_s
        gained = slab.clock_s[rows, columns] - CLEAN.clock_s[rows, columns]
        assert np.abs(gained - elapsed * event.size / DAY_S).max() <= 0.5


def test_every_class_that_can_show_in_readings_was_tested_above() -> None:
    here = {fault for fault, spec in CATALOGUE.items() if spec.stage in (Stage.DISPLAY, Stage.METERING)}
    assert here == {
        FaultClass.SPIKE, FaultClass.STUCK, FaultClass.NEGATIVE, FaultClass.REGISTER_ROLLOVER,
        FaultClass.REGISTER_RESET, FaultClass.UNIT_CHANGE, FaultClass.SAG, FaultClass.SWELL, FaultClass.ZERO,
        FaultClass.THEFT, FaultClass.REVERSED_POLARITY,
    }  # fmt: skip
