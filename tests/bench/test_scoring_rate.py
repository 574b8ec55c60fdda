"""How fast a forest of the usual size scores, per size of the batch, beside scikit-learn's own `score_samples`."""

import time
from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest

from models.forest import Forest, fit
from models.registry import Registry
from models.scorer import Scorer
from models.training import History, Plan, train
from processors.judge import judge
from processors.judging import Judging
from processors.peers import Before, compare
from processors.state import MeterState
from schemas.readings import ReadingBatch
from stream.training.source import from_fleet
from tests.trained import readings


@pytest.fixture(scope="module")
def forest() -> Forest:
    return fit(History.of([readings()], np.empty(0, dtype=np.int64)).matrix, trees=100, samples=256, seed=0)


def cpu_s(call: Callable[[], object], times: int) -> np.ndarray:
    """CPU time of each call [s], float64[times]; that of others on the machine does not count."""
    taken = np.empty(times)
    for turn in range(times):
        started = time.process_time()
        call()
        taken[turn] = time.process_time() - started
    return taken


def told(what: str, rows: int, taken: np.ndarray) -> float:
    """Print rate and tail, and return the rate."""
    rate = rows / taken.mean()
    tail = f"p99 {1e3 * np.quantile(taken, 0.99):.2f} ms"
    print(f"\nbatches of {rows:,}, {what}: {rate:,.0f} readings/s per core, {tail}")  # noqa: T201 - what a benchmark is for
    return float(rate)


@pytest.mark.parametrize("rows", [1, 64, 1_000, 10_000])
def test_the_forest_is_no_slower_than_the_library_that_fitted_it(forest: Forest, rows: int) -> None:
    matrix = np.random.default_rng(0).normal(size=(rows, len(forest.fill))).astype(np.float32)
    times = max(20, min(400, 400_000 // rows))
    ours = told("forest", rows, cpu_s(lambda: forest.score(matrix), times))
    theirs = told("scikit-learn's score_samples", rows, cpu_s(lambda: forest.fitted.score_samples(matrix), times))
    assert ours > theirs


@pytest.mark.parametrize(("rows", "least_per_s"), [(1_000, 20_000), (10_000, 100_000)])
def test_features_forest_and_calibration_keep_up(rows: int, least_per_s: float) -> None:
    """What a worker pays for a model; 1,000 readings are what comes in 50 ms of 20,000 a second."""
    scorer = _scorer()
    stream, state = readings(), MeterState()
    past = judge(stream, state.rows(stream.meter_number), state, Judging()).past
    order = np.random.default_rng(0).integers(len(stream) // 2, len(stream), rows)
    batch = stream.take(order)
    known = type(past)(*(getattr(past, field.name)[order] for field in fields(past)))
    taken = cpu_s(lambda: scorer.score(batch, known), max(20, 400_000 // rows))
    assert told("with features and calibration", rows, taken) > least_per_s
    assert np.quantile(taken, 0.99) < 0.1


def _scorer() -> Scorer:
    plan = Plan("forest", "v1", "a benchmark", np.empty(0, dtype=np.int64), datetime(2024, 1, 15, tzinfo=UTC))
    manifest, data = train(iter([readings()]), plan)
    with TemporaryDirectory() as folder:
        registry = Registry(Path(folder))
        registry.add(manifest, data)
        return registry.load("forest", "v1")


@pytest.mark.parametrize(("rows", "least_per_s"), [(1_000, 20_000), (10_000, 50_000)])
def test_the_past_and_the_model_together_keep_up(rows: int, least_per_s: float) -> None:
    """All that scores a reading: judgement by the meter's own past, neighbours, and the model."""
    scorer, state, judging = _scorer(), MeterState(), Judging()
    source = from_fleet(10_000, 5, datetime(2024, 1, 1, tzinfo=UTC), 2, 3_600)
    batches = _parts(ReadingBatch.concat(list(source.batches)), rows)
    taken = list[float]()
    for batch in batches:
        meters = state.rows(batch.meter_number)
        started = time.process_time()
        before = Before.of(state, meters)
        found = judge(batch, meters, state, judging)
        compare(found, meters, batch.time_us, before, state, found.severity > 0)
        scorer.look(batch, found.past)
        taken.append(time.process_time() - started)
    late = np.array(taken[len(taken) * 5 // 8 :])  # after a day, when everything is judged
    assert told("past, neighbours and model", rows, late) > least_per_s
    assert np.quantile(late, 0.99) < 0.5


def _parts(whole: ReadingBatch, rows: int) -> list[ReadingBatch]:
    return [whole.slice(start, min(rows, len(whole) - start)) for start in range(0, len(whole), rows)]
