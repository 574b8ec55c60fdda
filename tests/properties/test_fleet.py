"""What must hold of every fleet, whatever its size, seed and time."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.readings import ReadingBatch
from simulators.faults import FaultClass
from simulators.fleet import Fleet
from simulators.grid import Grid
from simulators.local_time import DAY_S
from simulators.profile import FaultRate, Profile
from simulators.schedule import Events, Window, schedule
from simulators.span import Span
from simulators.transformers import TransformerMeters

INTERVALS = (60, 300, 900, 1800, 3600)
DAYS = st.integers(min_value=0, max_value=7_000)


def moment(day: int, minute: int) -> datetime:
    return datetime(2010, 1, 1, tzinfo=UTC) + timedelta(days=day, minutes=minute)


def column(batch: ReadingBatch, name: str, meters: int) -> np.ndarray:
    return batch.floats(name).reshape(-1, meters)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**63), day=DAYS, minute=st.integers(0, 1439), interval=st.sampled_from(INTERVALS))
def test_intervals_add_up_to_the_register(seed: int, day: int, minute: int, interval: int) -> None:
    fleet = Fleet(Grid.build(meters=60, seed=seed), seed=seed)
    (batch,) = fleet.readings(moment(day, minute), 60, interval)
    register = np.rint(1000 * column(batch, "register_kwh", 60)).astype(np.int64)
    energy = np.rint(1000 * column(batch, "consumption_kwh", 60)).astype(np.int64)
    assert (energy >= 0).all()
    assert (np.diff(register, axis=0) == energy[1:]).all()


@pytest.mark.parametrize("interval", [60, 300, 900])
def test_short_intervals_add_up_to_long_ones(interval: int) -> None:
    fleet = Fleet(Grid.build(meters=120, seed=3), seed=3)
    start = moment(5_900, 600)
    (short,) = fleet.readings(start, 4 * 1800 // interval, interval)
    (long,) = fleet.readings(start, 4, 1800)
    parts = column(short, "consumption_kwh", 120).reshape(4, -1, 120).sum(axis=1)
    np.testing.assert_allclose(parts, column(long, "consumption_kwh", 120), atol=1e-9)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**63), day=DAYS, minute=st.integers(0, 1439))
def test_power_voltage_and_current_fit(seed: int, day: int, minute: int) -> None:
    grid = Grid.build(meters=200, seed=seed)
    (batch,) = Fleet(grid, seed=seed).readings(moment(day, minute), 12, 900)
    voltage, current, factor = (column(batch, name, 200) for name in ("voltage", "current_amps", "power_factor"))
    net_kwh = column(batch, "consumption_kwh", 200) - np.nan_to_num(column(batch, "export_kwh", 200))
    power_w = 4000 * np.abs(net_kwh)
    apparent = grid.phases * voltage * current
    tolerance = grid.phases * voltage * 0.0005 + 1e-6
    seen = ~np.isnan(current)
    assert (np.abs(apparent * factor - power_w) <= tolerance)[seen].all()
    reactive_w = 4000 * column(batch, "reactive_kvarh", 200)
    seen = ~np.isnan(reactive_w)
    # Reactive energy is shown in whole varh: 2 var at 15 minutes.
    mismatch = np.abs(np.hypot(power_w, reactive_w) - apparent)
    assert (mismatch <= tolerance + 2.0)[seen].all()


@pytest.mark.parametrize("interval", INTERVALS)
def test_the_same_seed_gives_the_same_data_however_it_is_split(interval: int) -> None:
    grid = Grid.build(meters=700, seed=11)
    start, steps = moment(5_800, 1_380), 30
    (whole,) = (
        Fleet(grid, seed=5).readings(start, steps, interval)
        if interval < 100
        else (ReadingBatch.concat(list(Fleet(grid, seed=5).readings(start, steps, interval))),)
    )
    in_pieces = ReadingBatch.concat(list(Fleet(grid, seed=5).readings(start, steps, interval, batch_rows=1)))
    parts = [
        batch for part in range(3) for batch in Fleet(grid, seed=5, part=(part, 3)).readings(start, steps, interval)
    ]
    together = ReadingBatch.concat(parts)
    order = pc.sort_indices(
        pa.table(together.records.columns[:2], names=["meter", "time"]),
        sort_keys=[("time", "ascending"), ("meter", "ascending")],
    )
    assert in_pieces.records.equals(whole.records)
    assert together.take(order.to_numpy()).records.equals(whole.records)


def test_readings_are_ordered_by_time_then_meter_and_are_valid() -> None:
    (batch,) = Fleet(Grid.build(meters=1000, seed=7), seed=7).readings(moment(5_902, 0), 95, 900)
    assert batch.records.num_rows == 95_000
    assert (np.diff(batch.time_us) >= 0).all()
    voltage, factor = batch.floats("voltage"), batch.floats("power_factor")
    assert voltage.min() >= 215
    assert voltage.max() <= 245
    assert np.nanmin(factor) >= 0
    assert np.nanmax(factor) <= 1
    assert 0.05 < np.isnan(factor).mean() < 0.2


def disturbed(grid: Grid, day: int, seed: int, **rates: float) -> Events:
    profile = Profile(faults={FaultClass(name): FaultRate(rate=rate) for name, rate in rates.items()})
    return schedule(profile, grid, seed, Window(day * DAY_S, (day + 1) * DAY_S, 900))


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**63), day=DAYS, minutes=st.sampled_from([5, 15, 30, 60]))
def test_registers_agree_with_intervals_under_every_fault_of_energy(seed: int, day: int, minutes: int) -> None:
    grid = Grid.build(meters=120, seed=seed)
    faults = disturbed(
        grid, day, seed, theft=0.3, zero=0.2, reversed_polarity=0.2, overload=0.5, transformer_outage=0.5
    )
    slab = Fleet(grid, seed, faults=faults).slab(Span(day, 0, 1440 // minutes, minutes), np.arange(120))
    register, energy = (
        np.rint(1000 * slab.columns[name]).astype(np.int64) for name in ("register_kwh", "consumption_kwh")
    )
    assert (energy >= 0).all()
    assert (np.diff(register, axis=0) == energy[1:]).all()


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**63), day=DAYS, minutes=st.sampled_from([5, 15, 30]))
def test_a_transformer_carries_its_meters_and_its_losses(seed: int, day: int, minutes: int) -> None:
    grid = Grid.build(meters=150, seed=seed)
    fleet = Fleet(grid, seed, faults=disturbed(grid, day, seed, overload=0.5, transformer_outage=0.5))
    span = Span(day, 0, 1440 // minutes, minutes)
    slab, flow = fleet.slab(span, np.arange(150)), TransformerMeters(fleet).flow(span)
    net_kwh = slab.columns["consumption_kwh"] - np.nan_to_num(slab.columns["export_kwh"])
    customers = np.add.reduceat(np.rint(1000 * net_kwh).astype(np.int64), grid.transformer_start[:-1], axis=1)
    assert (customers == flow.customers_wh).all()
    assert (flow.total_wh == flow.customers_wh + flow.lost_wh).all()
    assert (flow.lost_wh >= 0).all()
    half_hours = flow.customers_wh.reshape(48, -1, len(grid.transformer_kva)).sum(axis=1)
    assert (2 * half_hours == fleet.day(day).load_w).all()


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**63), day=DAYS)
def test_theft_shows_as_a_gap_between_the_transformer_and_its_meters(seed: int, day: int) -> None:
    grid = Grid.build(meters=100, seed=seed)
    fleet = Fleet(grid, seed, faults=disturbed(grid, day, seed, theft=0.5))
    span = Span(day, 0, 96, 15)
    slab, flow = fleet.slab(span, np.arange(100)), TransformerMeters(fleet).flow(span)
    honest = Fleet(grid, seed).slab(span, np.arange(100)).columns["consumption_kwh"].sum()
    stolen_wh = 1000 * (honest - slab.columns["consumption_kwh"].sum())
    net = slab.columns["consumption_kwh"] - np.nan_to_num(slab.columns["export_kwh"])
    assert flow.customers_wh.sum() - 1000 * net.sum() == pytest.approx(stolen_wh, abs=1)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**63), day=DAYS, minutes=st.sampled_from([5, 15, 30]))
def test_a_feeder_outage_silences_exactly_its_meters(seed: int, day: int, minutes: int) -> None:
    grid = Grid.build(meters=1_000, seed=seed)
    profile = Profile(faults={FaultClass.FEEDER_OUTAGE: FaultRate(count=1, minutes=(60, 180))})
    (outage,) = faults = schedule(profile, grid, seed, Window(day * DAY_S, (day + 1) * DAY_S, 60 * minutes))
    span = Span(day, 0, 1440 // minutes, minutes)
    slab = Fleet(grid, seed, faults=faults).slab(span, np.arange(1_000))
    ends = span.edges_s[1:]
    dark = grid.meter_feeder == outage.element
    assert not slab.silent[:, ~dark].any()
    during = (ends > outage.start_s) & (ends <= outage.end_s)
    assert not slab.silent[~during].any()
    # They come back one transformer after the other: dark from the first interval on, all of them light at the end.
    first = np.flatnonzero(during)[:1]
    assert slab.silent[np.ix_(first, dark)].all()
    begun_dark = slab.silent & (span.edges_s[:-1] >= outage.start_s)[:, None]
    assert (slab.columns["consumption_kwh"][begun_dark] == 0).all()


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**63), day=DAYS, parts=st.integers(2, 4), cut=st.integers(1, 95))
def test_faults_are_the_same_however_the_run_is_split(seed: int, day: int, parts: int, cut: int) -> None:
    grid = Grid.build(meters=400, seed=seed)
    faults = disturbed(
        grid, day, seed, theft=0.1, stuck=0.1, clock_drift=0.1, sag=0.3, feeder_outage=0.2, unit_change=0.1, spike=0.2
    )
    meters = np.arange(400)
    whole = Fleet(grid, seed, faults=faults).slab(Span(day, 0, 96, 15), meters)
    for part in range(parts):
        fleet = Fleet(grid, seed, part=(part, parts), faults=faults)
        mine = meters[fleet.meters]
        if not len(mine):
            continue
        pieces = [fleet.slab(Span(day, first, count, 15), mine) for first, count in ((0, cut), (cut, 96 - cut))]
        for name, values in whole.columns.items():
            together = np.concatenate([piece.columns[name] for piece in pieces])
            np.testing.assert_array_equal(together, values[:, fleet.meters], err_msg=name)
        np.testing.assert_array_equal(np.concatenate([piece.silent for piece in pieces]), whole.silent[:, fleet.meters])
        np.testing.assert_array_equal(
            np.concatenate([piece.clock_s for piece in pieces]), whole.clock_s[:, fleet.meters]
        )
