"""Voltage falls along the grid with its load, and rises where panels feed in."""

import numpy as np
import pytest

from simulators.grid import Grid
from simulators.network import drops
from simulators.transformer_thermal import steady_rises, temperatures
from simulators.transformers import losses_w

GRID = Grid.build(3_000, 7)
WHOLE = slice(0, len(GRID.transformer_kva)), slice(0, len(GRID.feeder_substation))


def at_loading(share: float) -> tuple[np.ndarray, np.ndarray]:
    load = np.repeat((share * 950 * GRID.transformer_kva)[None, :], 48, axis=0).astype(np.int64)
    found = drops(GRID, *WHOLE, load, 5_900)
    return found.terminals, found.line


def test_more_load_means_less_voltage_and_feeding_in_means_more() -> None:
    light, heavy, backwards = (at_loading(share)[0] for share in (0.1, 1.0, -0.6))
    assert (heavy < light).all()
    assert (backwards > light).all()


def test_voltage_falls_along_the_feeder() -> None:
    terminals, _ = at_loading(0.8)
    first, last = GRID.feeder_start[:-1], GRID.feeder_start[1:] - 1
    assert (terminals[:, first] > terminals[:, last])[:, last > first].all()


def test_the_last_customer_stays_within_ten_percent_at_full_load() -> None:
    terminals, line = at_loading(1.0)
    assert (terminals - line).min() > 0.93
    terminals, line = at_loading(-0.7)
    assert (terminals - line).max() < 1.08


def test_equal_loads_give_equal_voltages_for_any_part_of_the_grid() -> None:
    load = np.repeat((0.5 * 950 * GRID.transformer_kva)[None, :], 48, axis=0).astype(np.int64)
    feeders = slice(3, 6)
    transformers = slice(int(GRID.feeder_start[3]), int(GRID.feeder_start[6]))
    whole, part = drops(GRID, *WHOLE, load, 5_900), drops(GRID, transformers, feeders, load[:, transformers], 5_900)
    np.testing.assert_array_equal(whole.terminals[:, transformers], part.terminals)
    assert part.first == transformers.start


def test_losses_grow_with_the_square_of_the_load() -> None:
    kva = np.array([630.0])
    idle, half, full = (losses_w(np.array([share * 630 * 950.0]), kva)[0] for share in (0, 0.5, 1))
    assert idle == 540
    assert full - idle == pytest.approx(4 * (half - idle))
    assert full / (630 * 950) < 0.025


def test_a_transformer_at_its_rating_gets_as_hot_as_the_standard_says() -> None:
    # IEC 60076-7: 20 degrees of air and rated load end at a hot spot of 98 degrees, the rated insulation life.
    found = temperatures(np.ones((200, 1)), np.full((200, 1), 20.0), 30.0)
    assert found.top_oil[-1, 0] == pytest.approx(75.0, abs=0.01)
    assert found.hot_spot[-1, 0] == pytest.approx(98.0, abs=0.01)


def test_oil_follows_with_a_time_constant_of_three_hours() -> None:
    loading = np.r_[np.zeros(1), np.ones(47)][:, None]
    rise = temperatures(loading, np.full((48, 1), 20.0), 30.0).top_oil[:, 0] - 20
    start, end = (steady_rises(np.array([share]))[0][0] for share in (0.0, 1.0))
    after_three_hours = start + (end - start) * (1 - np.exp(-1))
    assert rise[6] == pytest.approx(after_three_hours, rel=1e-6)


def test_the_step_length_does_not_matter_for_constant_load() -> None:
    load, air = np.full((96, 1), 0.8), np.full((96, 1), 10.0)
    load[:1] = 0.1
    fine = temperatures(np.repeat(load, 2, axis=0), np.repeat(air, 2, axis=0), 15.0)
    coarse = temperatures(load, air, 30.0)
    np.testing.assert_allclose(fine.top_oil[1::2], coarse.top_oil)
