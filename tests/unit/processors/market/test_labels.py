"""Labels on the wrong side are told from other contradictions."""

import numpy as np
import pytest

from processors.market.labels import Contradictions, Side, contradictions

PRICE = np.array([40.0, 42.5, 42.5, 39.0, 61.0, 58.0, 55.0, 54.0, 70.0, 71.0])


def held(said: np.ndarray, stored: np.ndarray = PRICE) -> Contradictions:
    before, after = np.r_[np.nan, stored[:-1]], np.r_[stored[1:], np.nan]
    return contradictions(said, before, stored, after)


def test_figures_under_too_early_a_time_are_stored_one_interval_later() -> None:
    found = held(np.r_[PRICE[1:], np.nan])
    # Two prices in a row are equal: the first of them repeats what is stored, and says nothing.
    assert (found.count, found.earlier, found.later, found.side) == (8, 8, 0, Side.EARLIER)


def test_figures_under_too_late_a_time_are_stored_one_interval_earlier() -> None:
    found = held(np.r_[np.nan, PRICE[:-1]])
    assert (found.count, found.earlier, found.later, found.side) == (8, 0, 8, Side.LATER)


def test_what_is_the_same_on_both_sides_says_nothing() -> None:
    stored = np.tile([40.0, 50.0], 10)
    found = held(np.roll(stored, 1), stored)
    assert (found.earlier + found.later, found.side) == (2, None)


@pytest.mark.parametrize(
    "said",
    [
        PRICE,
        PRICE + 0.01,
        np.full(10, np.nan),
        np.r_[PRICE[1:6], np.full(5, np.nan)],
        np.r_[PRICE[1:8], 99, 98, 97],
    ],
    ids=["the same", "other values", "nothing", "too few", "too many others"],
)
def test_other_contradictions_are_no_side(said: np.ndarray) -> None:
    assert held(said).side is None
