"""Ticks with a model: what it finds is flagged and told, alike wherever the stream is cut, and nothing else changes."""

from pathlib import Path

import numpy as np
from prometheus_client import CollectorRegistry

from models.registry import Registry
from processors.market.series import SeriesState
from schemas import arrow_codec
from schemas.delivery import NO_WATERMARK_US, Position
from schemas.ticks import TickBatch
from stream.market.flow import Consult, TickFlow, tick_effects
from stream.metrics import WorkerMetrics
from stream.settings import ModelSettings
from stream.worker.intake import Record
from stream.worker.serving import ModelServing
from tests.builders import ARROW
from tests.trained import model
from tests.trained_market import MARKETS, consult, market_model, prices

NO_OFFSETS = np.empty(0, dtype=np.int64)


def strange() -> TickBatch:
    """Two days of calm prices, one of them higher by a third: less than its own volatility takes for a spike."""
    batch = prices(seed=5, days=2)
    price = batch.floats("price").copy()
    price[1_600] *= 1.25
    named = {name: batch.column(name) for name in ("market", "symbol", "kind")}
    return TickBatch.from_columns(**named, tick_time=batch.time_us, price=price)


def effects_of(batch: TickBatch, rows: int, asked: Consult | None) -> tuple[list[str], bytes, bytes]:
    """Alerts, scores and state after a stream that is cut into portions of so many rows."""
    state, position, ids, scores = SeriesState(), Position(0, NO_WATERMARK_US), list[str](), list[bytes]()
    flow = TickFlow("market.raw", 0, state, NO_OFFSETS, MARKETS, **({"consult": asked} if asked else {}))
    for number, start in enumerate(range(0, len(batch), rows)):
        payload = arrow_codec.write(batch.slice(start, rows))
        step = flow.process([Record(number, payload, ARROW, 1_790_000_000_000_000)])
        assert step is not None
        made = tick_effects(step, state, position)
        assert made is not None
        position = Position(made.progress.next_offset, made.progress.watermark_us)
        ids += [f"{alert.kind} {alert.alert_id} {alert.reasons}" for alert in made.alerts]
        scores.append(made.rows.score.tobytes())
    own = [name for name in SeriesState.columns if not name.startswith("model_")]
    return ids, b"".join(scores), b"".join(getattr(state, name)[: state.extent].tobytes() for name in own)


def test_what_a_model_finds_does_not_depend_on_where_the_stream_is_cut() -> None:
    whole, parts = effects_of(strange(), 2_304, consult), effects_of(strange(), 97, consult)
    assert whole == parts


def test_a_model_changes_scores_and_alerts_and_nothing_that_is_learned() -> None:
    with_model, without = effects_of(strange(), 500, consult), effects_of(strange(), 500, None)
    assert with_model[2] == without[2]
    assert with_model[1] != without[1]
    assert [one for one in without[0] if one.startswith("unusual_tick")] == []
    found = [one for one in with_model[0] if one.startswith("unusual_tick")]
    assert all("0." in one for one in found)


def test_the_lane_of_ticks_takes_models_of_the_market_and_refuses_others(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    registry.add(*market_model())
    registry.promote("market", "v1")
    metrics = WorkerMetrics(CollectorRegistry(), "market")
    serving = ModelServing(registry, ModelSettings(name="market"), metrics, registry.load_ticks)
    serving.refresh()
    assert serving.serving == "market/v1"
    registry.add(*model())
    registry.promote("forest", "v1")
    other = ModelServing(registry, ModelSettings(name="forest"), metrics, registry.load_ticks)
    other.refresh()
    assert other.serving is None
    alert = other.take_alert()
    assert alert is not None
    assert "other features" in alert.reasons
