"""Which readings are the first of their meter in a window: known of what is newer than all before, asked for the rest.

The number of meters of a window is the sum of these. It is exact, and whichever of a meter's readings was counted first
makes no difference to it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from processors.arrange import by_group_and_time
from processors.market_time import DAY_US, clock_of
from schemas.layout import Ints, Mask, Positions
from schemas.windows import DAY_S, HOUR_S, WINDOW_LENGTHS_S

#: Before all times, and after: the newest reading of a meter that has none, and the end of what lasts [us].
NONE_US, FOREVER_US = np.iinfo(np.int64).min, np.iinfo(np.int64).max

#: No window is longer than a day on which clocks go back [us]; a newest reading that is older is in none of them.
LONGEST_FRAME_US = 25 * 3_600_000_000


@dataclass(frozen=True)
class Question:
    """Whether readings of a batch are all that a meter has in a window; k of them.

    Attributes:
        position: intp[k], the first reading of the batch in that window.
        meter_id: int64[k].
        since_us, until_us: int64[k], start and end of the window [us].
        count: int64[k], readings of the batch in it.
        length: which window it is, a key of `frames`.
    """

    position: Positions
    meter_id: Ints
    since_us: Ints
    until_us: Ints
    count: Ints
    length: int


def frames_of(
    time_us: Ints, zone: Ints, zones: Sequence[str], since_us: Ints, until_us: Ints
) -> dict[int, tuple[Ints, Ints]]:
    """Return the windows that times are in: those of fixed length, and the local day of 23 to 25 hours.

    A meter that moves within a window counts at both places: a frame is what of the window it spent at one.

    Args:
        time_us: int64[n] [us since 1970-01-01 UTC].
        zone: int64[n], position in `zones`.
        zones: IANA names.
        since_us: int64[n], since when the meter was where it was at the time [us].
        until_us: int64[n], and until when [us].

    Returns: by length [s], int64[n] start and end [us since 1970-01-01 UTC]; the local day under DAY_S.
    """
    found = dict[int, tuple[Ints, Ints]]()
    for length_s in (*WINDOW_LENGTHS_S, HOUR_S):
        start = time_us - time_us % (length_s * 1_000_000)
        found[length_s] = start, start + length_s * 1_000_000
    starts, ends = np.empty_like(time_us), np.empty_like(time_us)
    for code in np.unique(zone).tolist():
        there, clock = zone == code, clock_of(zones[code])
        day = clock.local_us(time_us[there]) // DAY_US
        starts[there], ends[there] = clock.first_instant(day * DAY_US), clock.first_instant((day + 1) * DAY_US)
    found[DAY_S] = starts, ends
    return {
        length_s: (np.maximum(start, since_us), np.minimum(end, until_us)) for length_s, (start, end) in found.items()
    }


def firsts(
    meter_id: Ints, time_us: Ints, newest_us: Ints, frames: Mapping[int, tuple[Ints, Ints]]
) -> tuple[dict[int, Mask], list[Question]]:
    """Say which of some new readings are the first of their meter in their windows.

    Args:
        meter_id: int64[n].
        time_us: int64[n]; no meter has two readings of one time.
        newest_us: int64[n], time of the newest reading that the meter had before, or NONE_US; any time before all
            frames does as well.
        frames: by length, int64[n] start and end of each reading's window [us].

    Returns: bool[n] for each length, and what must be asked; a yes makes the reading at its position a first one too.
    """
    order = by_group_and_time(meter_id, time_us)
    meter, time, newest = meter_id[order], time_us[order], newest_us[order]
    leads = np.r_[True, meter[1:] != meter[:-1]] if len(order) else np.empty(0, dtype=bool)
    before = np.r_[NONE_US, time[:-1]] if len(order) else time
    # What precedes a reading: the one before it in the batch, or the newest of earlier ones, whichever is later.
    ahead = time > newest
    before = np.where(leads, newest, np.maximum(before, np.where(ahead, newest, NONE_US)))
    found, questions = dict[int, Mask](), list[Question]()
    for length, (start_us, end_us) in frames.items():
        start, end = start_us[order], end_us[order]
        mask = np.zeros(len(order), dtype=bool)
        mask[order] = ahead & (before < start)
        found[length] = mask
        # Late, and not in the window of the meter's newest reading: the batch's first one there has to ask.
        opens = leads | (np.r_[NONE_US, time[:-1]] < start) if len(order) else leads
        late = ~ahead & opens & (newest >= end)
        if late.any():
            questions.append(_question(length, order, meter, start, end, late, opens))
    return found, questions


def _question(length: int, order: Positions, meter: Ints, start: Ints, end: Ints, late: Mask, opens: Mask) -> Question:
    runs = np.flatnonzero(opens)
    size = np.diff(np.r_[runs, len(order)])
    asked = late[runs]
    at = runs[asked]
    return Question(order[at], meter[at], start[at], end[at], size[asked].astype(np.int64), length)
