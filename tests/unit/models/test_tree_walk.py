from types import SimpleNamespace

import numpy as np
import pytest

from models import tree_walk
from models.tree_walk import lay_out, summed_lengths


def stump(feature: int, threshold: float) -> SimpleNamespace:
    """One question, two ends."""
    return SimpleNamespace(
        children_left=np.array([1, -1, -1]),
        children_right=np.array([2, -1, -1]),
        feature=np.array([feature, -2, -2]),
        threshold=np.array([threshold, -2.0, -2.0]),
    )


#: Right, right, right: four ends at depths 1, 2, 3 and 3.
LADDER = SimpleNamespace(
    children_left=np.array([1, -1, 3, -1, 5, -1, -1]),
    children_right=np.array([2, -1, 4, -1, 6, -1, -1]),
    feature=np.array([0, -2, 1, -2, 0, -2, -2]),
    threshold=np.array([0.0, -2.0, 0.0, -2.0, 5.0, -2.0, -2.0]),
)
LADDER_LENGTHS = np.array([0.0, 10.0, 0.0, 20.0, 0.0, 30.0, 40.0])
STUMP_LENGTHS = np.array([0.0, 1.0, 2.0])


def test_each_reading_ends_where_its_answers_lead() -> None:
    matrix = np.array([[-1, 9], [1, -1], [1, 1], [6, 1], [0, 1]], dtype=np.float32)
    assert summed_lengths(matrix, lay_out([LADDER], [LADDER_LENGTHS])).tolist() == [10, 20, 30, 40, 10]


def test_trees_of_different_depths_are_summed() -> None:
    nodes = lay_out([LADDER, stump(1, 0.5)], [LADDER_LENGTHS, STUMP_LENGTHS])
    assert summed_lengths(np.array([[6, 1], [-1, 0]], dtype=np.float32), nodes).tolist() == [42, 11]


@pytest.mark.parametrize("threshold", [0.1, 1 / 3, 1e30 / 7, -0.1])
def test_a_threshold_between_two_single_precision_numbers_parts_them(threshold: float) -> None:
    below = np.float32(threshold)
    if float(below) > threshold:
        below = np.nextafter(below, np.float32(-np.inf))
    above = np.nextafter(below, np.float32(np.inf))
    found = summed_lengths(np.array([[below], [above]]), lay_out([stump(0, threshold)], [STUMP_LENGTHS]))
    assert found.tolist() == [1, 2]


def test_infinity_ends_in_a_leaf_too() -> None:
    matrix = np.full((1, 2), np.inf, dtype=np.float32)
    assert summed_lengths(matrix, lay_out([LADDER], [LADDER_LENGTHS])).tolist() == [40]


@pytest.mark.parametrize("count", [0, 1, 255, 256, 257, 1_000])
def test_any_number_of_readings_goes_down_together(count: int) -> None:
    matrix = np.random.default_rng(2).normal(size=(count, 2)).astype(np.float32)
    found = summed_lengths(matrix, lay_out([stump(1, 0.25)], [STUMP_LENGTHS]))
    assert found.tolist() == np.where(matrix[:, 1] > 0.25, 2.0, 1.0).tolist()


def test_without_a_folder_for_compiled_code_it_compiles_for_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(_signature: str, *, nogil: bool, cache: bool = False) -> object:
        if cache:
            raise RuntimeError("no locator available")
        return lambda walk: (walk, nogil)

    monkeypatch.setattr(tree_walk.nb, "njit", nowhere)
    assert tree_walk._compiled(len) == (len, True)
