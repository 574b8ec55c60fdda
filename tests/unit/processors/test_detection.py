"""What goes wrong in a simulated fleet is found, and what does not is left alone: figures are in MODELS.md."""

from collections import defaultdict
from datetime import UTC, datetime
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pytest

from processors.judge import judge
from processors.judging import Judging
from processors.state import MeterState
from processors.validate import Limits, validate
from simulators.faults import FaultClass
from simulators.fleet import Fleet
from simulators.grid import Grid
from simulators.labels import labels
from simulators.local_time import DAY_S, day_of
from simulators.profile import FaultRate, Profile
from simulators.schedule import Window, schedule
from simulators.score import Score, Signs, score

METERS, WARM_DAYS, DAYS, STEP_S = 60, 8, 5, 900
START = datetime(2024, 3, 4, tzinfo=UTC)
METER_FAULTS = (FaultClass.SPIKE, FaultClass.STUCK, FaultClass.UNIT_CHANGE, FaultClass.REGISTER_RESET)


@lru_cache(maxsize=1)
def outcome() -> Score:
    """A fleet with labelled faults, watched by validation and judgement."""
    begin = day_of(START) * DAY_S + WARM_DAYS * DAY_S
    rates = {fault: FaultRate(count=6) for fault in METER_FAULTS}
    rates |= {fault: FaultRate(count=2) for fault in (FaultClass.SAG, FaultClass.SWELL)}
    grid = Grid.build(METERS, 31)
    faults = schedule(Profile(faults=rates), grid, 31, Window(begin, begin + DAYS * DAY_S, STEP_S))
    state, signs = MeterState(), defaultdict[str, list[tuple[str, int]]](list)
    for batch in Fleet(grid, 31, faults=faults).readings(START, (WARM_DAYS + DAYS) * DAY_S // STEP_S, STEP_S):
        bad = validate(batch, batch.time_us, Limits()) != 0
        sound = batch.where(~bad)
        found = judge(sound, state.rows(sound.meter_number), state, Judging())
        watched = sound.time_us > int(START.timestamp() + WARM_DAYS * DAY_S) * 1_000_000
        for kind, part, mask in (("reject", batch, bad), ("alert", sound, (found.severity > 0) & watched)):
            signs[kind] += zip(part.meter_number.filter(pa.array(mask)).to_pylist(), part.time_us[mask], strict=True)
    flat = [(kind, place, at) for kind, found_signs in signs.items() for place, at in found_signs]
    kinds, places, times = zip(*flat, strict=True)
    said = Signs(kinds, places, np.array(times, dtype=np.int64))
    return score(list(labels(faults, grid)), said, METERS * DAYS, 2 * STEP_S)


@pytest.mark.parametrize("fault", [*METER_FAULTS, FaultClass.SAG, FaultClass.SWELL])
def test_faults_are_found_within_two_intervals(fault: FaultClass) -> None:
    (mine,) = (one for one in outcome().classes if one.fault is fault)
    assert mine.labelled > 0
    assert mine.recall is not None
    assert mine.recall >= 0.8
    assert mine.delay_p50_s is not None
    assert mine.delay_p50_s <= 2 * STEP_S


def test_alarms_where_nothing_is_wrong_are_rare() -> None:
    alarms = outcome().false_per_10k_meter_days
    assert alarms is not None
    assert alarms < 250  # the second week of 60 meters; a handful of alarms either way
