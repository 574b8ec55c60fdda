"""A loaded model as the stream uses it: readings and their past in, calibrated scores out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from models.calibrated import Calibrated
from models.cold_start import ColdStart
from models.explain import reasons
from models.forest import Forest
from models.manifest import Manifest
from processors.calibration import BUDGET, score_of
from processors.features import FEATURES, Matrix, features
from processors.judgement import Past
from schemas.layout import Positions
from schemas.readings import ReadingBatch

Scores = npt.NDArray[np.float32]


class AnyScorer(Protocol):
    """A loaded model, whatever it scores."""

    features: Sequence[str]

    @property
    def manifest(self) -> Manifest:
        """What is written down about it."""

    @property
    def forest(self) -> Forest:
        """The model itself."""

    @property
    def name(self) -> str:
        """Name and version."""

    def look(self, batch: Any, past: Any, budget: float) -> "Look":
        """Score rows of a batch by themselves and by their past, and keep what the scores came of."""


class Scorer:
    """Scores readings; never changes.

    Args:
        manifest: what is written down about it.
        forest: the model itself.
    """

    features: Sequence[str] = FEATURES

    def __init__(self, manifest: Manifest, forest: Forest) -> None:
        self.manifest = manifest
        self.forest = forest
        self._holidays = np.array(manifest.holidays, dtype=np.int64)
        self._calibrated = Calibrated(manifest.calibration)
        self._cold_start = ColdStart(manifest.classes)

    @property
    def name(self) -> str:
        """Name and version."""
        return f"{self.manifest.name}/{self.manifest.version}"

    def look(self, batch: ReadingBatch, past: Past, budget: float = BUDGET) -> "Look":
        """Score readings, and keep what the scores came of.

        Args:
            batch: n readings.
            past: what was known of their meters before them.
            budget: what scores stand for; see `processors.calibration`.
        """
        known = np.flatnonzero(past.peak_kw > 0)
        scores = np.full(len(batch), np.nan, dtype=np.float32)
        matrix = features(batch, past, self._holidays)[known]
        if len(known):
            share = self._calibrated.share(self.forest.score(matrix), past.day_mean_kw[known])
            scores[known] = score_of(share, past.interval_s[known], budget)
            cold = self._cold_start.score(batch, past, budget)
            scores = np.where(np.isnan(cold), scores, cold)
        return Look(self, known, matrix, scores)

    def score(self, batch: ReadingBatch, past: Past) -> Scores:
        """Return float32[n], 0 to 1 on the common scale; NaN for readings whose meter has no past."""
        return self.look(batch, past).scores


@dataclass(frozen=True)
class Look:
    """What a model saw of readings, or of ticks, and what it says.

    Attributes:
        scorer: which model.
        known: intp[k], readings that it has something to say about.
        matrix: float32[k, 13], their features.
        scores: float32[n], 0 to 1, NaN for the others.
    """

    scorer: AnyScorer
    known: Positions
    matrix: Matrix
    scores: Scores

    def explain(self, at: Positions) -> list[str]:
        """Return what made some of the known readings score as they do, each feature with its share."""
        return reasons(self.scorer.forest, self.matrix, np.searchsorted(self.known, at), self.scorer.features)
