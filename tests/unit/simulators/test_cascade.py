"""Energy is cut in two again and again, and none of it is lost."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.cascade import halving, needed, share


@pytest.mark.parametrize("length", [1, 2, 3, 30, 32, 48, 97])
def test_halving_reaches_every_position_once_and_wide_spans_first(length: int) -> None:
    cuts = halving(length)
    assert sorted(cut.middle for cut in cuts) == list(range(1, length))
    known = {0, length}
    for cut in cuts:
        assert {cut.start, cut.end} <= known
        known.add(cut.middle)


def test_needed_are_the_cuts_above_a_position() -> None:
    cuts = needed(halving(32), [5])
    assert [cut.middle for cut in cuts] == [16, 8, 4, 6, 5]
    assert needed(halving(32), [0, 32]) == ()


@given(st.integers(0, 10**9), st.floats(1e-6, 1e6), st.floats(1e-6, 1e6), st.floats(1e-3, 1e3))
def test_a_share_is_never_negative_nor_more_than_the_whole(
    energy: int, before: float, after: float, bend: float
) -> None:
    first = share(np.array([energy]), np.array([before]), np.array([after]), np.array([bend]))
    assert 0 <= first[0] <= energy


def test_without_bend_a_share_follows_the_expectation() -> None:
    assert share(np.array([1000]), np.array([1.0]), np.array([3.0]), np.array([1.0])).tolist() == [250]
