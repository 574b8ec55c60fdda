"""A loaded model of the market as the stream uses it: ticks and what was known of their series in, scores out."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from models.calibrated import Calibrated
from models.forest import Forest
from models.manifest import Manifest
from models.scorer import Look, Scores
from processors.calibration import BUDGET, score_of
from processors.market.features import FEATURES, features
from processors.market.follow import Followed
from processors.market.opinion import TickPast
from schemas.layout import Positions
from schemas.ticks import TickBatch


class TickScorer:
    """Scores ticks; never changes.

    Args:
        manifest: what is written down about it.
        forest: the model itself.
    """

    features: Sequence[str] = FEATURES

    def __init__(self, manifest: Manifest, forest: Forest) -> None:
        self.manifest = manifest
        self.forest = forest
        self._calibrated = Calibrated(manifest.calibration)

    @property
    def name(self) -> str:
        """Name and version."""
        return f"{self.manifest.name}/{self.manifest.version}"

    def look(self, batch: TickBatch, past: TickPast, budget: float = BUDGET) -> Look:
        """Score ticks, and keep what the scores came of.

        Args:
            batch: n ticks.
            past: what was known of their series before them.
            budget: what scores stand for; see `processors.calibration`.
        """
        known = judged(past.followed)
        scores: Scores = np.full(len(batch), np.nan, dtype=np.float32)
        matrix = features(batch, past.terms, past.followed)[known]
        if len(known):
            share = self._calibrated.share(self.forest.score(matrix), size_of(past.followed)[known])
            scores[known] = score_of(share, past.followed.gap_s[known], budget)
        return Look(self, known, matrix, scores)


def judged(followed: Followed) -> Positions:
    """Return the ticks that have a price and enough of a past, intp[k]: those that their own volatility judges."""
    return np.flatnonzero(~np.isnan(followed.score) & (followed.usual > 0))


def size_of(followed: Followed) -> npt.NDArray[np.float32]:
    """Return by what series are compared with their like, float32[n]: the usual size of their price [currency/unit]."""
    return followed.usual.astype(np.float32)
