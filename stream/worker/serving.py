"""The model that serves: the champion of the registry, swapped between two batches, and never a reason to stop."""

import numpy as np
import numpy.typing as npt
import structlog

from models.refused import ModelRefused
from models.registry import Registry
from models.scorer import Scorer
from processors.judgement import Past
from schemas.readings import ReadingBatch
from stream.metrics import WorkerMetrics
from stream.worker.flow import no_model

_log = structlog.get_logger("models")


class ModelServing:
    """Scores readings with whatever model is the champion.

    A scorer never changes once it is made, and which one serves is a single reference: a batch sees one model from its
    first reading to its last, whichever thread puts another in its place.

    Args:
        registry: where models are.
        name: which of them serves.
        metrics: what the worker counts.
    """

    def __init__(self, registry: Registry, name: str, metrics: WorkerMetrics) -> None:
        self._registry = registry
        self._name = name
        self._metrics = metrics
        self._scorer: Scorer | None = None
        self._refused: str | None = None

    @property
    def serving(self) -> str | None:
        """Name and version of the model that serves, None without one."""
        scorer = self._scorer
        return scorer.name if scorer is not None else None

    def score(self, batch: ReadingBatch, past: Past) -> npt.NDArray[np.float32]:
        """Return float32[n], 0 to 1; NaN where there is no model, or nothing for it to go by."""
        scorer = self._scorer
        if scorer is None:
            return no_model(batch, past)
        return scorer.score(batch, past)

    def refresh(self) -> None:
        """Take the registry's champion if it is another one; one that cannot be used leaves the one before serving."""
        try:
            champion = self._registry.serving(self._name).champion
            now = self._scorer.manifest.version if self._scorer is not None else None
            if champion == now:
                return
            scorer = None if champion is None else self._registry.load(self._name, champion)
        except ModelRefused as refusal:
            # It is refused every time; saying so once is enough.
            if str(refusal) != self._refused:
                self._refused = str(refusal)
                self._metrics.models_refused.labels(self._name).inc()
                _log.error("model_refused", model=refusal.model, reason=refusal.reason, serving=self.serving)
            return
        self._refused = None
        self._show(scorer)

    def _show(self, scorer: Scorer | None) -> None:
        before, self._scorer = self.serving, scorer
        if before is not None:
            self._metrics.model.labels(before).set(0)
        if self.serving is not None:
            self._metrics.model.labels(self.serving).set(1)
        _log.info("model_serves", model=self.serving, before=before)
