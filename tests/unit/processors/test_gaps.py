"""When power went and came back: to the second by words of meters, between bounds and in their middle by silence."""

import numpy as np
import pytest

from processors.gaps import Gaps, came_back, went
from schemas.supply import GASPED, SILENCE

EVERY, SLACK = 900, 60
ALL = np.arange(4)


def gaps(lit_s: list[int], back_s: list[int], dark_s: list[int] | None = None, told: list[int] | None = None) -> Gaps:
    """Gaps of meters, two at each transformer, with readings every quarter of an hour."""
    number = np.arange(len(lit_s))
    dark = np.array(dark_s or [0] * len(lit_s))
    return Gaps(
        number,
        number // 2,
        np.array(lit_s),
        dark,
        np.array(back_s),
        np.full(len(lit_s), EVERY),
        np.where(dark > 0, GASPED, SILENCE),
        np.array(told or [0] * len(lit_s)),
    )


def test_a_silent_start_lies_between_the_newest_reading_of_any_and_the_first_that_did_not_come() -> None:
    start = went(gaps([9_000, 9_300, 9_600, 9_100], [0] * 4), ALL, SLACK)
    assert (start.after_s, start.at_s, start.by_s) == (9_600, 9_750, 9_900)


def test_the_first_gasp_says_when_power_went() -> None:
    start = went(gaps([9_000, 9_300, 9_600, 9_100], [0] * 4, [0, 9_650, 9_640, 0]), ALL, SLACK)
    assert (start.after_s, start.at_s, start.by_s) == (9_600, 9_640, 9_640)


def test_a_gasp_is_said_soon_after_power_went() -> None:
    assert went(gaps([9_000] * 4, [0] * 4, [9_640] * 4), ALL, SLACK).after_s == 9_580


def test_silent_meters_of_a_transformer_have_their_power_back_together() -> None:
    back = came_back(gaps([9_000] * 4, [20_000, 20_400, 22_000, 0]), ALL, SLACK)
    assert back.after_s.tolist() == [19_500, 19_500, 21_100, 0]
    assert back.at_s.tolist() == [19_750, 19_750, 21_550, 0]
    assert back.by_s.tolist() == [20_000, 20_000, 22_000, 0]


def test_the_first_word_of_a_transformer_that_power_is_back_says_when() -> None:
    back = came_back(gaps([9_000] * 4, [20_040, 20_010, 20_700, 20_020], told=[1, 1, 0, 1]), ALL, SLACK)
    assert back.at_s.tolist() == [20_010, 20_010, 20_020, 20_020]
    assert back.after_s.tolist() == [19_980, 19_980, 19_960, 19_960]


def test_a_meter_that_came_back_later_by_itself_spoils_no_others() -> None:
    back = came_back(gaps([9_000] * 4, [20_000, 23_000, 20_000, 20_000]), ALL, SLACK)
    assert back.at_s.tolist() == [19_550, 22_550, 19_550, 19_550]


@pytest.mark.parametrize("staggered", [False, True], ids=["all at the quarter", "each at its own time"])
def test_silence_is_neither_early_nor_late_on_average_and_the_truth_lies_in_the_bounds(staggered: bool) -> None:
    rng, errors, widths = np.random.default_rng(3), list[int](), list[int]()
    for _ in range(2_000):
        phase = rng.integers(0, EVERY, 8) if staggered else np.zeros(8, dtype=np.int64)
        gone, again = int(rng.integers(50_000, 60_000)), int(rng.integers(65_000, 75_000))
        lit = (gone - phase) // EVERY * EVERY + phase
        back = -((phase - again) // EVERY) * EVERY + phase
        found = gaps(lit.tolist(), back.tolist())
        start, end = went(found, np.arange(8), SLACK), came_back(found, np.arange(8), SLACK)
        assert start.after_s <= gone <= start.by_s
        assert (end.after_s <= again).all()
        assert (end.by_s >= again).all()
        errors += [start.at_s - gone, *(end.at_s - again).tolist()]
        widths.append(start.by_s - start.after_s)
    assert abs(np.mean(errors)) < 15
    assert np.mean(widths) < (250 if staggered else EVERY + 1)
