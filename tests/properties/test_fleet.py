"""What must hold of every fleet, whatever its size, seed and time."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.readings import ReadingBatch
from simulators.fleet import Fleet
from simulators.grid import Grid

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
