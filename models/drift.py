"""Drift: how far what a model sees, and what it says, has moved away from what it was trained on."""

import threading
from dataclasses import dataclass

import numpy as np

from models.manifest import Reference
from processors.features import CALENDAR, FEATURES, Matrix
from schemas.layout import Floats, Ints

#: Names of what is compared: every feature but those that the calendar alone decides, and the score.
SCORE = "score"
WATCHED = tuple(name for name in FEATURES if name not in CALENDAR)
#: Bins of scores; the features' are tenths of what the model was trained on.
SCORE_EDGES = (0.1, 0.2, 0.3, 0.5, 0.7, 0.85)
#: From here on a distribution counts as another one (Siddiqi, "Credit Risk Scorecards", 2006).
DRIFTED = 0.25
_TENTHS = np.arange(1, 10) / 10.0
_LEAST_SHARE = 1e-4
_DAY_US = 86_400_000_000
#: Fewer readings say nothing about a distribution.
_LEAST_READINGS = 1_000


def psi(expected: Floats, actual: Floats) -> float:
    """Return the population stability index of two distributions over the same bins.

    Args:
        expected: float64[b], shares that add up to 1.
        actual: float64[b], the same of now.

    Returns: sum of (actual - expected) ln(actual / expected), 0 where nothing has changed; empty bins count as 1e-4.
    """
    first, second = np.maximum(expected, _LEAST_SHARE), np.maximum(actual, _LEAST_SHARE)
    return float(np.sum((second - first) * np.log(second / first)))


def reference(matrix: Matrix, scores: Floats) -> Reference:
    """Write down how features and scores are distributed in what a model was trained on.

    Args:
        matrix: float32[n, 13], NaN where unknown.
        scores: float64[n], 0 to 1.
    """
    edges, shares = dict[str, list[float]](), dict[str, list[float]]()
    for name in WATCHED:
        values = matrix[:, FEATURES.index(name)].astype(np.float64)
        known = values[~np.isnan(values)]
        edges[name] = np.unique(np.quantile(known, _TENTHS)).tolist() if len(known) else []
        shares[name] = _shares(_counts(values, edges[name])).tolist()
    edges[SCORE] = list(SCORE_EDGES)
    shares[SCORE] = _shares(_counts(scores, edges[SCORE])).tolist()
    return Reference(edges=edges, shares=shares)


@dataclass(frozen=True)
class Drift:
    """How far things had moved over one span of time.

    Attributes:
        end_us: of the span, in event time [us].
        readings: how many there were.
        psi: by feature, and of the score.
    """

    end_us: int
    readings: int
    psi: dict[str, float]

    @property
    def drifted(self) -> dict[str, float]:
        """What counts as another distribution, the furthest first."""
        return dict(sorted(((k, v) for k, v in self.psi.items() if v >= DRIFTED), key=lambda one: -one[1]))


class DriftWatch:
    """Counts what a model sees over spans of event time, and compares each with what it was trained on.

    It is what one process has seen since it began; it decides nothing, and a restart begins the span anew.

    Args:
        known: what the model was trained on.
        days: length of a span [d].
    """

    def __init__(self, known: Reference, days: float) -> None:
        self._known = known
        self._span_us = int(days * _DAY_US)
        self._lock = threading.Lock()
        self._begin(None)

    def _begin(self, at_us: int | None) -> None:
        self._start_us = at_us
        self._readings = 0
        self._bins = {name: np.zeros(len(shares), dtype=np.int64) for name, shares in self._known.shares.items()}

    def observe(self, time_us: Ints, matrix: Matrix, scores: Floats) -> Drift | None:
        """Count readings; return what came of a span when they are the first beyond it.

        Args:
            time_us: int64[k], event time [us].
            matrix: float32[k, 13], what the model saw.
            scores: float64[k], what it said.
        """
        if not len(time_us):
            return None
        with self._lock:
            newest = int(time_us.max())
            drift = None
            if self._start_us is None:
                self._start_us = int(time_us.min())
            elif newest >= self._start_us + self._span_us and self._readings >= _LEAST_READINGS:
                drift = self._close(self._start_us + self._span_us)
                self._begin(newest)
            for name in self._bins:
                values = scores if name == SCORE else matrix[:, FEATURES.index(name)]
                self._bins[name] += _counts(values, self._known.edges[name])
            self._readings += len(time_us)
            return drift

    def _close(self, end_us: int) -> Drift:
        found = {
            name: round(psi(np.array(self._known.shares[name]), _shares(bins)), 4) for name, bins in self._bins.items()
        }
        return Drift(end_us, self._readings, found)


def _counts(values: Floats | Matrix, edges: list[float]) -> Ints:
    """Return how many values lie in each bin, int64[len(edges) + 2], the unknown ones last."""
    unknown = np.isnan(values)
    counts = np.bincount(np.searchsorted(edges, values[~unknown], side="right"), minlength=len(edges) + 1)
    found: Ints = np.append(counts, np.count_nonzero(unknown)).astype(np.int64)
    return found


def _shares(counts: Ints) -> Floats:
    shares: Floats = counts / max(int(counts.sum()), 1)
    return shares
