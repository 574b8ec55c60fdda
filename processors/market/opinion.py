"""What a model says of ticks beside their series' own volatility, and which of it begins something."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from processors.calibration import CRITICAL, WARNING
from processors.market.events import remarkable
from processors.market.follow import Followed
from processors.market.series import SeriesState
from processors.market.terms import Terms
from processors.opinion import Onsets, Opinion
from processors.rounds import rounds
from processors.state import NEVER_US
from schemas.layout import Ints, Positions

#: Something is over once nothing was unusual for so many ticks' time.
_CALM_TICKS = 4.0


@dataclass(frozen=True)
class TickPast:
    """What a model is told of ticks beside themselves.

    Attributes:
        terms: what their markets' definitions say.
        followed: what was known of their series before them.
    """

    terms: Terms
    followed: Followed


def on_tick_scale(scores: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Bring a model's scores, alerts from 0.85 on, to the scale of a series' own volatility, unusual from 0.5 on."""
    found: npt.NDArray[np.float32] = np.interp(scores, [0.0, WARNING, 1.0], [0.0, 0.5, 1.0]).astype(np.float32)
    return np.where(np.isnan(scores), scores, found)


def onsets(opinion: Opinion, followed: Followed, rows: Positions, time_us: Ints, state: SeriesState) -> Onsets:
    """Find what a model says that a series' own volatility does not; told when it begins or gets worse.

    Only the two columns of the state that belong to models change: a replay with another model follows as before.

    Args:
        opinion: of n ticks.
        followed: of the same.
        rows: intp[n], state row of each tick's series.
        time_us: int64[n], event time [us].
        state: the partition's state.
    """
    severity, told = np.zeros(len(rows), dtype=np.int8), remarkable(followed)
    # What was not judged (out of order, seen before a restart) has no score of its own.
    unusual = np.flatnonzero((opinion.score >= WARNING) & ~np.isnan(followed.score))
    for turn in rounds(rows[unusual]):
        at = unusual[turn]
        row, last_us = rows[at], state.model_unusual_us[rows[at]]
        calm_us = _CALM_TICKS * np.nan_to_num(followed.gap_s[at]) * 1e6
        over = (last_us == NEVER_US) | (time_us[at] - np.maximum(last_us, 0) > calm_us)
        before = np.where(over, 0, state.model_episode[row])
        now = 1 + (opinion.score[at] >= CRITICAL).astype(np.int8)
        state.model_unusual_us[row], state.model_episode[row] = time_us[at], np.maximum(before, now)
        severity[at] = np.where((now > before) & ~told[at], now, 0)
    found = np.flatnonzero(severity)
    return Onsets(found, severity[found], opinion.explain(found))


def together(followed: Followed, opinion: Opinion) -> Followed:
    """Return the same with the higher of the two scores; what was not judged stays so."""
    own = followed.score
    return replace(followed, score=np.where(np.isnan(own), own, np.fmax(own, on_tick_scale(opinion.score))))
