import numpy as np
import pytest

from processors.calibration import SCALE, score_of

QUARTER_S = 900.0
READINGS_PER_DAY = 96


@pytest.mark.parametrize(("days", "score"), SCALE)
def test_a_score_says_how_rarely_a_healthy_meter_shows_as_much(days: float, score: float) -> None:
    share = np.array([1 / (days * READINGS_PER_DAY)])
    assert score_of(share, np.array([QUARTER_S]))[0] == pytest.approx(score, abs=1e-6)


def test_scores_of_meters_with_other_intervals_mean_the_same() -> None:
    share = np.array([1 / (100 * 96), 1 / (100 * 1_440)])
    assert score_of(share, np.array([900.0, 60.0])) == pytest.approx([0.85, 0.85])


def test_what_cannot_be_said_is_not_a_number() -> None:
    assert np.isnan(score_of(np.array([np.nan]), np.array([QUARTER_S]))[0])


def test_what_never_happens_scores_one_and_what_always_happens_zero() -> None:
    assert score_of(np.array([0.0, 1.0]), np.array([QUARTER_S] * 2)).tolist() == [1.0, pytest.approx(0.0, abs=0.01)]


def test_half_the_budget_makes_every_score_twice_as_rare() -> None:
    share = np.array([1 / (200 * READINGS_PER_DAY)])
    assert score_of(share, np.array([QUARTER_S]), budget=50.0)[0] == pytest.approx(0.85, abs=1e-6)
    assert score_of(share, np.array([QUARTER_S]), budget=100.0)[0] > 0.85
