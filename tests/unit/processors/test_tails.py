"""Tails: what is rare for a meter is learned from it."""

import numpy as np
import pytest

from processors.tails import BEYOND, follow, pace, rarity

SHAPE = 0.05


def learned(values: np.ndarray) -> tuple[float, float]:
    threshold, excess = 1.0, 1.0
    for day, value in enumerate(values):
        share = rarity(value, threshold, excess, SHAPE)
        threshold, excess = follow(value, share, threshold, excess, *pace(day / 96))
    return threshold, excess


def test_up_to_the_threshold_nothing_is_rare_and_just_above_it_a_fiftieth_is() -> None:
    share = [rarity(value, 1.0, 1.0, SHAPE) for value in (1.0, 1.0 + 1e-6, np.nan)]
    assert share == pytest.approx([1.0, BEYOND, 1.0], rel=1e-4)


def test_the_further_the_rarer() -> None:
    share = [rarity(value, 1.0, 1.0, SHAPE) for value in (2.0, 3.0, 10.0, 100.0)]
    assert (np.diff(share) < 0).all()
    assert share[0] == pytest.approx(BEYOND * np.exp(-1), rel=0.05)


@pytest.mark.parametrize("scale", [0.5, 3.0, 20.0])
def test_the_threshold_comes_to_be_what_a_fiftieth_exceeds(scale: float) -> None:
    threshold, excess = learned(np.random.default_rng(2).exponential(scale, 8_000))
    later = np.random.default_rng(3).exponential(scale, 50_000)
    assert 0.01 < (later > threshold).mean() < 0.04
    assert excess == pytest.approx(scale, rel=0.5)
    rare = np.array([rarity(value, threshold, excess, SHAPE) for value in later])
    assert (rare < 1e-3).mean() < 4e-3


def test_what_is_absent_teaches_nothing() -> None:
    assert follow(np.nan, 1.0, 2.0, 3.0, *pace(0.0)) == (2.0, 3.0)


def test_what_is_rare_teaches_less_than_what_is_not() -> None:
    moved = [follow(9.0, share, 1.0, 1.0, *pace(90.0))[0] for share in (1e-2, 1e-6)]
    assert moved[0] - 1 == pytest.approx(10 * (moved[1] - 1), rel=1e-3)


def test_the_first_days_are_followed_faster() -> None:
    (first_step, first_weight), (later_step, later_weight) = pace(0.0), pace(90.0)
    assert first_step > later_step
    assert first_weight > later_weight
