"""Models come, go and break while readings flow: every reading is stored once, and judged whatever serves."""

import threading
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from models import package
from models.registry import Registry
from processors.judge import judge
from processors.judging import Judging
from processors.state import MeterState
from schemas import arrow_codec
from schemas.alerts import AlertKind
from stream.metrics import WorkerMetrics
from stream.settings import ModelSettings
from stream.worker.intake import Record
from stream.worker.serving import ModelServing
from tests.builders import ARROW, record
from tests.flow.engine import Engine
from tests.trained import METERS, model, readings

ROWS = 24


def log() -> list[Record]:
    stream = readings(days=3)
    return [record(k, arrow_codec.write(stream.slice(k * ROWS, ROWS)), ARROW) for k in range(len(stream) // ROWS)]


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    found = Registry(tmp_path)
    found.add(*model("v1"))
    found.add(*model("v2", seed=4))
    return found


def serving_of(registry: Registry) -> ModelServing:
    return ModelServing(registry, ModelSettings(), WorkerMetrics(CollectorRegistry()))


async def taken(serving: ModelServing, change: dict[int, object] | None = None) -> Engine:
    """Take the whole log; before some of its records something happens to the registry."""
    engine = Engine(consult=serving.consult)
    for position, item in enumerate(log()):
        if change and position in change:
            change[position]()  # type: ignore[operator]
            serving.refresh()
        await engine.take(item)
    return engine


def without_scores(engine: Engine) -> dict[str, object]:
    told = engine.told()
    told["alerts"] = {k: v for k, v in told["alerts"].items() if v.kind is not AlertKind.UNUSUAL_READING}
    return {name: told[name] for name in ("windows", "alerts", "rejected", "positions", "accounts")}


def weeks(engine: Engine) -> bytes:
    state = engine.flows[0].state
    return state.week_kw[: state.extent].tobytes()


async def test_whatever_happens_to_models_nothing_is_lost_and_nothing_but_scores_changes(
    registry: Registry, tmp_path: Path
) -> None:
    plain = await taken(serving_of(Registry(tmp_path / "empty")))
    serving = serving_of(registry)
    happens = {
        10: lambda: registry.promote("forest", "v1"),
        20: lambda: registry.promote("forest", "v2"),
        30: lambda: (tmp_path / "forest" / "v1" / package.MODEL).write_bytes(b"rubbish"),
        31: lambda: (tmp_path / "forest" / "serving.json").write_text('{"champion": "v1", "before": []}'),
        40: lambda: (tmp_path / "forest" / "serving.json").write_text("?"),
    }
    swapped = await taken(serving, happens)
    assert serving.serving == "forest/v2"
    assert without_scores(swapped) == without_scores(plain)
    assert len(swapped.store.readings) == len(log()) * ROWS
    assert weeks(swapped) == weeks(plain)


async def test_models_swapped_by_another_thread_while_readings_flow_lose_nothing(registry: Registry) -> None:
    registry.promote("forest", "v1")
    serving, done = serving_of(registry), threading.Event()
    serving.refresh()

    def swap() -> None:
        while not done.is_set():
            for version in ("v2", "v1"):
                registry.promote("forest", version)
                serving.refresh()

    swapper = threading.Thread(target=swap)
    swapper.start()
    try:
        engine = await taken(serving)
    finally:
        done.set()
        swapper.join()
    assert len(engine.store.readings) == len(log()) * ROWS
    (account,) = engine.store.accounts.values()
    assert account["stored"] == account["readings"] == len(log()) * ROWS


def test_a_batch_is_scored_by_one_model_from_its_first_reading_to_its_last(registry: Registry) -> None:
    stream, state = readings(days=3), MeterState()
    past = judge(stream, state.rows(stream.meter_number), state, Judging()).past
    alone = {
        version: registry.load("forest", version).look(stream, past, 20.0).scores.tobytes() for version in ("v1", "v2")
    }
    serving, done, found = serving_of(registry), threading.Event(), set()

    def swap() -> None:
        while not done.is_set():
            for version in ("v2", "v1"):
                registry.promote("forest", version)
                serving.refresh()

    registry.promote("forest", "v1")
    serving.refresh()
    swapper = threading.Thread(target=swap)
    swapper.start()
    for _ in range(30):
        found.add(serving.consult(stream, past).score.tobytes())
    done.set()
    swapper.join()
    assert found <= set(alone.values())
    assert np.frombuffer(found.pop(), dtype=np.float32).size == 3 * 48 * METERS
