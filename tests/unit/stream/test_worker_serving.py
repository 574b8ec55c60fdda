from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from models import package
from models.registry import Registry
from processors.judge import judge
from processors.judgement import Past
from processors.judging import Judging
from processors.opinion import Opinion
from processors.state import MeterState
from schemas.alerts import Alert, AlertKind
from schemas.errors import ServiceUnavailable
from sinks.memory import MemoryStore
from stream.metrics import WorkerMetrics
from stream.settings import ModelSettings
from stream.worker.producer import KafkaProducer, Outgoing
from stream.worker.serving import ModelServing, keep_fresh
from tests.trained import model, readings

PAST = [field.name for field in fields(Past)]


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path)


@pytest.fixture
def metrics() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def serving(registry: Registry, metrics: CollectorRegistry) -> ModelServing:
    return ModelServing(registry, ModelSettings(), WorkerMetrics(metrics))


def opinion(serving: ModelServing) -> Opinion:
    stream, state = readings(days=3), MeterState()
    return serving.consult(stream, judge(stream, state.rows(stream.meter_number), state, Judging()).past)


def scores(serving: ModelServing) -> np.ndarray:
    return opinion(serving).score


def test_without_a_champion_nothing_is_scored(serving: ModelServing) -> None:
    serving.refresh()
    assert serving.serving is None
    assert np.isnan(scores(serving)).all()


def test_a_champion_is_taken_when_there_is_one_and_swapped_for_the_next(
    serving: ModelServing, registry: Registry, metrics: CollectorRegistry
) -> None:
    registry.add(*model("v1"))
    registry.promote("forest", "v1")
    serving.refresh()
    first = scores(serving)
    assert serving.serving == "forest/v1"
    assert np.isfinite(first).sum() > 1_000
    registry.add(*model("v2", seed=4))
    registry.promote("forest", "v2")
    serving.refresh()
    assert serving.serving == "forest/v2"
    assert scores(serving).tobytes() != first.tobytes()
    labels = {version: {"model": f"forest/{version}", "role": "champion"} for version in ("v1", "v2")}
    shown = {
        version: metrics.get_sample_value("meterstream_worker_model_serving", labels[version]) for version in labels
    }
    assert shown == {"v1": 0.0, "v2": 1.0}


def test_a_champion_that_breaks_leaves_the_one_before_serving_and_is_counted_once(
    serving: ModelServing, registry: Registry, metrics: CollectorRegistry, tmp_path: Path
) -> None:
    registry.add(*model("v1"))
    registry.add(*model("v2", seed=4))
    registry.promote("forest", "v1")
    serving.refresh()
    registry.promote("forest", "v2")
    (tmp_path / "forest" / "v2" / package.MODEL).write_bytes(b"rubbish")
    for _ in range(3):
        serving.refresh()
    assert serving.serving == "forest/v1"
    assert metrics.get_sample_value("meterstream_worker_models_refused_total", {"model": "forest"}) == 1.0
    alert = serving.take_alert()
    assert alert is not None
    assert (alert.kind, alert.element) == (AlertKind.MODEL_REFUSED, "model/forest/v2")
    assert "cut short" in alert.reasons
    assert alert.message.endswith("forest/v1 goes on serving")
    assert serving.take_alert() is None
    registry.rollback("forest")
    serving.refresh()
    assert serving.serving == "forest/v1"


def test_a_damaged_pointer_stops_nothing(serving: ModelServing, registry: Registry, tmp_path: Path) -> None:
    registry.add(*model("v1"))
    (tmp_path / "forest" / "serving.json").write_text("?")
    serving.refresh()
    assert serving.serving is None


