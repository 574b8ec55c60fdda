"""A grid looks like a distribution network, and its customers are those that were asked for."""

import numpy as np
import pytest

from simulators.customers import KINDS
from simulators.grid import MAX_METERS, Grid
from simulators.planning import RATINGS_KVA
from simulators.regions import REGIONS

LARGE = Grid.build(meters=120_000, seed=7)


def test_the_shares_of_the_kinds_add_up_to_all() -> None:
    assert sum(kind.share for kind in KINDS) == pytest.approx(1)
    assert len(KINDS) == 12


@pytest.mark.parametrize("meters", [1, 7, 100, 1_000, 120_000])
def test_the_kinds_have_their_shares(meters: int) -> None:
    counts = np.bincount(Grid.build(meters, seed=3).kind, minlength=len(KINDS))
    assert counts.sum() == meters
    assert np.abs(counts - meters * np.array([kind.share for kind in KINDS])).max() <= 1


@pytest.mark.parametrize("meters", [1, 2, 44, 46, 1_000, 9_999])
def test_every_element_has_children_and_neighbours_stay_together(meters: int) -> None:
    grid = Grid.build(meters, seed=5)
    assert (np.diff(grid.meter_transformer) >= 0).all()
    assert (np.diff(grid.transformer_start) > 0).all()
    assert (np.diff(grid.feeder_start) > 0).all()
    assert grid.transformer_start[-1] == meters
    assert set(grid.feeder_substation.tolist()) == set(range(len(grid.substation_region)))


def test_a_large_grid_has_realistic_numbers() -> None:
    per_transformer = np.diff(LARGE.transformer_start)
    assert 40 < per_transformer.mean() < 50
    assert per_transformer.max() < 400
    assert 10 < np.diff(LARGE.feeder_start).mean() < 14
    assert len(np.unique(LARGE.substation_region)) == len(REGIONS)
    assert set(LARGE.transformer_kva.tolist()) <= set(RATINGS_KVA.tolist())


def test_industry_has_three_phases_and_gathers() -> None:
    industry = LARGE.kind == 0
    assert (LARGE.phases[industry] == 3).all()
    per_transformer = np.bincount(LARGE.meter_transformer, industry, len(LARGE.transformer_kva))
    assert (per_transformer == 0).mean() > 0.5


def test_minimal_users_stay_below_three_kilowatt_hours_a_day() -> None:
    kind = next(number for number, kind in enumerate(KINDS) if kind.name == "minimal_use")
    assert LARGE.daily_wh[LARGE.kind == kind].max() < 3_000


def test_a_grid_is_a_function_of_its_seed() -> None:
    one, same, other = (Grid.build(500, seed) for seed in (1, 1, 2))
    assert (one.daily_wh == same.daily_wh).all()
    assert (one.keys == same.keys).all()
    assert (one.daily_wh != other.daily_wh).any()


def test_meter_numbers_have_one_length_and_are_unique() -> None:
    numbers = LARGE.sender_numbers
    assert numbers.dtype.itemsize == 9
    assert len(np.unique(numbers)) == len(numbers)
    assert (np.char.str_len(numbers) == 9).all()


@pytest.mark.parametrize("meters", [0, -1, MAX_METERS + 1])
def test_impossible_counts_are_refused(meters: int) -> None:
    with pytest.raises(ValueError, match="a grid has 1 to"):
        Grid.build(meters, seed=1)


def test_a_grid_may_have_fewer_and_larger_feeders_than_practice() -> None:
    grid = Grid.build(4_000, seed=1, feeders=2)
    assert np.unique(grid.meter_feeder).tolist() == [0, 1]
    assert (grid.feeder_substation < 2).all()


@pytest.mark.parametrize("feeders", [0, 90])
def test_impossible_counts_of_feeders_are_refused(feeders: int) -> None:
    with pytest.raises(ValueError, match="4,000 meters have 89 transformers, and 1 to as many feeders: not"):
        Grid.build(4_000, seed=1, feeders=feeders)
