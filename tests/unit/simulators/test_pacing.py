import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.readings import ReadingBatch
from simulators.pacing import UNPACED, Pace


def batch(*seconds: float) -> ReadingBatch:
    times = (np.array(seconds) * 1e6).astype(np.int64)
    return ReadingBatch.from_columns(reading_time=times, meter_number=["M"] * len(seconds))


def test_without_a_schedule_readings_are_due_at_once_in_pieces() -> None:
    parts = list(Pace(UNPACED, most_rows=2).cut([batch(0, 1, 2), batch(), batch(3)]))
    assert [(part.due_s, len(part.batch)) for part in parts] == [(None, 2), (None, 1), (None, 1)]


def test_due_times_count_from_the_first_reading_and_shrink_with_the_speed_up() -> None:
    parts = list(Pace(60).cut([batch(600, 660), batch(720)]))
    assert [part.due_s for part in parts] == [0.0, 1.0, 2.0]


def test_readings_of_one_tick_go_together_and_none_goes_early() -> None:
    parts = list(Pace(1, tick_s=0.02).cut([batch(0, 0.001, 0.015, 0.02, 0.021, 0.04)]))
    assert [(part.due_s, len(part.batch)) for part in parts] == [(0.0, 1), (0.02, 3), (0.04, 2)]


def test_a_reading_from_the_past_does_not_turn_the_schedule_back() -> None:
    parts = list(Pace(1).cut([batch(10, 20), batch(5, 30)]))
    assert [part.due_s for part in parts] == [0.0, 10.0, 10.0, 20.0]


@given(
    times=st.lists(st.lists(st.floats(0, 1e6), min_size=1, max_size=20), max_size=5),
    speedup=st.sampled_from([0.5, 1, 900, 1e6, UNPACED]),
    most_rows=st.integers(1, 7),
)
def test_cutting_loses_and_reorders_nothing(times: list[list[float]], speedup: float, most_rows: int) -> None:
    batches = [batch(*seconds) for seconds in times]
    parts = list(Pace(speedup, most_rows=most_rows).cut(batches))
    assert ReadingBatch.concat([part.batch for part in parts]).records == ReadingBatch.concat(batches).records
    assert all(0 < len(part.batch) <= most_rows for part in parts)
    due = [part.due_s for part in parts if part.due_s is not None]
    assert due == sorted(due)


@pytest.mark.parametrize("speedup", [0, -1, float("nan")])
def test_a_speed_up_is_above_zero(speedup: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        Pace(speedup)
