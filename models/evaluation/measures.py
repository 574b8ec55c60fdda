"""What a detector's scores are worth against labelled windows: by reading, by event, in time, and in noise."""

from dataclasses import dataclass

import numpy as np

from models.evaluation.series import Series
from schemas.layout import Floats, Ints, Mask

#: Share of each series that only teaches, as the Numenta benchmark has it; nothing in it counts.
PROBATION = 0.15
#: Alarms outside of anomalies within the same so many intervals are one false alarm to whoever has to look.
_ONE_ALARM = 10
#: An anomaly may be noticed so many intervals after its end.
_GRACE = 2
_DAY_US = 86_400_000_000


@dataclass(frozen=True)
class Tally:
    """Counts that add up over series.

    Attributes:
        windows: anomalies there were.
        found: of those, how many had an alarm.
        wrong: stretches of ten intervals outside of anomalies with an alarm.
        point_true: readings that alarmed in an anomaly.
        point_false: readings that alarmed outside.
        point_missed: readings of anomalies that did not alarm.
        delay_intervals: sum over found anomalies of the intervals until the first alarm.
        days: days that were watched.
        nab: sum over series of the Numenta score before scaling.
    """

    windows: int = 0
    found: int = 0
    wrong: int = 0
    point_true: int = 0
    point_false: int = 0
    point_missed: int = 0
    delay_intervals: float = 0.0
    days: float = 0.0
    nab: float = 0.0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))

    @property
    def event_recall(self) -> float:
        """Share of anomalies that were found."""
        return self.found / self.windows if self.windows else 0.0

    @property
    def event_precision(self) -> float:
        """Share of what was told, an anomaly or a stretch of false alarms, that was an anomaly."""
        return self.found / (self.found + self.wrong) if self.found else 0.0

    @property
    def event_f1(self) -> float:
        """Harmonic mean of the two."""
        return _harmonic(self.event_precision, self.event_recall)

    @property
    def point_f1(self) -> float:
        """Harmonic mean of precision and recall by reading."""
        alarmed, anomalous = self.point_true + self.point_false, self.point_true + self.point_missed
        return _harmonic(self.point_true / max(alarmed, 1), self.point_true / max(anomalous, 1))

    @property
    def mean_delay(self) -> float:
        """Mean intervals from the begin of a found anomaly to its first alarm; NaN where none was found."""
        return self.delay_intervals / self.found if self.found else float("nan")

    @property
    def nab_score(self) -> float:
        """The Numenta score in its standard profile, 100 for finding all at once, 0 for never alarming."""
        return 100.0 * (self.nab + self.windows) / (2.0 * self.windows) if self.windows else 0.0


def counted(series: Series) -> Mask:
    """Return which readings count, bool[n]: those after the probation."""
    return np.asarray(np.arange(len(series.time_us)) >= int(PROBATION * len(series.time_us)))


def tally(series: Series, alarm: Mask) -> Tally:
    """Compare alarms with the truth of one series.

    Args:
        series: n values.
        alarm: bool[n].
    """
    alarm = alarm & counted(series)
    interval_us = int(series.interval_s * 1e6)
    begin = series.time_us[int(PROBATION * len(series.time_us))]
    windows = series.windows[series.windows[:, 1] >= begin]
    ends = windows[:, 1] + _GRACE * interval_us
    at = series.time_us[alarm]
    first = np.searchsorted(at, windows[:, 0])
    found = (first < len(at)) & (at[np.minimum(first, max(len(at) - 1, 0))] <= ends if len(at) else False)
    delays = (at[first[found]] - windows[found, 0]) / interval_us if found.any() else np.zeros(0)
    true = series.anomalous() & counted(series)
    begun = np.searchsorted(windows[:, 0], at, side="right")
    outside = at[begun == np.searchsorted(ends, at, side="left")]
    wrong = outside[np.unique(outside // (_ONE_ALARM * interval_us), return_index=True)[1]]
    return Tally(
        windows=len(windows),
        found=int(found.sum()),
        wrong=len(wrong),
        point_true=int((alarm & true).sum()),
        point_false=int((alarm & ~true).sum()),
        point_missed=int((true & ~alarm).sum()),
        delay_intervals=float(delays.sum()),
        days=float((series.time_us[-1] - begin) / _DAY_US),
        nab=_nab(windows, wrong, found, at, first),
    )


def _nab(windows: Ints, wrong: Ints, found: Mask, at: Ints, first: Ints) -> float:
    """Return the Numenta score (Lavin and Ahmad, 2015), standard profile, false alarms by stretches.

    A window found early counts up to 1, one found at its end 0, one missed -1; a false alarm costs 0.11 times how far
    behind the last window it lies on the same scale.
    """
    total = -float((~found).sum())
    if found.any():
        begins, ends = windows[found, 0].astype(float), windows[found, 1].astype(float)
        place = (np.minimum(at[first[found]], ends) - ends) / np.maximum(ends - begins, 1.0)
        total += float(_sigmoid(place).sum() / _sigmoid(np.array(-1.0)))
    if len(wrong):
        last = np.searchsorted(windows[:, 1], wrong) - 1
        length = np.maximum((windows[:, 1] - windows[:, 0]).astype(float), 1.0)
        behind = (
            np.where(last >= 0, (wrong - windows[last, 1]) / length[last], 3.0) if len(windows) else np.full(1, 3.0)
        )
        total += 0.11 * float(_sigmoid(np.minimum(behind, 3.0)).sum())
    return total


def _sigmoid(place: Floats) -> Floats:
    scaled: Floats = 2.0 / (1.0 + np.exp(5.0 * place)) - 1.0
    return scaled


def _harmonic(first: float, second: float) -> float:
    return 2.0 * first * second / (first + second) if first + second > 0 else 0.0


def precision_recall(series: list[Series], scores: list[Floats]) -> tuple[Floats, Floats, float]:
    """Return precision and recall by reading over all thresholds, and the area under them (average precision)."""
    mask = [counted(one) for one in series]
    score = np.concatenate([np.nan_to_num(found[keep]) for found, keep in zip(scores, mask, strict=True)])
    truth = np.concatenate([one.anomalous()[keep] for one, keep in zip(series, mask, strict=True)])
    order = np.argsort(-score, kind="stable")
    last = np.r_[np.flatnonzero(np.diff(score[order])), len(order) - 1]  # equal scores pass a threshold together
    hits = np.cumsum(truth[order])[last]
    precision, recall = hits / (last + 1), hits / max(int(truth.sum()), 1)
    return precision, recall, float(np.sum(np.diff(np.r_[0.0, recall]) * precision))
