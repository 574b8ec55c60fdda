"""Order within a meter."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from processors.rounds import repeats, rounds

meter_rows = st.lists(st.integers(0, 5), max_size=30).map(lambda rows: np.array(rows, dtype=np.intp))


@given(meter_rows)
def test_rounds_hold_every_reading_once_no_meter_twice_and_keep_each_meters_order(rows: np.ndarray) -> None:
    found = rounds(rows)
    assert sorted(np.concatenate([*found, np.empty(0, dtype=np.intp)]).tolist()) == list(range(len(rows)))
    for turn in found:
        assert len(set(rows[turn].tolist())) == len(turn) > 0
    for meter in set(rows.tolist()):
        in_turn = [position for turn in found for position in turn.tolist() if rows[position] == meter]
        assert in_turn == sorted(in_turn)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=30))
def test_a_repeat_is_every_occurrence_but_the_first(keys: list[tuple[int, int]]) -> None:
    rows, times = np.array([key[0] for key in keys], dtype=np.intp), np.array([key[1] for key in keys], dtype=np.int64)
    assert repeats(rows, times).tolist() == [key in keys[:position] for position, key in enumerate(keys)]
