"""Judgement of readings against their own past, and their quality flag."""

import numpy as np
import numpy.typing as npt

from processors import profile
from processors.compiled import own
from processors.judgement import Judgement
from processors.judging import Judging
from processors.judging_pass import Moments, judge_all
from processors.learned import learned
from processors.signal_pass import Measures
from processors.signals import SIGNALS
from processors.state import MeterState
from schemas.layout import Mask, Positions
from schemas.quality import ANOMALY, MISSING, WARNING
from schemas.readings import ReadingBatch


def judge(
    batch: ReadingBatch, rows: Positions, state: MeterState, judging: Judging, skip: Mask | None = None
) -> Judgement:
    """Flag and score readings, and let the state learn from them.

    A reading that is not newer than its meter's newest is stored and counted but neither judged nor learned
    from: its place in the past is already taken.

    Args:
        batch: n valid readings, in the order of their partition.
        rows: intp[n], state row of each reading's meter.
        state: the partition's state; changed in place.
        judging: bounds.
        skip: bool[n], readings that the state has already seen (replay after a crash).

    Returns: flags, scores and expectations; they do not depend on how the stream was cut into batches.
    """
    found = Judgement.nothing(len(batch), judging.budget)
    seen = np.zeros(len(batch), dtype=bool) if skip is None else skip
    moments = Moments(own(batch.time_us), profile.hour_of_week(batch.time_us), own(seen))
    judge_all(
        learned(state),
        own(rows),
        moments,
        Measures.of(batch),
        judging.bounds,
        found.columns,
        np.empty((3, len(SIGNALS))),
    )
    _flag(batch, judging, found.flag)
    return found


def _flag(batch: ReadingBatch, judging: Judging, flag: npt.NDArray[np.int8]) -> None:
    voltage = batch.floats("voltage")
    flag[((voltage < judging.voltage_low) | (voltage > judging.voltage_high)) & (flag != ANOMALY)] = WARNING
    silent = np.ones(len(batch), dtype=bool)
    for name in batch.layout.floats:
        silent &= np.isnan(batch.floats(name)) if batch.column(name).null_count else False
    flag[silent] = MISSING
