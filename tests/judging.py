"""One meter's life, judged."""

from collections.abc import Sequence

import numpy as np

from processors.judge import judge
from processors.judgement import Judgement
from processors.judging import Judging
from processors.state import MeterState
from schemas.readings import ReadingBatch
from tests.builders import HOUR_US, START_US, batch


def judged(
    energy_kwh: Sequence[float | None],
    step_us: int = HOUR_US,
    state: MeterState | None = None,
    start_us: int = START_US,
    judging: Judging | None = None,
) -> tuple[ReadingBatch, Judgement]:
    """Judge readings of meter M1 at a regular step, oldest first."""
    state = MeterState() if state is None else state
    times = start_us + step_us * np.arange(len(energy_kwh), dtype=np.int64)
    found = batch("M1", times, consumption_kwh=list(energy_kwh))
    return found, judge(found, state.rows(found.meter_number), state, judging or Judging())
