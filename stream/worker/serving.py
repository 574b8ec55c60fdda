"""The model that serves: the champion of the registry, swapped between two batches, and never a reason to stop."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import structlog

from models.refused import ModelRefused
from models.registry import Registry
from models.scorer import Scorer
from processors.judgement import Past
from schemas.alerts import Alert, AlertKind, Severity, alert_id
from schemas.errors import ServiceUnavailable
from schemas.readings import ReadingBatch
from schemas.topics import ALERTS
from stream.metrics import WorkerMetrics
from stream.worker.flow import no_model
from stream.worker.producer import KafkaProducer, Outgoing

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
        self._untold: Alert | None = None

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
                self._untold = _alert(refusal, self.serving)
                _log.error("model_refused", model=refusal.model, reason=refusal.reason, serving=self.serving)
            return
        self._refused = None
        self._show(scorer)

    def take_alert(self) -> Alert | None:
        """Return what there is to tell about models, once."""
        alert, self._untold = self._untold, None
        return alert

    def _show(self, scorer: Scorer | None) -> None:
        before, self._scorer = self.serving, scorer
        if before is not None:
            self._metrics.model.labels(before).set(0)
        if self.serving is not None:
            self._metrics.model.labels(self.serving).set(1)
        _log.info("model_serves", model=self.serving, before=before)


async def keep_fresh(app: Any, producer: KafkaProducer, serving: ModelServing, every_s: float) -> None:
    """Look for another champion now and then; loading one must not hold up the stream."""
    while not app.should_stop:
        await app.sleep(every_s)
        await asyncio.to_thread(serving.refresh)
        alert = serving.take_alert()
        if alert is None:
            continue
        try:
            await producer.send([Outgoing(ALERTS.name, alert.element, alert.model_dump_json().encode())])
        except ServiceUnavailable as absence:
            # The log and /metrics have it, and without Kafka there is no stream to be scored.
            _log.warning("alert_not_published", alert=alert.message, cause=str(absence))


def _alert(refusal: ModelRefused, serving: str | None) -> Alert:
    """Tell that a model cannot be used; the same refusal always has the same id, whichever worker tells it."""
    now = datetime.now(UTC)
    element = f"model/{refusal.model}"
    instead = f"{serving} goes on serving" if serving else "readings are scored by their meters' past alone"
    return Alert(
        alert_id=alert_id(AlertKind.MODEL_REFUSED, element, 0),
        kind=AlertKind.MODEL_REFUSED,
        severity=Severity.WARNING,
        element=element,
        occurred_at=now,
        arrived_at=now,
        measured=0.0,
        expected=1.0,
        unit="model",
        score=1.0,
        reasons=refusal.reason,
        message=f"{refusal}; {instead}",
    )
