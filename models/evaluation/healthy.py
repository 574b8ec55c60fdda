"""How many alarms there are where nothing is known to be wrong, and whether scores mean what they say."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from processors.calibration import SCALE
from processors.judge import judge
from processors.judging import Judging
from processors.state import MeterState
from schemas.readings import ReadingBatch

_DAY_US = 86_400_000_000


@dataclass(frozen=True)
class Alarms:
    """Alarms of readings that are taken to be healthy.

    Attributes:
        meter_days: how much was watched, the first two weeks of each meter left out.
        warnings: alerts that began, per 10,000 meter-days.
        critical: critical ones of them.
        reaching: score -> readings that reached it, per 10,000 meter-days; the scale promises 10,000 over its days.
    """

    meter_days: float
    warnings: float
    critical: float
    reaching: dict[float, float]


def promised() -> dict[float, float]:
    """Return how many readings per 10,000 meter-days the scale says reach each score."""
    return {score: 1e4 / days for days, score in SCALE if 0.5 <= score < 1.0}


def count(batches: Iterable[ReadingBatch], learning_days: float = 14.0) -> Alarms:
    """Watch readings as the stream does.

    Args:
        batches: each meter's readings in the order of time.
        learning_days: from the first reading of all, which only teach [d].
    """
    state, begin_us, days = MeterState(), None, 0.0
    reached, begun = dict.fromkeys(promised(), 0), np.zeros(3, dtype=np.int64)
    for batch in batches:
        found = judge(batch, state.rows(batch.meter_number), state, Judging())
        begin_us = int(batch.time_us.min()) if begin_us is None and len(batch) else begin_us
        watched = ~np.isnan(found.score) & (batch.time_us >= (begin_us or 0) + learning_days * _DAY_US)
        days += float(found.past.interval_s[watched].sum()) / 86_400.0
        for score in reached:
            reached[score] += int((found.score[watched] >= score).sum())
        begun += np.bincount(found.severity[watched], minlength=3)
    per = 1e4 / max(days, 1e-9)
    return Alarms(days, per * int(begun[1:].sum()), per * int(begun[2]), {at: per * n for at, n in reached.items()})
