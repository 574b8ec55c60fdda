"""Tails: what is rare for a meter is learned from it."""

import numpy as np
import pytest

from processors.tails import BEYOND, follow, rarity

SHAPE = np.array([0.05], dtype=np.float32)
LEAST = (np.array([0.1], dtype=np.float32), np.array([0.05], dtype=np.float32))


def column(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float32)[:, None]


def learned(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    threshold, excess = column(1.0), column(1.0)
    for day, value in enumerate(values):
        share = rarity(column(value), threshold, excess, SHAPE)
        threshold, excess = follow(column(value), share, threshold, excess, LEAST, np.array([day / 96]))
    return threshold, excess


def test_up_to_the_threshold_nothing_is_rare_and_just_above_it_a_fiftieth_is() -> None:
    share = rarity(column(1.0, 1.0 + 1e-6, np.nan), column(1, 1, 1), column(1, 1, 1), SHAPE)[:, 0]
    assert share == pytest.approx([1.0, BEYOND, 1.0], rel=1e-4)


def test_the_further_the_rarer() -> None:
    share = rarity(column(2, 3, 10, 100), column(1, 1, 1, 1), column(1, 1, 1, 1), SHAPE)[:, 0]
    assert (np.diff(share) < 0).all()
    assert share[0] == pytest.approx(BEYOND * np.exp(-1), rel=0.05)


@pytest.mark.parametrize("scale", [0.5, 3.0, 20.0])
def test_the_threshold_comes_to_be_what_a_fiftieth_exceeds(scale: float) -> None:
    values = np.random.default_rng(2).exponential(scale, 8_000)
    threshold, excess = learned(values)
    later = np.random.default_rng(3).exponential(scale, 50_000)
    assert 0.01 < (later > threshold[0, 0]).mean() < 0.04
    assert excess[0, 0] == pytest.approx(scale, rel=0.5)
    rare = rarity(later[:, None], np.repeat(threshold, 50_000, 0), np.repeat(excess, 50_000, 0), SHAPE)
    assert (rare < 1e-3).mean() < 4e-3


def test_neither_falls_below_its_least() -> None:
    threshold, excess = learned(np.zeros(5_000))
    assert (threshold[0, 0], excess[0, 0]) == (LEAST[0][0], 1.0)


def test_what_is_absent_teaches_nothing() -> None:
    threshold, excess = follow(column(np.nan), column(1.0), column(2.0), column(3.0), LEAST, np.zeros(1))
    assert (threshold[0, 0], excess[0, 0]) == (2.0, 3.0)


def test_what_is_rare_teaches_less_than_what_is_not() -> None:
    moved = [follow(column(9.0), column(share), column(1.0), column(1.0), LEAST, np.array([90.0]))[0][0, 0]
             for share in (1e-2, 1e-6)]  # fmt: skip
    assert moved[0] - 1 == pytest.approx(10 * (moved[1] - 1), rel=1e-3)
