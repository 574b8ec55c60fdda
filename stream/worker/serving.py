"""The models that serve: champion and candidate of the registry, swapped between batches, never a reason to stop."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import structlog

from models.drift import DriftWatch
from models.refused import ModelRefused
from models.registry import Registry
from models.scorer import AnyScorer, Look
from processors.opinion import Opinion
from schemas.alerts import Alert
from schemas.errors import ServiceUnavailable
from schemas.layout import ColumnBatch
from schemas.topics import ALERT_SIGNS
from sinks.sink import Journal
from stream.metrics import WorkerMetrics
from stream.settings import ModelSettings
from stream.worker.model_alerts import drifted, refused
from stream.worker.producer import KafkaProducer, Outgoing

_log = structlog.get_logger("models")
Load = Callable[[str, str], AnyScorer]
#: More than this is not kept for want of Kafka: the log has all of it.
_MOST_UNTOLD = 100


@dataclass(frozen=True)
class _Serving:
    """The models of one moment; which ones is a single reference, so that a batch sees the same from first to last.

    Attributes:
        champion: the one whose scores count, None before the first.
        shadow: the candidate beside it, None without one.
        watch: of the champion's drift, None where it does not know what it was trained on.
    """

    champion: AnyScorer | None = None
    shadow: AnyScorer | None = None
    watch: DriftWatch | None = None


class ModelServing:
    """Scores readings, or ticks, with whatever models the registry says.

    Args:
        registry: where models are.
        settings: which of them serves, and what its scores stand for.
        metrics: what the worker counts.
        load: loads a model of what is scored, by name and version; one of readings by default.
    """

    def __init__(
        self, registry: Registry, settings: ModelSettings, metrics: WorkerMetrics, load: Load | None = None
    ) -> None:
        self._registry = registry
        self._load = load or registry.load
        self._settings = settings
        self._metrics = metrics
        self._now = _Serving()
        self._refused: dict[str, str] = {}
        self._untold: deque[Alert] = deque(maxlen=_MOST_UNTOLD)

    @property
    def serving(self) -> str | None:
        """Name and version of the model that serves, None without one."""
        return _name(self._now.champion)

    @property
    def shadow(self) -> str | None:
        """Name and version of the candidate beside it, None without one."""
        return _name(self._now.shadow)

    def consult(self, batch: ColumnBatch, past: Any) -> Opinion:
        """Return what champion and candidate say of rows by their past; NaN where there is nothing to go by."""
        now = self._now
        if now.champion is None:
            return Opinion.none(len(batch))
        budget = self._settings.alert_budget
        look = now.champion.look(batch, past, budget)
        shadow = np.full(len(batch), np.nan, dtype=np.float32)
        if now.shadow is not None:
            shadow = now.shadow.look(batch, past, budget).scores
        if now.watch is not None:
            self._observe(now.watch, look, batch)
        return Opinion(look.scores, shadow, look.explain)

    def refresh(self) -> None:
        """Take the models that the registry names; one that cannot be used leaves the one before serving."""
        before, name = self._now, self._settings.name
        try:
            wanted = self._registry.serving(name)
        except ModelRefused as refusal:
            self._note("pointer", refusal)
            return
        champion = self._taken("champion", before.champion, wanted.champion)
        shadow = self._taken("shadow", before.shadow, wanted.shadow)
        if (champion, shadow) == (before.champion, before.shadow):
            return
        watch = before.watch
        if champion is not before.champion:
            known = champion.manifest.reference if champion is not None else None
            watch = DriftWatch(known, self._settings.drift_days) if known is not None else None
        self._now = _Serving(champion, shadow, watch)
        self._show(before)

    def take_alert(self) -> Alert | None:
        """Return what there is to tell about models, each once, the oldest first."""
        return self._untold.popleft() if self._untold else None

    def _taken(self, role: str, now: AnyScorer | None, version: str | None) -> AnyScorer | None:
        """Return the model of a role as the registry names it; the one before where that cannot be used."""
        if version == (now.manifest.version if now is not None else None):
            return now
        try:
            scorer = None if version is None else self._load(self._settings.name, version)
        except ModelRefused as refusal:
            self._note(role, refusal)
            return now
        self._refused.pop(role, None)
        return scorer

    def _note(self, role: str, refusal: ModelRefused) -> None:
        # It is refused every time; saying so once is enough.
        if str(refusal) != self._refused.get(role):
            self._refused[role] = str(refusal)
            self._metrics.models_refused.labels(self._settings.name).inc()
            self._untold.append(refused(refusal, role, self.serving))
            _log.error("model_refused", model=refusal.model, role=role, reason=refusal.reason, serving=self.serving)

    def _observe(self, watch: DriftWatch, look: Look, batch: ColumnBatch) -> None:
        drift = watch.observe(batch.time_us[look.known], look.matrix, look.scores[look.known].astype(np.float64))
        if drift is None:
            return
        for name, psi in drift.psi.items():
            self._metrics.drift.labels(name).set(psi)
        if drift.drifted:
            self._untold.append(drifted(look.scorer.name, drift))
            _log.warning("model_drift", model=look.scorer.name, readings=drift.readings, psi=drift.drifted)

    def _show(self, before: _Serving) -> None:
        for role in ("champion", "shadow"):
            old, new = _name(getattr(before, role)), _name(getattr(self._now, role))
            if old == new:
                continue
            if old is not None:
                self._metrics.model.labels(old, role).set(0)
            if new is not None:
                self._metrics.model.labels(new, role).set(1)
            _log.info("model_serves", model=new, role=role, before=old)


def _name(scorer: AnyScorer | None) -> str | None:
    return scorer.name if scorer is not None else None


async def keep_fresh(
    app: Any, producer: KafkaProducer, journal: Journal[Any], serving: ModelServing, every_s: float
) -> None:
    """Look for other models now and then; loading one must not hold up the stream."""
    while not app.should_stop:
        await app.sleep(every_s)
        await asyncio.to_thread(serving.refresh)
        while (alert := serving.take_alert()) is not None:
            try:
                await producer.send([Outgoing(ALERT_SIGNS.name, alert.element, alert.model_dump_json().encode())])
                await journal.keep_alerts([alert])
            except ServiceUnavailable as absence:
                # The log and /metrics have it, and without these services there is no stream to be scored.
                _log.warning("alert_not_published", alert=alert.message, cause=str(absence))
