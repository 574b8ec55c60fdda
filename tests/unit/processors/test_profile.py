"""The profile: an hour of the week, leaning on its like until it is known by itself."""

import numpy as np
import pytest

from processors.hours import hour_of_week
from processors.state import MeterState
from tests.builders import DAY_US, HOUR_US, START_US
from tests.judging import judged


def test_hours_of_the_week_begin_on_monday_in_utc() -> None:
    assert hour_of_week(np.array([START_US, START_US + 23 * HOUR_US, START_US + 6 * DAY_US + HOUR_US])).tolist() == [
        0,
        23,
        145,
    ]
    assert hour_of_week(np.array([-1])).tolist() == [71]  # Wednesday 31 December 1969


def expected_after(days: int, day: list[float], weekend: list[float] | None = None) -> np.ndarray:
    """What is expected of each hour of the day that follows."""
    energy = [value for k in range(days + 1) for value in ((weekend or day) if k % 7 >= 5 else day)]
    _, found = judged(energy)
    return found.expected_kwh[-24:]


DAY = [0.2] * 7 + [1.0] * 10 + [3.0] * 5 + [0.5] * 2


def test_the_second_day_is_expected_to_be_like_the_first() -> None:
    assert expected_after(2, DAY)[1:] == pytest.approx(DAY[1:], rel=0.05)


def test_the_first_saturday_is_expected_to_be_like_a_working_day() -> None:
    assert expected_after(5, DAY)[1:] == pytest.approx(DAY[1:], rel=0.05)


def test_a_sunday_is_expected_to_be_like_a_saturday() -> None:
    resting = [2.0] * 24
    assert expected_after(6, DAY, resting)[1:] == pytest.approx(resting[1:], rel=0.05)


def test_a_day_of_the_week_of_its_own_is_learned_within_weeks() -> None:
    wednesday, energy = [2.5] * 24, list[float]()
    for k in range(7 * 6):
        energy += wednesday if k % 7 == 2 else DAY
    _, found = judged([*energy, *DAY, *DAY, *wednesday])
    off = np.abs(found.expected_kwh[-24:] - 2.5)
    assert off.mean() < 0.9
    assert np.abs(np.array(DAY) - 2.5).mean() > 1.4, "leaning on other days alone would be further off"


def test_a_meter_too_large_for_the_profile_is_judged_by_its_average() -> None:
    state = MeterState()
    _, found = judged([1e5] * 60, state=state)
    assert np.isfinite(state.week_kw[0][~np.isnan(state.week_kw[0])]).all()
    assert found.expected_kwh[-1] == pytest.approx(1e5)
    assert found.score[-1] < 0.7
