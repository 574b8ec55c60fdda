from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from models import package
from models.registry import Registry
from processors.judge import Judging, judge
from processors.state import MeterState
from schemas.alerts import Alert, AlertKind
from schemas.errors import ServiceUnavailable
from stream.metrics import WorkerMetrics
from stream.worker.producer import KafkaProducer, Outgoing
from stream.worker.serving import ModelServing, keep_fresh
from tests.trained import model, readings


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path)


@pytest.fixture
def metrics() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def serving(registry: Registry, metrics: CollectorRegistry) -> ModelServing:
    return ModelServing(registry, "forest", WorkerMetrics(metrics))


def scores(serving: ModelServing) -> np.ndarray:
    stream, state = readings(days=3), MeterState()
    return serving.score(stream, judge(stream, state.rows(stream.meter_number), state, Judging()).past)


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
    shown = {version: metrics.get_sample_value("meterstream_worker_model_serving", {"model": f"forest/{version}"})
             for version in ("v1", "v2")}  # fmt: skip
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
    producer = Producing()
    await keep_fresh(OneRound(), cast("KafkaProducer", producer), serving, 1.0)
    (told,) = producer.sent
    assert (told.topic, told.key) == ("alerts", "model/forest/v1")
    assert "by their meters' past alone" in Alert.model_validate_json(told.value).message


@pytest.mark.usefixtures("broken")
async def test_without_kafka_a_refused_model_stops_nothing(serving: ModelServing) -> None:
    producer = Producing(ServiceUnavailable("kafka", "scripted"))
    await keep_fresh(OneRound(), cast("KafkaProducer", producer), serving, 1.0)
    assert producer.sent == []
    assert serving.serving is None
