"""Readings onto the grid: irregular reads, registers, and what no grid explains."""

import numpy as np
import pytest

from processors.vee.align import Grid, align, grid_of
from tests.builders import START_US

QUARTER_US = 900_000_000
NAN = np.nan


def times(*quarters: float) -> np.ndarray:
    return np.array([START_US + round(quarter * QUARTER_US) for quarter in quarters], dtype=np.int64)


def nothing(count: int) -> np.ndarray:
    return np.full(count, NAN)


def test_the_grid_is_the_usual_distance_and_where_most_readings_lie() -> None:
    grid = grid_of(times(1, 2, 3, 4.3, 5, 8))
    assert grid == Grid(START_US + QUARTER_US, QUARTER_US, 8)


def test_a_silent_meter_has_a_grid_up_to_the_time_that_is_asked_for() -> None:
    grid = grid_of(times(1, 2, 3), int(times(10)[0]))
    assert grid is not None
    assert grid.lines == 10


@pytest.mark.parametrize("count", [0, 1, 2])
def test_fewer_than_three_readings_have_no_grid(count: int) -> None:
    assert grid_of(times(*range(count))) is None


def test_a_reading_a_little_beside_its_line_belongs_to_it_and_one_further_off_to_none() -> None:
    found = align(
        times(1, 2.1, 3.11), np.array([1.0, 2.0, 3.0]), nothing(3), Grid(START_US + QUARTER_US, QUARTER_US, 3)
    )
    assert found.place.tolist() == [0, 1, -1]
    assert found.kwh.tolist()[:2] == [1.0, 2.0]
    assert np.isnan(found.kwh[2])


def test_registers_become_the_energy_between_two_lines() -> None:
    grid = Grid(START_US + QUARTER_US, QUARTER_US, 4)
    found = align(times(1, 2, 3, 4), nothing(4), np.array([10.0, 10.5, 10.7, 11.7]), grid)
    assert np.isnan(found.kwh[0])
    assert found.kwh[1:] == pytest.approx([0.5, 0.2, 1.0])


def test_registers_read_between_lines_are_interpolated_to_them() -> None:
    found = align(times(0.5, 1.5, 2.5, 3.5), nothing(4), np.arange(4.0), Grid(START_US + QUARTER_US, QUARTER_US, 3))
    assert found.register_kwh.tolist() == pytest.approx([NAN] * 3, nan_ok=True)
    assert found.kwh[1:] == pytest.approx([1.0, 1.0])


def test_registers_do_not_fill_a_gap() -> None:
    found = align(times(1, 2, 5), nothing(3), np.array([1.0, 2.0, 5.0]), Grid(START_US + QUARTER_US, QUARTER_US, 5))
    assert found.kwh == pytest.approx([NAN, 1.0, NAN, NAN, NAN], nan_ok=True)


def test_an_energy_that_was_sent_counts_more_than_the_register() -> None:
    grid = Grid(START_US + QUARTER_US, QUARTER_US, 2)
    found = align(times(1, 2), np.array([NAN, 0.25]), np.array([1.0, 2.0]), grid)
    assert found.kwh[1] == 0.25


def test_a_register_that_goes_back_tells_no_energy() -> None:
    found = align(times(1, 2), nothing(2), np.array([100.0, 2.0]), Grid(START_US + QUARTER_US, QUARTER_US, 2))
    assert np.isnan(found.kwh).all()
