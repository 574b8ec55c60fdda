import numpy as np
import pytest

from models.forest import fit
from processors.features import FEATURES


def ordinary(count: int, seed: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, len(FEATURES))).astype(np.float32)


@pytest.mark.parametrize("count", [1, 2, 7, 257, 1_000])
def test_scores_are_bit_for_bit_those_of_scikit_learn(count: int) -> None:
    forest, matrix = fit(ordinary(2_000), trees=25, samples=128, seed=1), ordinary(count, seed=4)
    assert forest.score(matrix).tobytes() == (-forest.fitted.score_samples(matrix)).tobytes()


def test_a_row_scores_the_same_in_any_company() -> None:
    forest, matrix = fit(ordinary(2_000), trees=25, samples=128, seed=1), ordinary(500, seed=4)
    apart = np.concatenate([forest.score(part) for part in np.array_split(matrix, 37)])
    assert apart.tobytes() == forest.score(matrix).tobytes()


def test_nothing_scores_nothing() -> None:
    assert len(fit(ordinary(100), trees=5, samples=32, seed=1).score(ordinary(0))) == 0


def test_what_stands_apart_scores_higher_than_anything_ordinary() -> None:
    forest, odd = fit(ordinary(2_000), trees=50, samples=256, seed=1), np.full((1, len(FEATURES)), 8.0, np.float32)
    assert forest.score(odd)[0] > forest.score(ordinary(1_000, seed=4)).max()


def test_an_unknown_feature_counts_as_the_usual_one() -> None:
    matrix = ordinary(2_000)
    forest = fit(matrix, trees=25, samples=128, seed=1)
    unknown, usual = matrix[:50].copy(), matrix[:50].copy()
    unknown[:, 4], usual[:, 4] = np.nan, np.median(matrix[:, 4])
    assert forest.score(unknown).tobytes() == forest.score(usual).tobytes()


@pytest.mark.filterwarnings("error")
def test_a_feature_that_no_reading_has_is_no_obstacle() -> None:
    matrix = ordinary(500)
    matrix[:, 1] = np.nan
    assert np.isfinite(fit(matrix, trees=5, samples=64, seed=1).score(matrix)).all()


def test_equal_data_and_seed_give_an_equal_forest() -> None:
    first, second = (fit(ordinary(500), trees=10, samples=64, seed=5).score(ordinary(50)) for _ in range(2))
    assert first.tobytes() == second.tobytes()
