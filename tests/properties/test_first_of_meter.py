"""How many meters a window heard of: exact, in whatever order and portions their readings come."""

from collections import defaultdict

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from processors.first_of_meter import FOREVER_US, LONGEST_FRAME_US, NONE_US, firsts, frames_of
from schemas.windows import DAY_S
from tests.builders import DAY_US, START_US
from tests.strategies import cuts

#: Local midnights are not those of UTC, and clocks change within the days that are tried.
ZONES = ["UTC", "Europe/Berlin", "Australia/Adelaide"]
Readings = list[tuple[int, int]]
_CHANGE_US = 1_774_746_000_000_000  # 2026-03-29T01:00Z, when Berlin's clocks go forward

times = st.integers(START_US, START_US + 4 * 900_000_000) | st.integers(_CHANGE_US - DAY_US, _CHANGE_US + DAY_US)
readings = st.lists(st.tuples(st.integers(1, 4), times), unique=True, max_size=40)


def frames(meter: np.ndarray, time_us: np.ndarray, moved_us: int) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Windows of meters whose zones differ, and one of which moves."""
    since = np.where((meter == 1) & (time_us >= moved_us), moved_us, NONE_US)
    until = np.where((meter == 1) & (time_us < moved_us), moved_us, FOREVER_US)
    return frames_of(time_us, meter % 3, ZONES, since, until)


def counted(parts: list[Readings], moved_us: int) -> dict[tuple[int, int, int, int], int]:
    """Let a store take portions."""
    stored, newest = set[tuple[int, int]](), dict[int, int]()
    found: dict[tuple[int, int, int, int], int] = defaultdict(int)
    for part in parts:
        meter, time_us = (np.array([row[k] for row in part], dtype=np.int64) for k in (0, 1))
        since_us = min((t for _, t in part), default=0) - LONGEST_FRAME_US
        known = np.array([newest.get(row[0], NONE_US) for row in part], dtype=np.int64)
        known[known < since_us] = NONE_US  # a store does not look further back
        spans = frames(meter, time_us, moved_us)
        first, questions = firsts(meter, time_us, known, spans)
        stored |= set(part)
        for asked in questions:
            for at, of, since, until, count in zip(
                asked.position, asked.meter_id, asked.since_us, asked.until_us, asked.count, strict=True
            ):
                if sum(m == of and since <= t < until for m, t in stored) == count:
                    first[asked.length][at] = True
        for length, mask in first.items():
            for row in np.flatnonzero(mask):
                start, end = spans[length]
                found[int(meter[row]), length, int(start[row]), int(end[row])] += 1
        for of, t in part:
            newest[of] = max(newest.get(of, NONE_US), t)
    return dict(found)


@given(readings, st.data())
def test_every_window_that_a_meter_was_in_counts_it_once(found: Readings, data: st.DataObject) -> None:
    mixed = data.draw(st.permutations(found))
    parts = [mixed[part] for part in data.draw(cuts(len(found)))]
    moved_us = data.draw(times)
    everything = np.array(found, dtype=np.int64).reshape(-1, 2)
    spans = frames(everything[:, 0], everything[:, 1], moved_us)
    expected = {
        (int(meter), length, int(start[row]), int(end[row]))
        for length, (start, end) in spans.items()
        for row, meter in enumerate(everything[:, 0])
    }
    assert counted(parts, moved_us) == dict.fromkeys(expected, 1)


def test_a_local_day_has_23_hours_when_clocks_go_forward() -> None:
    ever, never = np.array([NONE_US]), np.array([FOREVER_US])
    (start,), (end,) = frames_of(np.array([_CHANGE_US]), np.array([1]), ZONES, ever, never)[DAY_S]
    assert end - start == 23 * 3_600_000_000
