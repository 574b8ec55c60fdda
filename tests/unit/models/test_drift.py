"""Drift: told when a distribution is another one, and only then."""

import numpy as np
import pytest

from models.drift import SCORE, WATCHED, Drift, DriftWatch, psi, reference
from processors.features import CALENDAR, FEATURES

DAY_US = 86_400_000_000
ROWS = 4_000


def matrix(seed: int, **shifts: float) -> np.ndarray:
    found = np.random.default_rng(seed).normal(size=(ROWS, len(FEATURES))).astype(np.float32)
    for name, shift in shifts.items():
        found[:, FEATURES.index(name)] += shift
    return found


def scores(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).beta(1, 8, ROWS)


def times(day: float) -> np.ndarray:
    return (day * DAY_US + np.arange(ROWS) * DAY_US / ROWS).astype(np.int64)


@pytest.fixture
def watch() -> DriftWatch:
    return DriftWatch(reference(matrix(1), scores(1)), days=1.0)


def watched(watch: DriftWatch, found: np.ndarray, said: np.ndarray) -> Drift:
    for part in np.array_split(np.arange(ROWS), 7):
        assert watch.observe(times(0)[part], found[part], said[part]) is None
    drift = watch.observe(times(1.001), found, said)
    assert drift is not None
    return drift


def test_equal_distributions_have_no_distance_and_it_is_the_same_either_way() -> None:
    first, second = np.array([0.5, 0.3, 0.2]), np.array([0.2, 0.3, 0.5])
    assert psi(first, first) == 0.0
    assert psi(first, second) == psi(second, first) == pytest.approx(0.6 * np.log(2.5))


def test_a_bin_that_was_never_seen_is_far_but_not_infinite() -> None:
    assert 1.0 < psi(np.array([1.0, 0.0]), np.array([0.5, 0.5])) < 10.0


def test_the_same_world_has_not_drifted(watch: DriftWatch) -> None:
    drift = watched(watch, matrix(2), scores(2))
    assert set(drift.psi) == {*WATCHED, SCORE}
    assert drift.readings == ROWS
    assert drift.drifted == {}
    assert max(drift.psi.values()) < 0.05


def test_what_has_moved_is_named_the_furthest_first(watch: DriftWatch) -> None:
    drift = watched(watch, matrix(2, voltage=0.8, temperature_c=2.0), scores(2))
    assert list(drift.drifted) == ["temperature_c", "voltage"]


def test_a_feature_that_goes_missing_has_drifted(watch: DriftWatch) -> None:
    found = matrix(2)
    found[:, FEATURES.index("voltage")] = np.nan
    assert list(watched(watch, found, scores(2)).drifted) == ["voltage"]


def test_scores_that_have_moved_are_told(watch: DriftWatch) -> None:
    assert list(watched(watch, matrix(2), np.minimum(scores(2) + 0.4, 1.0)).drifted) == [SCORE]


def test_the_calendar_is_not_watched(watch: DriftWatch) -> None:
    assert watched(watch, matrix(2, **dict.fromkeys(CALENDAR, 5.0)), scores(2)).drifted == {}


def test_a_handful_of_readings_is_no_distribution(watch: DriftWatch) -> None:
    watch.observe(times(0)[:100], matrix(2, voltage=9.0)[:100], scores(2)[:100])
    assert watch.observe(times(5)[:100], matrix(2)[:100], scores(2)[:100]) is None