def test_a_candidate_scores_beside_the_champion_and_changes_none_of_its_scores(
    serving: ModelServing, registry: Registry
) -> None:
    registry.add(*model("v1"))
    registry.add(*model("v2", seed=4))
    registry.promote("forest", "v1")
    serving.refresh()
    alone = opinion(serving)
    registry.shadow("forest", "v2")
    serving.refresh()
    both = opinion(serving)
    assert serving.shadow == "forest/v2"
    assert np.isnan(alone.shadow).all()
    assert both.score.tobytes() == alone.score.tobytes()
    assert np.isfinite(both.shadow).sum() == np.isfinite(both.score).sum() > 1_000
    assert both.shadow.tobytes() != both.score.tobytes()
    registry.shadow("forest", None)
    serving.refresh()
    assert serving.shadow is None


def test_a_candidate_that_breaks_is_told_and_leaves_the_champion_alone(
    serving: ModelServing, registry: Registry, tmp_path: Path
) -> None:
    registry.add(*model("v1"))
    registry.add(*model("v2", seed=4))
    registry.promote("forest", "v1")
    registry.shadow("forest", "v2")
    (tmp_path / "forest" / "v2" / package.MODEL).write_bytes(b"rubbish")
    serving.refresh()
    assert (serving.serving, serving.shadow) == ("forest/v1", None)
    told = serving.take_alert()
    assert told is not None
    assert "as shadow" in told.message


def test_a_world_that_has_changed_is_told_once_a_span_with_the_features_that_did(
    serving: ModelServing, registry: Registry, metrics: CollectorRegistry
) -> None:
    registry.add(*model("v1"))
    registry.promote("forest", "v1")
    serving.refresh()
    warmer, state = readings(seed=2, warmer_c=30.0), MeterState()
    past = judge(warmer, state.rows(warmer.meter_number), state, Judging()).past
    for part in np.array_split(np.arange(len(warmer)), 40):
        serving.consult(warmer.take(part), Past(*(getattr(past, name)[part] for name in PAST)))
    told = serving.take_alert()
    assert told is not None
    assert serving.take_alert() is None
    assert (told.kind, told.element) == (AlertKind.MODEL_DRIFT, "model/forest/v1")
    assert told.reasons.startswith("temperature_c ")
    assert told.measured > told.expected == 0.25
    assert metrics.get_sample_value("meterstream_worker_model_drift_psi", {"feature": "voltage"}) < 0.1  # type: ignore[operator]


class OneRound:
    """As much of an application as looking for models takes; it stops after one round."""

    should_stop = False

    async def sleep(self, _seconds: float) -> None:
        self.should_stop = True


class Producing:
    """A producer that keeps what it is given, or has no Kafka."""

    def __init__(self, absence: ServiceUnavailable | None = None) -> None:
        self.sent: list[Outgoing] = []
        self._absence = absence

    async def send(self, records: Sequence[Outgoing]) -> None:
        if self._absence:
            raise self._absence
        self.sent += records


@pytest.fixture
def broken(registry: Registry, tmp_path: Path) -> None:
    registry.add(*model("v1"))
    registry.promote("forest", "v1")
    (tmp_path / "forest" / "v1" / package.MODEL).write_bytes(b"rubbish")


@pytest.mark.usefixtures("broken")
async def test_a_refused_model_is_told_in_the_topic_of_alerts(serving: ModelServing) -> None:
    producer, store = Producing(), MemoryStore()
    await keep_fresh(OneRound(), cast("KafkaProducer", producer), store, serving, 1.0)
    (told,) = producer.sent
    assert (told.topic, told.key) == ("alerts.signs", "model/forest/v1")
    alert = Alert.model_validate_json(told.value or b"")
    assert "by their meters' past alone" in alert.message
    assert store.alerts == {alert.alert_id}


@pytest.mark.usefixtures("broken")
async def test_without_kafka_a_refused_model_stops_nothing(serving: ModelServing) -> None:
    producer = Producing(ServiceUnavailable("kafka", "scripted"))
    await keep_fresh(OneRound(), cast("KafkaProducer", producer), MemoryStore(), serving, 1.0)
    assert producer.sent == []
    assert serving.serving is None
