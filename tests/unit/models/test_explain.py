"""A strange reading is explained by the features that make it strange."""

import numpy as np
import pytest

from models.explain import contributions, reasons
from models.forest import Forest, fit
from processors.features import FEATURES

VOLTAGE, SHARE = FEATURES.index("voltage"), FEATURES.index("load_share")


@pytest.fixture(scope="module")
def ordinary() -> np.ndarray:
    return np.random.default_rng(5).normal(size=(2_000, len(FEATURES))).astype(np.float32)


@pytest.fixture(scope="module")
def forest(ordinary: np.ndarray) -> Forest:
    return fit(ordinary, trees=100, samples=256, seed=0)


def test_the_feature_that_is_far_off_has_the_largest_share(forest: Forest) -> None:
    rows = np.zeros((2, len(FEATURES)), dtype=np.float32)
    rows[0, VOLTAGE], rows[1, SHARE] = 9.0, -9.0
    shares = contributions(forest, rows)
    assert shares.argmax(axis=1).tolist() == [VOLTAGE, SHARE]
    assert shares.max(axis=1).min() > 0.8
    assert shares.sum(axis=1) == pytest.approx([1.0, 1.0])
    assert reasons(forest, rows, np.array([1]))[0].startswith("load_share 0.")


def test_two_features_share_the_blame(forest: Forest) -> None:
    row = np.zeros((1, len(FEATURES)), dtype=np.float32)
    row[0, [VOLTAGE, SHARE]] = 6.0
    (said,) = reasons(forest, row, np.array([0]))
    assert {part.split()[0] for part in said.split(", ")} == {"voltage", "load_share"}


def test_what_is_as_usual_has_no_reasons_and_nothing_asked_is_nothing_said(forest: Forest) -> None:
    assert reasons(forest, forest.fill[None, :], np.array([0])) == [""]
    assert reasons(forest, forest.fill[None, :], np.array([], dtype=np.intp)) == []


def test_what_a_reading_does_not_have_is_no_reason(forest: Forest, ordinary: np.ndarray) -> None:
    rows = ordinary[:50].copy()
    rows[:, VOLTAGE] = np.nan
    assert (contributions(forest, rows)[:, VOLTAGE] == 0.0).all()
