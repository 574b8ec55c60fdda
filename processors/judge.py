"""Judgement of readings against their own past, and their quality flag."""

import numpy as np
import numpy.typing as npt

from processors.judgement import Judgement
from processors.judging import Judging
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
    # What compiles takes a second to load: a worker that starts has it with its first readings.
    from processors.judging_pass import judge_batch  # noqa: PLC0415

    judge_batch(batch, rows, state, judging.bounds, found, skip)
    _flag(batch, judging, found.flag)
    return found


def _flag(batch: ReadingBatch, judging: Judging, flag: npt.NDArray[np.int8]) -> None:
    voltage = batch.floats("voltage")
    flag[((voltage < judging.voltage_low) | (voltage > judging.voltage_high)) & (flag != ANOMALY)] = WARNING
    silent = np.ones(len(batch), dtype=bool)
    for name in batch.layout.floats:
        silent &= np.isnan(batch.floats(name)) if batch.column(name).null_count else False
    flag[silent] = MISSING
