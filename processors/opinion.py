"""What models say of readings, and which of it begins something: told once, as what a meter's own past says is."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from processors.judgement import Judgement
from processors.judging import Judging
from processors.rounds import rounds
from processors.state import MeterState
from schemas.layout import Ints, Positions

Scores = npt.NDArray[np.float32]
#: Something is over once nothing was unusual for so many intervals.
_CALM_INTERVALS = 4.0
_LAST_S = int(np.iinfo(np.uint32).max)


def no_reasons(at: Positions) -> list[str]:
    """Explain nothing."""
    return [""] * len(at)


@dataclass(frozen=True)
class Opinion:
    """What models say of n readings.

    Attributes:
        score: float32[n], of the champion, 0 to 1; NaN where it has nothing to say.
        shadow: float32[n], of the candidate beside it; it is stored and does nothing.
        explain: the features that made the champion score some of the readings as it did, largest share first.
    """

    score: Scores
    shadow: Scores
    explain: Callable[[Positions], list[str]]

    @classmethod
    def none(cls, n: int) -> "Opinion":
        """Return what is said where there is no model."""
        nothing = np.full(n, np.nan, dtype=np.float32)
        return cls(nothing, nothing, no_reasons)


@dataclass(frozen=True)
class Onsets:
    """What begins by a model's word alone.

    Attributes:
        at: intp[k], positions of the readings, rising.
        severity: int8[k], 1 for a warning, 2 for something critical.
        reasons: of each, the features and their shares.
    """

    at: Positions
    severity: npt.NDArray[np.int8]
    reasons: list[str]


#: Where no model says anything.
NOTHING_BEGUN = Onsets(np.empty(0, dtype=np.intp), np.empty(0, dtype=np.int8), [])


def onsets(
    opinion: Opinion, judgement: Judgement, rows: Positions, time_us: Ints, state: MeterState, judging: Judging
) -> Onsets:
    """Find what a model says that a meter's own past does not.

    Only the two columns of the state that belong to models change: a replay with another model judges as before.

    Args:
        opinion: of n readings.
        judgement: of the same.
        rows: intp[n], state row of each reading's meter.
        time_us: int64[n], event time [us].
        state: the partition's state.
        judging: where levels begin.
    """
    severity = np.zeros(len(rows), dtype=np.int8)
    # What was not judged (out of order, seen before a restart) has no score of its own.
    unusual = np.flatnonzero((opinion.score >= judging.monitoring) & ~np.isnan(judgement.score))
    for turn in rounds(rows[unusual]):
        at = unusual[turn]
        row, time_s = rows[at], time_us[at] // 1_000_000
        over = time_s - state.model_unusual_s[row] > _CALM_INTERVALS * judgement.past.interval_s[at]
        before = np.where(over, 0, state.model_episode[row])
        now = (opinion.score[at] >= judging.warning).astype(np.int8) + (opinion.score[at] >= judging.critical)
        state.model_unusual_s[row] = np.clip(time_s, 0, _LAST_S)
        state.model_episode[row] = np.maximum(before, now)
        severity[at] = np.where((now > before) & (judgement.score[at] < judging.monitoring), now, 0)
    at = np.flatnonzero(severity)
    return Onsets(at, severity[at], opinion.explain(at))
