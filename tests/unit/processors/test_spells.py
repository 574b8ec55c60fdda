"""Spells: what is held, what has switched, and where stretches begin and end."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.spells import held, stretches, switched

MASKS = st.lists(st.booleans(), max_size=40).map(lambda values: np.array(values, dtype=bool))


@given(mask=MASKS, count=st.integers(1, 6))
def test_held_is_true_after_so_many_in_a_row(mask: np.ndarray, count: int) -> None:
    expected = [at + 1 >= count and mask[at + 1 - count : at + 1].all() for at in range(len(mask))]
    assert held(mask, count).tolist() == expected


def test_rows_are_held_each_by_itself() -> None:
    assert held(np.array([[True, True], [False, True]]), 2).tolist() == [[False, True], [False, False]]


@given(on=MASKS, seed=st.integers(0, 99))
def test_switched_is_what_the_last_signal_was(on: np.ndarray, seed: int) -> None:
    off = np.random.default_rng(seed).random(len(on)) < 0.4
    state, expected = False, []
    for begins, ends in zip(on.tolist(), off.tolist(), strict=True):
        state = True if begins else (False if ends else state)
        expected.append(state)
    assert switched(on, off).tolist() == expected


@given(mask=MASKS)
def test_stretches_cover_what_is_true_and_nothing_else(mask: np.ndarray) -> None:
    covered = np.zeros(len(mask), dtype=bool)
    for first, after in zip(*stretches(mask), strict=True):
        assert after > first
        covered[first:after] = True
    assert (covered == mask).all()


@pytest.mark.parametrize("count", [1, 5])
def test_nothing_is_held_in_nothing(count: int) -> None:
    assert held(np.zeros(0, dtype=bool), count).shape == (0,)
    assert switched(np.zeros(0, dtype=bool), np.zeros(0, dtype=bool)).shape == (0,)
