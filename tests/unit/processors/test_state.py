"""State: rows of meters, and what they cost."""

import os
import tracemalloc
from pathlib import Path

import numpy as np
import pyarrow as pa

from processors.judge import judge
from processors.judging import Judging
from processors.keyed_state import SHARD_ROWS
from processors.state import COLUMNS, NEVER_US, MeterState
from tests.builders import START_US, batch


def test_meters_get_rows_in_order_of_first_appearance() -> None:
    state = MeterState()
    assert state.rows(pa.array(["B", "A", "B", "C"])).tolist() == [0, 1, 0, 2]
    assert state.rows(pa.array(["C", "D"])).tolist() == [2, 3]
    assert len(state) == state.extent == 4
    assert (state.row("A"), state.row("X")) == (1, None)


def test_new_rows_are_as_if_nothing_had_been_seen_however_often_the_state_grows() -> None:
    state = MeterState()
    rows = state.rows(pa.array([f"M{k}" for k in range(3 * SHARD_ROWS)]))
    assert (state.last_time_us[rows] == NEVER_US).all()
    state.energy_kwh[rows] = np.arange(len(rows))
    state.rows(pa.array([f"N{k}" for k in range(5 * SHARD_ROWS)]))
    assert (state.energy_kwh[rows] == np.arange(len(rows))).all()
    assert (state.last_time_us[: state.extent] == NEVER_US).all()


def test_holes_are_filled_first_lowest_row_first() -> None:
    state = MeterState()
    state.place(["A", None, "B", None], 0)
    state.settle()
    assert state.rows(pa.array(["X", "A", "Y", "Z"])).tolist() == [1, 0, 3, 4]
    assert state.names(0, 5) == ["A", "X", "B", "Y", "Z"]


def test_the_columns_are_those_that_the_documents_count() -> None:
    assert sum(np.dtype(kind).itemsize * width for kind, width, _ in COLUMNS.values()) == 837


def resident() -> int:
    """Memory of this process that is really there [bytes]: room that was never written to is not."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_a_meter_costs_at_most_a_kilobyte_with_its_place_in_the_dictionary_even_after_growth() -> None:
    meters = 20_000
    found = batch([f"meter-{k:044d}" for k in range(meters)], START_US, consumption_kwh=1.0, voltage=230.0)
    # What is loaded and compiled with the first readings belongs to no meter.
    one, other = found.where(np.arange(meters) < 1), MeterState()
    judge(one, other.rows(one.meter_number), other, Judging())
    tracemalloc.start()
    state = MeterState()
    state.reserve(meters)
    before = tracemalloc.take_snapshot()
    judge(found, state.rows(found.meter_number), state, Judging())
    names = sum(entry.size_diff for entry in tracemalloc.take_snapshot().compare_to(before, "filename")) / meters
    tracemalloc.stop()
    assert names > 100, "the longest names are meant"
    rows, largest = 0, 0.0
    state, empty = MeterState(), resident()
    while rows < 200_000:
        new = np.arange(rows, rows + 500)
        rows += 500
        state.reserve(rows)
        state.resolve(new, new, new)
        largest = max(largest, (resident() - empty) / rows) if rows > 100 * SHARD_ROWS else 0.0
    assert largest > 600, "the columns are meant"
    assert largest + names < 1024, f"{largest:.0f} + {names:.0f} bytes"
